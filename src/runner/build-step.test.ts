import { describe, expect, it } from 'vitest';
import { ScriptedRuntime } from '../drivers/runtime/scripted/scripted-runtime.ts';
import { systemClock } from '../lib/clock.ts';
import { systemTimers } from '../lib/timers.ts';
import { BuildStep } from './build-step.ts';

describe('BuildStep', () => {
  it('fails with what to set where there is nothing to build with', async () => {
    const runtime = new ScriptedRuntime({ clock: systemClock, timers: systemTimers });
    const job = await runtime.prepare({ id: 'w1-a1-t1', workspace: '/drone/src' });
    const step = new BuildStep({
      id: 'w1-a1-t1-s1',
      name: 'image',
      plan: { plugin: 'gantry', ref: 'refs/heads/main', defaultBranch: 'main', revision: '', source: '', link: '' },
      job,
      place: undefined,
      credentials: [],
      cacheScope: '1/protected',
      isUntrusted: false,
      limits: {},
      clock: systemClock,
      timers: systemTimers,
    });
    let log = '';
    const { outcome } = step.release({
      environment: {},
      secrets: {},
      timeoutMs: 60_000,
      graceMs: 1_000,
      onOutput: (_stream, bytes) => void (log += bytes.toString()),
    });
    expect(await outcome).toMatchObject({ kind: 'cannot-start' });
    expect(log).toContain('Set GANTRY_BUILDER to the address of a Docker Engine');
    await job.destroy();
    await runtime.close();
  });
});

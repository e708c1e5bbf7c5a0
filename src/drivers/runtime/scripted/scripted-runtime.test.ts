import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';
import { systemTimers } from '../../../lib/timers.ts';
import { VirtualClock } from '../../../lib/virtual-clock.ts';
import { type ContractAct, runtimeContract } from '../runtime.contract.ts';
import type { ReleaseSpec, StageSpec } from '../runtime.ts';
import { ScriptedRuntime, type ScriptedRuntimeOptions } from './scripted-runtime.ts';
import type { Act } from './scripted-step.ts';

runtimeContract('ScriptedRuntime', async () => {
  const runtime = new ScriptedRuntime({
    clock: systemClock,
    timers: systemTimers,
    faults: { missingImages: ['base/missing'] },
  });
  return {
    runtime,
    image: 'base/busybox',
    missingImage: 'base/missing',
    perform: (acts) => ({ environment: { STEP_ACTS: JSON.stringify(acts.map(played)) } }),
    leftovers: async () => runtime.liveJobs(),
    close: () => runtime.close(),
  };
});

function played(act: ContractAct): Act {
  if ('print' in act) return { do: 'write', text: act.print, ...(act.to ? { stream: act.to } : {}) };
  if ('lines' in act) return { do: 'write-lines', count: act.lines };
  if ('bytes' in act) return { do: 'write-bytes', sizeBytes: act.bytes };
  if ('printVariable' in act) return { do: 'print-variable', name: act.printVariable };
  if ('sleepMs' in act) return { do: 'sleep', ms: act.sleepMs };
  if ('ignoreSigterm' in act) return { do: 'ignore-sigterm' };
  if ('serve' in act) return { do: 'listen', ports: [{ port: act.serve, protocol: 'tcp' }] };
  if ('hang' in act) return { do: 'hang' };
  if ('exit' in act) return { do: 'end', outcome: { kind: 'exited', exitCode: act.exit } };
  return { do: 'end', outcome: { kind: 'killed', signal: act.killedBy } };
}

describe('ScriptedRuntime on a virtual clock', () => {
  const stage: StageSpec = {
    id: 's1',
    name: 'test',
    kind: 'commands',
    image: 'base/node:24',
    pull: 'default',
    limits: {},
    network: 'job',
  };

  async function world(options: Partial<ScriptedRuntimeOptions> = {}) {
    const clock = new VirtualClock();
    const runtime = new ScriptedRuntime({ clock, timers: clock, isRecording: true, ...options });
    const job = await runtime.prepare({ id: 'w1-a1-t1', workspace: '/drone/src' });
    const output: string[] = [];
    const release = (environment: Record<string, string>, change: Partial<ReleaseSpec> = {}): ReleaseSpec => ({
      environment,
      secrets: {},
      timeoutMs: 60_000,
      graceMs: 10_000,
      onOutput: (stream, bytes) => void output.push(`${stream}: ${bytes.toString()}`),
      ...change,
    });
    return { clock, runtime, job, output, release };
  }

  it('plays an hour without waiting', async () => {
    const { clock, job, release } = await world();
    const running = (await job.stage(stage)).release(release({ STEP_SLEEP: '1h' }, { timeoutMs: 7_200_000 }));
    let outcome: unknown;
    void running.outcome.then((settled) => (outcome = settled));
    await clock.advanceBy(3_599_999);
    expect(outcome).toBeUndefined();
    await clock.advanceBy(1);
    expect(outcome).toEqual({ kind: 'exited', exitCode: 0 });
  });

  it.each([
    [{ STEP_EXIT_CODE: '3' }, { kind: 'exited', exitCode: 3 }],
    [{ STEP_OOM_KILLED: 'true' }, { kind: 'oom', limitBytes: 512 * 2 ** 20 }],
    [{ STEP_SIGNAL: 'SIGSEGV' }, { kind: 'killed', signal: 'SIGSEGV' }],
    [{ STEP_INFRASTRUCTURE: 'node lost' }, { kind: 'infrastructure', message: 'node lost' }],
    [{ STEP_CANNOT_START: 'no shell' }, { kind: 'cannot-start', message: 'no shell' }],
  ])('ends a step as its environment says: %o', async (environment, outcome) => {
    const { job, release } = await world();
    expect(await (await job.stage(stage)).release(release(environment)).outcome).toEqual(outcome);
  });

  it('counts an exit within the grace period as cancelled', async () => {
    const { clock, job, release } = await world();
    const running = (await job.stage(stage)).release(release({ STEP_IGNORE_SIGTERM: '1', STEP_SLEEP: '5s' }));
    await clock.advanceBy(1_000);
    running.cancel('by Ada');
    await clock.advanceBy(4_000);
    expect(await running.outcome).toEqual({ kind: 'cancelled', reason: 'by Ada' });
  });

  it('plays the first rule that matches, and records what it was called with', async () => {
    const { job, output, release, runtime } = await world({
      rules: [
        { step: 'other', acts: [] },
        { step: 'test', acts: [{ do: 'write', text: 'from the rule\n' }] },
      ],
    });
    await (await job.stage(stage)).release(release({ STEP_EXIT_CODE: '9' })).outcome;
    await job.destroy();
    expect(output).toEqual(['stdout: from the rule\n']);
    expect(runtime.calls.map(({ call }) => call)).toEqual(['prepare', 'stage', 'release', 'destroy']);
    expect(runtime.liveJobs()).toEqual([]);
  });

  it('fails at the boundary where it is told to', async () => {
    const { runtime } = await world({ faults: { prepareFailsFor: 'w2-a1-t1', destroyFailsOnce: true } });
    await expect(runtime.prepare({ id: 'w2-a1-t1', workspace: '/w' })).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
    });
    const job = await runtime.prepare({ id: 'w2-a1-t1', workspace: '/w' });
    await expect(job.destroy()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' });
    await job.destroy();
    expect(runtime.liveJobs()).toEqual(['w1-a1-t1']);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import { ScriptedRuntime } from '../../src/drivers/runtime/scripted/scripted-runtime.ts';
import type { Act } from '../../src/drivers/runtime/scripted/scripted-step.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { systemTimers } from '../../src/lib/timers.ts';
import { startRunner } from '../../src/runner/runner.ts';
import { stepPlan } from '../support/plans.ts';
import { assignmentOf, ProtocolServer } from '../support/protocol-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const mib = 2 ** 20;

/** Runs one step with real storage; answers its log and by how much the process grew meanwhile. */
async function run(acts: readonly Act[], options: { logLimitBytes?: number; mask?: string[] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'flood-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const logs = new FilesystemLogs(folder);
  cleanups.push(() => logs.close());
  const server = new ProtocolServer(logs);
  server.mask = options.mask ?? [];
  const runner = startRunner({
    connect: server.connect,
    runtime: new ScriptedRuntime({ clock: systemClock, timers: systemTimers }),
    slots: 1,
    runnerId: 'r',
    generation: 'g',
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
  });
  cleanups.push(() => runner.stop());
  await server.until(() => server.hellos.length === 1);
  const before = process.memoryUsage.rss();
  let mostBytes = 0;
  const sampling = setInterval(() => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss() - before)), 20);
  const environment = { STEP_ACTS: JSON.stringify(acts) };
  const assignment = assignmentOf([stepPlan('flood', { environment, timeoutMs: 600_000 })], {
    logLimitBytes: options.logLimitBytes ?? 64 * mib,
  });
  server.send({ type: 'assign', workflowId: 1, attempt: 1, token: 1, assignment });
  await server.until(() => server.released.has(1));
  clearInterval(sampling);
  const state = (await logs.find(100))!;
  return {
    state,
    log: (await logs.read(100, 0, state.sizeBytes))!,
    grownBytes: mostBytes,
    outcome: server.outcomes.get(100)!,
  };
}

describe('a step that floods its log', () => {
  it('of 1 GB without a newline keeps the beginning and a mark, in bounded memory', async () => {
    const { state, log, grownBytes, outcome } = await run([{ do: 'write-bytes', sizeBytes: 1_000_000_000 }], {
      mask: ['correct horse battery staple'],
    });
    expect(outcome.status).toBe('passed');
    expect(state).toMatchObject({ isEnded: true, isCut: true });
    const end = '\n… log cut at 64.0 MiB\n';
    expect(log.subarray(-Buffer.byteLength(end)).toString()).toBe(end);
    expect(log.subarray(0, 64 * mib).equals(Buffer.alloc(64 * mib, 'x'))).toBe(true);
    expect(grownBytes).toBeLessThan(300 * mib);
  });

  it('of a million lines keeps them all, and the end mark counts them', async () => {
    const { state, log } = await run([{ do: 'write-lines', count: 1_000_000 }]);
    expect(state).toMatchObject({ lines: 1_000_000, isEnded: true, isCut: false });
    expect(log.subarray(-13).toString()).toBe('line 1000000\n');
  });

  it.each([
    ['NUL', Buffer.alloc(1_000)],
    ['invalid UTF-8', Buffer.from('fffe80c328a0a1e28228f0288cbc0a', 'hex')],
    [
      'an ANSI storm',
      Buffer.from('\u001b[31m\u001b[2J\u001b]0;title\u0007\u001b]8;;javascript:alert(1)\u0007x\u001b]8;;\u0007\r\n'),
    ],
    ['nothing but newlines', Buffer.from('\n'.repeat(10_000))],
    ['carriage returns', Buffer.from('progress 10%\r'.repeat(1_000))],
  ])('of %s is stored byte for byte', async (_what, bytes) => {
    const { state, log, outcome } = await run([
      { do: 'write-base64', base64: bytes.toString('base64'), times: 500 },
      { do: 'end', outcome: { kind: 'exited', exitCode: 1 } },
    ]);
    expect(state).toMatchObject({ isEnded: true, isCut: false, sizeBytes: bytes.length * 500 });
    expect(log.equals(Buffer.concat(Array.from({ length: 500 }, () => bytes)))).toBe(true);
    expect(outcome.status).toBe('failed');
    expect(outcome.failure?.lines.length ?? 1).toBeLessThanOrEqual(8);
    expect(JSON.stringify(outcome).length).toBeLessThan(20_000);
  });

  it('of secrets, run together, masks every one of them in bounded memory', async () => {
    const secret = 'correct-horse-battery';
    const { log, grownBytes } = await run(
      [{ do: 'write-base64', base64: Buffer.from(secret.repeat(3_000)).toString('base64'), times: 1_000 }],
      { mask: [secret] },
    );
    expect(log.includes('horse')).toBe(false);
    expect(log.length).toBe(6 * 3_000 * 1_000);
    expect(grownBytes).toBeLessThan(300 * mib);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stepPlan } from '../../test/support/plans.ts';
import { assignmentOf, ProtocolServer } from '../../test/support/protocol-server.ts';
import { FilesystemLogs } from '../drivers/logs/filesystem/filesystem-logs.ts';
import { ScriptedRuntime, type ScriptedRuntimeOptions } from '../drivers/runtime/scripted/scripted-runtime.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { type RunnerOptions, startRunner } from './runner.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function world(options: Partial<RunnerOptions> = {}, scripted: Partial<ScriptedRuntimeOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'runner-'));
  const logs = new FilesystemLogs(folder);
  const server = new ProtocolServer(logs);
  const runtime = new ScriptedRuntime({ clock: systemClock, timers: systemTimers, isRecording: true, ...scripted });
  const runner = startRunner({
    connect: server.connect,
    runtime,
    slots: 4,
    runnerId: 'local',
    generation: 'g1',
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    graceMs: 100,
    ...options,
  });
  cleanups.push(async () => {
    await runner.stop();
    await logs.close();
    await rm(folder, { recursive: true, force: true });
  });
  await server.until(() => server.hellos.length === 1);
  const claim = { workflowId: 7, attempt: 1, token: 3 };
  const text = async (stepId: number): Promise<string> => String(await logs.read(stepId, 0, 1e9));
  return { server, runtime, runner, logs, claim, text };
}

const statuses = (server: ProtocolServer): (readonly [number, string])[] =>
  [...server.outcomes.values()].map(({ stepId, status }) => [stepId, status] as const).sort(([a], [b]) => a - b);

describe('startRunner', () => {
  it('runs the steps of a workflow in order, with logs and outcomes, and lets go of it', async () => {
    const { server, runtime, runner, logs, claim, text } = await world();
    const assignment = assignmentOf([
      stepPlan('build', { commands: ['make', "echo 'it works'"] }),
      stepPlan('test', { dependsOn: ['build'], environment: { STEP_OUTPUT: 'ok', STEP_EXIT_CODE: '3' } }),
      stepPlan('after', { dependsOn: ['test'] }),
    ]);
    server.send({ type: 'assign', ...claim, assignment });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'passed'],
      [101, 'failed'],
      [102, 'skipped'],
    ]);
    expect(server.outcomes.get(101)?.outcome).toEqual({ kind: 'exited', exitCode: 3 });
    expect(await text(100)).toBe("+ make\n+ echo 'it works'\n");
    expect(await text(101)).toBe('ok\n');
    expect(await logs.find(100)).toMatchObject({ isEnded: true, isCut: false });
    expect(await logs.find(102)).toBeUndefined();
    expect(runtime.liveJobs()).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runner.claims).toEqual([]);
    expect(server.heard.map(({ type }) => type).filter((type) => type !== 'log' && type !== 'log-end')).toEqual(
      'hello start running outcome start running outcome outcome done'.split(' '),
    );
  });

  it('waits until the ports of a service answer, and ends it when the last step has ended', async () => {
    const exposedPorts = { 'redis:7': [{ port: 6379, protocol: 'tcp' }] } as const;
    const { server, runtime, claim, text } = await world({}, { exposedPorts });
    const assignment = assignmentOf([
      stepPlan('cache', {
        background: 'service',
        hostName: 'cache',
        image: 'redis:7',
        onFailure: 'ignore',
        environment: { STEP_SLEEP: '50ms', STEP_LISTEN: '6379', STEP_HANG: '1' },
      }),
      stepPlan('test', { dependsOn: ['cache'] }),
    ]);
    server.send({ type: 'assign', ...claim, assignment });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'passed'],
      [101, 'passed'],
    ]);
    expect(server.outcomes.get(100)).toMatchObject({
      outcome: { kind: 'cancelled', reason: 'dismissed' },
      reason: { rule: 'step.dismissed' },
    });
    expect(await text(100)).toBe('ready: port 6379 answers\n');
    const order = runtime.calls.flatMap((call) =>
      call.call === 'release' || call.call === 'cancel' ? [`${call.call} ${call.step.slice(-3)}`] : [],
    );
    expect(order).toEqual(['release 100', 'release 101', 'cancel 100']);
    expect(runtime.calls[0]).toMatchObject({ call: 'prepare', job: { hostNames: ['cache'] } });
  });

  it('goes on without a service that stays silent, and tells its last lines', async () => {
    const { server, claim, text } = await world({ serviceReadyLimitMs: 100 });
    const assignment = assignmentOf([
      stepPlan('db', {
        background: 'service',
        hostName: 'db',
        ports: [{ port: 5432, protocol: 'tcp' }],
        onFailure: 'ignore',
        environment: { STEP_OUTPUT: 'FATAL: no disk', STEP_HANG: '1' },
      }),
      stepPlan('test', { dependsOn: ['db'] }),
    ]);
    server.send({ type: 'assign', ...claim, assignment });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'failed'],
      [101, 'passed'],
    ]);
    expect(server.outcomes.get(100)).toMatchObject({
      outcome: { kind: 'timed-out', timeoutMs: 100 },
      reason: { rule: 'service.not-ready', values: { ports: '5432', limitMs: 100 } },
      failure: { lines: expect.arrayContaining([expect.objectContaining({ text: 'FATAL: no disk' })]) as unknown },
    });
    expect(await text(100)).toContain('warning: nothing answered on port 5432');
    expect(server.silences).toEqual([[100, { ports: '5432', limitMs: 100 }]]);
  });

  it('goes on when a service ends before it answers', async () => {
    const { server, claim } = await world();
    const assignment = assignmentOf([
      stepPlan('db', {
        background: 'service',
        hostName: 'db',
        ports: [{ port: 5432, protocol: 'tcp' }],
        onFailure: 'ignore',
        environment: { STEP_EXIT_CODE: '3' },
      }),
      stepPlan('test', { dependsOn: ['db'] }),
    ]);
    server.send({ type: 'assign', ...claim, assignment });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'failed'],
      [101, 'passed'],
    ]);
    expect(server.outcomes.get(100)).toMatchObject({
      outcome: { kind: 'exited', exitCode: 3 },
      reason: { rule: 'service.ended-early' },
    });
  });

  it('opens no gate before the start is recorded, and gives script, environment and secrets only then', async () => {
    const { server, runtime, claim } = await world();
    const starts: (() => void)[] = [];
    const answer = server.answerStart;
    server.answerStart = (start) => {
      starts.push(() => server.send(answer(start)!));
      return undefined;
    };
    server.environment = { DRONE_STAGE_STATUS: 'success', A: 'late' };
    server.secrets = { TOKEN: 'correct horse' };
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('build', { commands: ['make'], environment: { A: 'early', B: 'b' } })]),
    });
    await server.until(() => starts.length === 1);
    expect(runtime.calls.map(({ call }) => call)).toEqual(['prepare', 'stage']);
    expect(JSON.stringify(runtime.calls)).not.toContain('make');
    starts[0]!();
    await server.until(() => server.released.has(7));
    const release = runtime.calls.find((call) => call.call === 'release');
    expect(release).toMatchObject({
      release: {
        environment: { A: 'late', B: 'b', DRONE_STAGE_STATUS: 'success' },
        secrets: { TOKEN: 'correct horse' },
        script: expect.stringContaining('make') as string,
      },
    });
  });

  it('stages at most three steps ahead, and discards what is not needed', async () => {
    const { server, runtime, claim } = await world();
    const names = ['a', 'b', 'c', 'd', 'e'];
    const steps = names.map((name, i) =>
      stepPlan(name, {
        dependsOn: i === 0 ? [] : [names[i - 1]!],
        environment: i === 0 ? { STEP_EXIT_CODE: '1' } : {},
      }),
    );
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(steps) });
    await server.until(() => server.released.has(7));
    const staged = runtime.calls.flatMap((call) => (call.call === 'stage' ? [call.step.name] : []));
    expect(staged.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(staged).not.toContain('e');
    expect(runtime.calls.filter(({ call }) => call === 'release')).toHaveLength(1);
    expect(runtime.calls.filter(({ call }) => call === 'discard').length).toBe(staged.length - 1);
  });

  it('masks secrets in logs, outcomes and excerpts', async () => {
    const { server, claim, text } = await world();
    server.mask = ['correct horse', 'battery'];
    server.secrets = { TOKEN: 'correct horse' };
    const acts = JSON.stringify([
      { do: 'print-variable', name: 'TOKEN' },
      { do: 'write', text: 'Error: bad token correct ' },
      { do: 'sleep', ms: 60 },
      { do: 'write', text: 'horse\n' },
      { do: 'end', outcome: { kind: 'cannot-start', message: 'no program "battery"' } },
    ]);
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('s', { environment: { STEP_ACTS: acts } })]),
    });
    await server.until(() => server.released.has(7));
    expect(await text(100)).toBe('******\nError: bad token ******\n');
    const outcome = server.outcomes.get(100)!;
    expect(outcome.outcome).toEqual({ kind: 'cannot-start', message: 'no program "******"' });
    expect(outcome.failure).toMatchObject({ line: 2 });
    expect(JSON.stringify(server.heard)).not.toMatch(/horse|battery/);
  });

  it('warns in the log of a secret that is too short to be masked', async () => {
    const { server, claim, text } = await world();
    server.secrets = { PIN: '123', NONE: '', TOKEN: 'correct horse' };
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('s', { environment: { STEP_OUTPUT: 'correct horse' } })]),
    });
    await server.until(() => server.released.has(7));
    expect(await text(100)).toBe(
      'warning: the secret in PIN is too short to be masked: it has fewer than 4 bytes\n******\n',
    );
  });

  it('shows why a step could not be staged, in its log and its outcome', async () => {
    const { server, claim, text } = await world({}, { faults: { missingImages: ['nope'] } });
    const steps = [stepPlan('first'), stepPlan('second', { image: 'nope', dependsOn: ['first'] })];
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(steps) });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'passed'],
      [101, 'failed'],
    ]);
    expect(server.outcomes.get(101)?.outcome).toMatchObject({ kind: 'cannot-start' });
    expect(await text(101)).toBe('Cannot provide image nope: there is none of this name\n');
  });

  it('ends a workflow as infrastructure when its surroundings cannot be made', async () => {
    const { server, claim } = await world({}, { faults: { prepareFailsFor: 'w7-a1-t3' } });
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a'), stepPlan('b', { dependsOn: ['a'] })]),
    });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'infrastructure'],
      [101, 'skipped'],
    ]);
  });

  it('ends a step whose surroundings are not ready after an hour, whatever its own time, as infrastructure', async () => {
    const clock = new VirtualClock();
    const { server, claim, runtime } = await world({ timers: clock });
    let giveUp: ((error: Error) => void) | undefined;
    runtime.prepare = () =>
      new Promise((_resolve, reject) => {
        giveUp = reject;
      });
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a', { timeoutMs: 5_000 })]) });
    await eventually(() => expect(giveUp).toBeDefined());
    await clock.advanceBy(3_599_999);
    expect(server.outcomes.has(100)).toBe(false);
    await clock.advanceBy(1);
    await server.until(() => server.outcomes.has(100));
    expect(server.outcomes.get(100)?.outcome).toEqual({
      kind: 'infrastructure',
      message: 'Cannot start step "a": making it ready took longer than 3600 s',
    });
    giveUp?.(new Error('too late'));
    await server.until(() => server.released.has(7));
  });

  it('gives up a step that its runtime never ends', async () => {
    const clock = new VirtualClock();
    const { server, claim } = await world(
      { timers: clock },
      { rules: [{ acts: [{ do: 'hang' }] }], timers: new VirtualClock() },
    );
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a', { timeoutMs: 5_000 })]) });
    await server.until(() => server.heardOf('running').length === 1);
    await clock.advanceBy(5_000 + 100 + 59_000);
    expect(server.outcomes.size).toBe(0);
    await clock.advanceBy(1_000);
    await server.until(() => server.released.has(7));
    expect(server.outcomes.get(100)).toMatchObject({ status: 'infrastructure' });
  });

  it('cancels what runs and what is staged, and starts nothing after', async () => {
    const { server, runtime, claim } = await world();
    const steps = [
      stepPlan('a', { environment: { STEP_HANG: '1', STEP_OUTPUT: 'begun' } }),
      stepPlan('b', { dependsOn: ['a'] }),
    ];
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(steps) });
    await server.until(() => server.heardOf('log').length > 0);
    server.send({ type: 'cancel', ...claim, by: 'Ada' });
    server.send({ type: 'cancel', ...claim, by: 'Ada' });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([
      [100, 'cancelled'],
      [101, 'cancelled'],
    ]);
    expect(server.outcomes.get(100)?.outcome).toEqual({ kind: 'cancelled', reason: 'Ada' });
    expect(runtime.calls.filter(({ call }) => call === 'release')).toHaveLength(1);
  });

  it('takes an answer to a start for nothing once the step was cancelled', async () => {
    const { server, runtime, claim } = await world();
    const answer = server.answerStart;
    server.answerStart = (start) => {
      server.send({ type: 'cancel', ...claim, by: 'Ada' });
      return answer(start);
    };
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a')]) });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([[100, 'cancelled']]);
    expect(runtime.calls.map(({ call }) => call)).not.toContain('release');
  });

  it('starts a step once, however often it is told that it may', async () => {
    const { server, runtime, claim } = await world();
    const answer = server.answerStart;
    server.answerStart = (start) => {
      server.send(answer(start)!);
      server.send({ ...answer(start)!, request: 99 } as never);
      return answer(start);
    };
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a')]) });
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a')]) });
    await server.until(() => server.released.has(7));
    expect(runtime.calls.filter(({ call }) => call === 'release')).toHaveLength(1);
    expect(runtime.calls.filter(({ call }) => call === 'prepare')).toHaveLength(1);
  });

  it.each(['stale', 'welcome'])(
    'destroys a claim that is not its own any more (%s), and says no more of it',
    async (how) => {
      const { server, runtime, runner, claim } = await world();
      server.send({
        type: 'assign',
        ...claim,
        assignment: assignmentOf([stepPlan('a', { environment: { STEP_HANG: '1', STEP_OUTPUT: 'begun' } })]),
      });
      await server.until(() => server.heardOf('log').length > 0);
      if (how === 'stale') server.send({ type: 'stale', ...claim });
      else {
        server.disowned = [claim];
        server.goAway();
        server.comeBack();
        await server.until(() => server.hellos.length === 2);
        expect(server.hellos[1]?.holds).toEqual([claim]);
      }
      await eventually(() => expect(runtime.liveJobs()).toEqual([]));
      await eventually(() => expect(runner.claims).toEqual([]));
      expect(server.outcomes.size).toBe(0);
      expect(server.released.size).toBe(0);
    },
  );

  it('goes on while its server is away, and tells everything once, in order, when it is back', async () => {
    const { server, claim, text } = await world();
    const steps = [
      stepPlan('a', { environment: { STEP_OUTPUT_LINES: '3000', STEP_SLEEP: '100ms' } }),
      stepPlan('b', { dependsOn: ['a'], environment: { STEP_OUTPUT: 'b ran' } }),
    ];
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(steps) });
    await server.until(() => server.heardOf('running').length > 0);
    server.goAway();
    // Step a ends meanwhile; b waits for its start to be recorded.
    await new Promise((resolve) => setTimeout(resolve, 250));
    server.comeBack();
    await server.until(() => server.released.has(7));
    expect(server.hellos.map(({ runnerId, generation }) => [runnerId, generation])).toEqual([
      ['local', 'g1'],
      ['local', 'g1'],
    ]);
    expect(statuses(server)).toEqual([
      [100, 'passed'],
      [101, 'passed'],
    ]);
    expect(await text(100)).toBe(Array.from({ length: 3_000 }, (_, i) => `line ${i + 1}\n`).join(''));
    expect(await text(101)).toBe('b ran\n');
  });

  it('says again what was not answered before the line broke, and the log has no gap and no double', async () => {
    const { server, claim, logs, text } = await world();
    server.isKeepingAcknowledgements = true;
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_OUTPUT_LINES: '50000' } })]),
    });
    await server.until(() => server.outcomes.has(100) && server.heardOf('log-end').length > 0);
    server.isKeepingAcknowledgements = false;
    for (let round = 2; round <= 4; round += 1) {
      server.goAway();
      server.comeBack();
      await server.until(() => server.hellos.length === round);
    }
    await server.until(() => server.released.has(7));
    expect(server.heardOf('log').length).toBeGreaterThan((await logs.find(100))!.sequence);
    expect(await text(100)).toBe(Array.from({ length: 50_000 }, (_, i) => `line ${i + 1}\n`).join(''));
    expect(await logs.find(100)).toMatchObject({ isEnded: true, lines: 50_000 });
  });

  it('keeps a bounded part of a flood while its server is away, and loses nothing of it', async () => {
    const stepBytes = 1_000_000;
    const { server, claim, logs, runner } = await world({ outputLimits: { stepBytes, totalBytes: 1_500_000 } });
    const flood = { STEP_OUTPUT_BYTES: '20000000' };
    const steps = [
      stepPlan('a', { environment: flood }),
      stepPlan('b', { environment: flood }),
      stepPlan('quiet', { environment: { STEP_OUTPUT: 'heard' } }),
    ];
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(steps) });
    await server.until(() => server.heardOf('running').length === 3);
    server.goAway();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(runner.keptBytes).toBeGreaterThanOrEqual(1_500_000);
    expect(runner.keptBytes).toBeLessThanOrEqual(1_500_000 + 2 * 65_536);
    expect(server.outcomes.has(100) && server.outcomes.has(101)).toBe(false);
    server.comeBack();
    await server.until(() => server.released.has(7));
    for (const stepId of [100, 101]) {
      expect(await logs.find(stepId)).toMatchObject({ sizeBytes: 20_000_000, isEnded: true, isCut: false });
      expect((await logs.read(stepId, 0, 20_000_000))!.equals(Buffer.alloc(20_000_000, 'x'))).toBe(true);
    }
  });

  it('times the output of a step from the start of that step', async () => {
    const { server, claim } = await world();
    const acts = (ms: number): string =>
      JSON.stringify([
        { do: 'sleep', ms },
        { do: 'write', text: 'said\n' },
      ]);
    const plans = [
      stepPlan('slow', { environment: { STEP_ACTS: acts(300) } }),
      stepPlan('after', { dependsOn: ['slow'], environment: { STEP_ACTS: acts(1) } }),
    ];
    server.send({ type: 'assign', ...claim, assignment: assignmentOf(plans) });
    await server.until(() => server.released.has(7));
    const [slow, after] = server.heardOf('log');
    expect(slow!.atMs).toBeGreaterThanOrEqual(290);
    expect(after!.atMs).toBeLessThan(slow!.atMs);
  });

  it('cuts a log at its limit with a mark, and the step goes on', async () => {
    const { server, claim, logs, text } = await world();
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_OUTPUT_BYTES: '5000000' } })], {
        logLimitBytes: 2 ** 20,
      }),
    });
    await server.until(() => server.released.has(7));
    expect(statuses(server)).toEqual([[100, 'passed']]);
    expect(await logs.find(100)).toMatchObject({ isEnded: true, isCut: true });
    expect(await text(100)).toBe(`${'x'.repeat(2 ** 20)}\n… log cut at 1.0 MiB\n`);
  });

  it('sends the first line at once, and what gathers meanwhile in few chunks', async () => {
    const { server, claim } = await world();
    const acts = JSON.stringify([
      { do: 'write', text: 'first\n' },
      { do: 'sleep', ms: 30 },
      ...Array.from({ length: 500 }, (_, i) => ({ do: 'write', text: `line ${i}\n` })),
    ]);
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_ACTS: acts } })]),
    });
    await server.until(() => server.released.has(7));
    const chunks = server.heardOf('log');
    expect(chunks[0]!.atMs).toBeLessThan(20);
    expect(chunks.length).toBeLessThan(40);
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, i) => i + 1));
  });

  it('gives back what it is given while it drains, finishes what it has, and leaves', async () => {
    const { server, runner, claim } = await world();
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_SLEEP: '100ms' } })]),
    });
    await server.until(() => server.heardOf('running').length === 1);
    server.send({ type: 'drain' });
    server.send({ type: 'assign', workflowId: 8, attempt: 1, token: 1, assignment: assignmentOf([stepPlan('b')]) });
    await runner.left;
    await server.until(() => server.heardOf('returned').length > 0);
    expect(server.heardOf('returned')).toMatchObject([{ workflowId: 8, token: 1 }]);
    expect(statuses(server)).toEqual([[100, 'passed']]);
    expect(server.released).toEqual(new Set([7]));
  });

  it('leaves when it has nothing to do and its server stays away', async () => {
    const { server, runner } = await world({ leaveAfterMs: 80 });
    server.goAway();
    await runner.left;
  });

  it('removes the surroundings of a workflow even when that fails at first', async () => {
    const { server, runtime, claim } = await world({}, { faults: { destroyFailsOnce: true } });
    server.send({ type: 'assign', ...claim, assignment: assignmentOf([stepPlan('a')]) });
    await server.until(() => server.released.has(7));
    expect(runtime.liveJobs()).toEqual([]);
  });

  it('leaves no job of its own behind when it is stopped', async () => {
    const { server, runner, runtime, claim } = await world();
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_HANG: '1' } })]),
    });
    await server.until(() => server.heardOf('running').length === 1);
    await runner.stop();
    expect(runtime.liveJobs()).toEqual([]);
    expect(server.outcomes.size).toBe(0);
  });
});

async function eventually(check: () => void): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

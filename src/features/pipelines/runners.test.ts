import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { ClaimName } from '../../engine/runner-protocol.ts';
import { armFailpoints } from '../../lib/failpoint.ts';

let world: PipelinesWorld;
afterEach(async () => {
  armFailpoints(undefined);
  await world.close();
});

const hold = { script: () => 'hold' as const };
const chain = droneFile({ build: { a: {}, b: {}, c: {} } });

async function turns(count = 40): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

/** What nobody but a broken line or a confused runner would say. */
const claimOf = (runner: ScriptedRunner): ClaimName => runner.assigned.at(-1)!;

describe('a server that comes back', () => {
  it('re-attaches to steps that went on without it', async () => {
    world = await PipelinesWorld.create(chain);
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    await world.restart();
    runner.print('a', 'meanwhile\n');
    runner.end('a');
    world.connect(runner);
    for (const step of ['b', 'c']) {
      await runner.until(() => runner.running.includes(step));
      runner.end(step);
    }
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.started.map(({ step }) => step)).toEqual(['a', 'b', 'c']);
    expect(await world.log(await world.step(pipeline, 'a'))).toBe('a says hello\nmeanwhile\n');
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('takes the rest of a workflow that ended in the record before its runner let go', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {} } }));
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    // The reply is lost: the server records the end and is gone before it says so.
    armFailpoints('outcome.afterCommit=hang');
    runner.end('a');
    await world.until(pipeline);
    runner.disconnect();
    armFailpoints(undefined);
    world.abandon();
    await world.feature.start();
    world.connect(runner);
    await runner.until(() => runner.holds.length === 0);
    expect(await world.steps(pipeline)).toEqual({ a: 'passed' });
    expect(runner.stale).toEqual([]);
  });

  it('plans events that were stored and not planned', async () => {
    world = await PipelinesWorld.create(chain);
    await world.feature.stop();
    const event = await world.push();
    world.abandon();
    await world.feature.start();
    expect((await world.planned(event)).number).toBe(1);
  });

  it('loses the steps of a runner that never calls again, when its lease has run out', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 10_000 });
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    await world.restart();
    runner.kill();
    await world.clock.advanceBy(9_000);
    expect((await world.store.read.pipelines.find(pipeline.id))?.status).toBe('running');
    await world.clock.advanceBy(6_000);
    expect((await world.until(pipeline)).status).toBe('infrastructure');
    expect(await world.steps(pipeline)).toEqual({ a: 'infrastructure', b: 'skipped', c: 'skipped' });
    expect((await world.step(pipeline, 'c')).reason).toMatchObject({
      rule: 'step.workflow-lost',
      values: { step: 'a' },
    });
  });
});

describe('a runner that is lost', () => {
  it('gives back what had not started, and another one runs it', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 10_000 });
    armFailpoints('start.beforeCommit=hang');
    const first = world.connect(new ScriptedRunner({ id: 'r1' }));
    const pipeline = await world.pushed();
    await first.until(() => first.assigned.length === 1);
    await turns();
    first.kill();
    world.abandon();
    armFailpoints(undefined);
    await world.feature.start();
    const second = world.connect(new ScriptedRunner({ id: 'r2' }));
    for (let beat = 0; beat < 6; beat += 1) {
      await world.clock.advanceBy(3_000);
      world.feature.noteHeartbeat('r2');
    }
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(second.started.map(({ step }) => step)).toEqual(['a', 'b', 'c']);
    const trace = await world.store.read.pipelines.trace(pipeline.id);
    expect(trace.map(({ rule }) => rule)).toEqual(['workflow.claimed', 'workflow.requeued', 'workflow.claimed']);
  });

  it('is found by another process under its name at once', async () => {
    world = await PipelinesWorld.create(chain);
    const first = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await first.until(() => first.running.includes('a'));
    first.kill();
    world.connect(new ScriptedRunner({ generation: 'second' }));
    expect((await world.until(pipeline)).status).toBe('infrastructure');
  });

  it('has its late report refused by the old token, and the refusal is written down', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 10_000 });
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    // Stopped for longer than its lease, its socket open all the while.
    await world.clock.advanceBy(15_000);
    expect((await world.until(pipeline)).status).toBe('infrastructure');
    const claim = claimOf(runner);
    runner.end('a', passed);
    world.connect(runner);
    await turns();
    expect(runner.holds).toEqual([]);
    runner.repeat({ type: 'outcome', ...claim, stepId: 1, status: 'passed', outcome: passed });
    await runner.until(() => runner.stale.length === 1);
    await turns();
    expect(await world.steps(pipeline)).toEqual({ a: 'infrastructure', b: 'skipped', c: 'skipped' });
    const trace = await world.store.read.pipelines.trace(pipeline.id);
    expect(trace.map(({ rule }) => rule)).toContain('workflow.stale-refused');
  });

  it('keeps its lease by heartbeats alone, and while the server itself was asleep', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 10_000, reconcileEveryMs: 1_000_000 });
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    for (let beat = 0; beat < 10; beat += 1) {
      await world.clock.advanceBy(5_000);
      world.feature.noteHeartbeat('r1');
    }
    expect(runner.running).toEqual(['a']);
    // No timer of the server ran for two minutes: what it missed is not held against the runner.
    world.clock.jump(120_000);
    await world.clock.advanceBy(1);
    expect((await world.store.read.pipelines.find(pipeline.id))?.status).toBe('running');
    await world.clock.advanceBy(20_000);
    expect((await world.until(pipeline)).status).toBe('infrastructure');
  });

  it('is given nothing new once it has missed two heartbeats, which is told, and takes part again with the next one', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 45_000, reconcileEveryMs: 1_000_000 });
    const stopped = world.connect(new ScriptedRunner({ id: 'r1', slots: 50, ...hold }));
    const first = await world.pushed();
    await stopped.until(() => stopped.running.includes('a'));
    await world.clock.advanceBy(31_000);
    const second = await world.pushed();
    await turns();
    expect(stopped.assigned).toHaveLength(1);
    const why = async (number: number) => {
      const { explainPipeline } = world.feature.operations!;
      const input = { params: { ...world.path, number }, query: undefined, body: undefined };
      const { items } = (await explainPipeline!(input, world.request())) as { items: readonly { sentence: string }[] };
      return items.map(({ sentence }) => sentence).at(-1);
    };
    const silent = 'waits for the runner r1, which has been silent for 31 s and counts as lost after 45 s.';
    expect(await why(first.number)).toContain(silent);
    expect(await why(second.number)).toContain(silent);

    const other = world.connect(new ScriptedRunner({ id: 'r2', slots: 2 }));
    expect((await world.until(second)).status).toBe('passed');
    expect(other.started).toHaveLength(3);

    other.disconnect();
    await turns();
    await world.pushed();
    await turns();
    expect(stopped.assigned).toHaveLength(1);
    world.feature.noteHeartbeat('r1');
    await stopped.until(() => stopped.assigned.length === 2);
  });

  it('ends what was cancelled as cancelled', async () => {
    world = await PipelinesWorld.create(chain, { leaseMs: 10_000 });
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    runner.kill();
    await turns();
    await world.feature.operations!.cancelPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    await world.clock.advanceBy(20_000);
    expect((await world.until(pipeline)).status).toBe('cancelled');
  });
});

describe('a runner that repeats itself', () => {
  it('changes nothing by an outcome said twice, and hears that it is stored', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {}, b: {} } }));
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    const claim = claimOf(runner);
    const { id } = await world.step(pipeline, 'a');
    runner.end('a');
    await runner.until(() => runner.running.includes('b'));
    runner.repeat({ type: 'outcome', ...claim, stepId: id, status: 'failed', outcome: failed });
    runner.repeat({ type: 'start', ...claim, stepId: id, request: 99 });
    runner.repeat({ type: 'running', ...claim, stepId: id });
    runner.end('b');
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.started.map(({ step }) => step)).toEqual(['a', 'b']);
  });

  it('leaves one log without gap or double when chunks come twice and out of order', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {} } }));
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    const { id: stepId } = await world.step(pipeline, 'a');
    const claim = claimOf(runner);
    const chunk = (sequence: number, text: string) =>
      runner.repeat({ type: 'log', ...claim, stepId, sequence, stream: 'stdout', atMs: 0 }, Buffer.from(text));
    chunk(1, 'a says hello\n');
    chunk(3, 'three\n');
    runner.print('a', 'two\n');
    chunk(2, 'two\n');
    runner.end('a');
    await world.until(pipeline);
    expect(await world.log(await world.step(pipeline, 'a'))).toBe('a says hello\ntwo\n');
  });

  it('gets no secret onto the disk that it does not mask, cut by chunks or not, in logs and in reports', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { a: { environment: { PASSWORD: { from_secret: 'db' } } }, b: {} } }),
    );
    world.secrets.set('db', 'correct-horse').set('other', 'battery-staple');
    const runner = world.connect(new ScriptedRunner(hold));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('a'));
    runner.print('a', 'it is correct-horse, or corr');
    runner.print('a', 'ect-horse\nand battery-staple');
    // A server that comes back knows what to mask before it hears anything.
    await world.restart();
    runner.print('a', '\nstill correct-horse\n');
    world.connect(runner);
    runner.end('a');
    await runner.until(() => runner.running.includes('b'));
    const claim = claimOf(runner);
    const { id: stepId } = await world.step(pipeline, 'b');
    runner.repeat({
      type: 'outcome',
      ...claim,
      stepId,
      status: 'failed',
      outcome: { kind: 'cannot-start', message: 'no image correct-horse' },
      reason: {
        subject: { kind: 'step', workflow: 'build', step: 'b' },
        rule: 'step.after-failure',
        verdict: 'failed',
        values: { step: 'battery-staple' },
      },
      failure: { line: 1, lines: [{ number: 1, text: 'error: correct-horse' }] },
    });
    runner.end('b', failed);
    expect((await world.until(pipeline)).status).toBe('failed');
    const text = await world.log(await world.step(pipeline, 'a'));
    expect(text).toBe('a says hello\nit is ******, or ******\nand ******\nstill ******\n');
    const told = JSON.stringify(await world.step(pipeline, 'b'));
    expect(told).toContain('no image ******');
    expect(told).toContain('error: ******');
    expect(told).not.toMatch(/correct-horse|battery-staple/);
  });

  it('that drains starts the steps of what it has, beside each other, and is given nothing new', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { a: {}, b: { depends_on: ['a'] }, c: { depends_on: ['a'] } } }),
    );
    const old = world.connect(new ScriptedRunner({ id: 'r1', ...hold }));
    const pipeline = await world.pushed();
    await old.until(() => old.running.includes('a'));
    await world.restart();
    old.drain();
    old.end('a');
    world.connect(old);
    await old.until(() => old.running.includes('b') && old.running.includes('c'));
    const next = world.connect(new ScriptedRunner({ id: 'r2' }));
    const second = await world.pushed();
    expect((await world.until(second)).status).toBe('passed');
    expect(next.started).toHaveLength(3);
    for (const step of ['b', 'c']) old.end(step);
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(old.assigned).toHaveLength(1);
  });

  it('gets a draining runner out of the round', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: {} } }));
    const draining = world.connect(new ScriptedRunner({ id: 'r1', isDraining: true }));
    const pipeline = await world.pushed();
    await draining.until(() => draining.assigned.length === 1);
    const other = world.connect(new ScriptedRunner({ id: 'r2' }));
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(draining.assigned).toHaveLength(1);
    expect(other.started).toHaveLength(1);
  });
});

describe('what cannot be recorded', () => {
  it('is not told to anybody, and goes on from the record', async () => {
    world = await PipelinesWorld.create(chain);
    armFailpoints('claim.beforeCommit=throw');
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    await turns();
    if (!runner.isConnected) world.connect(runner);
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.assigned).toHaveLength(1);
  });

  it('leaves a step that was not recorded unstarted', async () => {
    world = await PipelinesWorld.create(chain);
    armFailpoints('start.beforeCommit=throw');
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    await runner.until(() => runner.assigned.length === 1);
    while (runner.isConnected) await nextTurn();
    expect(runner.started).toEqual([]);
    expect(await world.steps(pipeline)).toMatchObject({ a: 'waiting' });
    world.connect(runner);
    expect((await world.until(pipeline)).status).toBe('passed');
  });
});

describe('reconciliation', () => {
  it('finds nothing while pipelines run undisturbed', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { a: {}, b: {} }, deploy: { c: {} } }, { deploy: { depends_on: ['build'] } }),
    );
    const runner = world.connect(new ScriptedRunner({ slots: 3 }));
    const events = await Promise.all(Array.from({ length: 10 }, () => world.push()));
    const findings = [];
    let isOver = false;
    const all = (async () => {
      for (const event of events) await world.until(await world.planned(event));
      isOver = true;
    })();
    while (!isOver) {
      findings.push(...(await world.feature.reconcile()));
      await nextTurn();
    }
    await all;
    expect(findings).toEqual([]);
    expect(runner.started).toHaveLength(30);
  });

  it('plans an event that nobody told of, once it is old enough to be forgotten', async () => {
    world = await PipelinesWorld.create(chain);
    const event = await world.push({ isSilent: true });
    expect(await world.feature.reconcile()).toEqual([]);
    world.clock.jump(6_000);
    expect(await world.feature.reconcile()).toMatchObject([{ kind: 'event-without-plan' }]);
    expect((await world.planned(event)).number).toBe(1);
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('makes a failed pipeline of an event that cannot be planned after three tries', async () => {
    world = await PipelinesWorld.create(chain);
    world.compileFailure = new Error('boom');
    const event = await world.push();
    for (let tries = 0; tries < 2; tries += 1) await world.feature.planNow(event.id).catch(() => 'tried');
    const { pipeline } = await world.feature.planNow(event.id);
    expect(pipeline).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('Cannot plan') } });
  });
});

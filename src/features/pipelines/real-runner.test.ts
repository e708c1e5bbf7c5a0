import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { isFinished, type Pipeline } from '../../core/pipeline.ts';
import { ScriptedRuntime } from '../../drivers/runtime/scripted/scripted-runtime.ts';
import type { ToRunner, ToServer } from '../../engine/runner-protocol.ts';
import { silentLogger } from '../../lib/logger.ts';
import { pairedConnection } from '../../lib/paired-connection.ts';
import { type Runner, type ServerConnection, startRunner } from '../../runner/runner.ts';

let world: PipelinesWorld;
let runner: Runner;
afterEach(async () => {
  await runner.stop();
  await world.close();
});

/** The runner of every installation, its steps played from a script. */
function startRealRunner(): { readonly lines: ServerConnection[] } {
  const lines: ServerConnection[] = [];
  runner = startRunner({
    connect: () => {
      const [server, client] = pairedConnection<ToRunner, ToServer>();
      world.feature.acceptRunner(server);
      lines.push(client);
      return Promise.resolve(client);
    },
    runtime: new ScriptedRuntime({ clock: world.clock, timers: world.clock }),
    slots: 4,
    runnerId: 'real',
    generation: 'g1',
    clock: world.clock,
    timers: world.clock,
    logger: silentLogger,
  });
  return { lines };
}

/** Lets time go by until the pipeline is over: the script of a step may sleep, and output is gathered. */
async function finished(pipeline: Pipeline): Promise<Pipeline> {
  // The clock is held, the disk is not: how long its syncs take is for the machine to say.
  const deadlineMs = performance.now() + 25_000;
  while (performance.now() < deadlineMs) {
    const now = await world.store.read.pipelines.find(pipeline.id);
    if (now && isFinished(now.status)) return now;
    await world.clock.advanceBy(20);
    world.feature.noteHeartbeat('real');
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`Pipeline ${pipeline.id} does not end`);
}

describe('the real runner', () => {
  it('runs a pipeline of several workflows to its end, and lets go of everything', async () => {
    world = await PipelinesWorld.create(
      droneFile(
        {
          build: {
            a: { commands: ['echo one'] },
            b: { commands: ['echo two'] },
            c: { environment: { STEP_EXIT_CODE: '3' } },
          },
          mail: { send: {} },
          deploy: { go: {} },
        },
        { mail: { depends_on: ['build'], trigger: { status: ['failure'] } }, deploy: { depends_on: ['build'] } },
      ),
    );
    startRealRunner();
    const pipeline = await world.pushed();
    expect((await finished(pipeline)).status).toBe('failed');
    expect(await world.steps(pipeline)).toEqual({
      'build/a': 'passed',
      'build/b': 'passed',
      'build/c': 'failed',
      'mail/send': 'passed',
      'deploy/go': 'skipped',
    });
    expect(await world.log(await world.step(pipeline, 'b'))).toContain('echo two');
    for (let turn = 0; turn < 50 && runner.claims.length > 0; turn += 1) await world.clock.advanceBy(20);
    expect(runner.claims).toEqual([]);
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('goes on while the server is restarted, and nothing runs twice', async () => {
    world = await PipelinesWorld.create(
      droneFile({ build: { a: { environment: { STEP_SLEEP: '5s' } }, b: { commands: ['echo after'] } } }),
    );
    const { lines } = startRealRunner();
    const pipeline = await world.pushed();
    while ((await world.step(pipeline, 'a')).status !== 'running') await world.clock.advanceBy(20);
    world.abandon();
    await world.feature.start();
    lines[0]!.close();
    expect((await finished(pipeline)).status).toBe('passed');
    const steps = await world.store.read.pipelines.steps(pipeline.id);
    expect(steps.map(({ name, attempt, status }) => `${name}${attempt} ${status}`)).toEqual(['a1 passed', 'b1 passed']);
    expect(lines).toHaveLength(2);
  });

  it('stops what runs when the pipeline is cancelled', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { a: { environment: { STEP_SLEEP: '1h' } }, b: {} } }));
    startRealRunner();
    const pipeline = await world.pushed();
    while ((await world.step(pipeline, 'a')).status !== 'running') await world.clock.advanceBy(20);
    await world.feature.operations!.cancelPipeline!(
      { params: { ...world.path, number: 1 }, query: undefined, body: undefined },
      world.request(),
    );
    expect((await finished(pipeline)).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({ a: 'cancelled', b: 'cancelled' });
  });
});

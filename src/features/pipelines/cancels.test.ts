import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { Pipeline } from '../../core/pipeline.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const step = (name: string, more: object = {}) => ({ name, image: 'base/busybox', commands: ['true'], ...more });
const afterCancel = { when: { status: ['cancelled'] } };

async function worldWith(...documents: readonly object[]): Promise<PipelinesWorld> {
  const made = await PipelinesWorld.create(undefined);
  const texts = documents.map((document) =>
    JSON.stringify({ kind: 'pipeline', clone: { disable: true }, ...document }),
  );
  made.files.set(made.project.id, { '.gantry.yml': texts.join('\n---\n') });
  return made;
}

const held = (...names: readonly string[]) => ({
  script: (name: string) => (names.includes(name) ? ('hold' as const) : passed),
});

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await world.feature.settled();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}

async function cancel(pipeline: Pipeline): Promise<void> {
  const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
  await world.feature.operations!.cancelPipeline!(input, world.request());
}

async function why(pipeline: Pipeline): Promise<readonly string[]> {
  const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
  const { items } = await world.feature.operations!.explainPipeline!(input, world.request());
  return items.map(({ sentence }) => sentence);
}

const cleaning = {
  steps: [step('build'), step('always', { when: { status: ['success', 'failure'] } }), step('clear', afterCancel)],
};

describe('a step that runs after a cancel', () => {
  it('runs when its workflow was cancelled, knows by whom and why, and nothing else starts', async () => {
    world = await worldWith(cleaning, {
      name: 'later',
      depends_on: ['default'],
      steps: [step('s'), step('tidy', afterCancel)],
    });
    const runner = world.connect(new ScriptedRunner(held('build')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('build'));
    await cancel(pipeline);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({
      'default/build': 'cancelled',
      'default/always': 'cancelled',
      'default/clear': 'passed',
      'later/s': 'cancelled',
      'later/tidy': 'cancelled',
    });
    expect(runner.started.map((started) => started.step)).toEqual(['build', 'clear']);
    expect(runner.started[1]?.environment).toMatchObject({
      GANTRY_CANCELLED_BY: 'mei',
      GANTRY_CANCEL_REASON: 'person',
      GANTRY_WORKFLOW_STATUS: 'cancelled',
      DRONE_BUILD_STATUS: 'killed',
    });
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('is ended by a second cancel', async () => {
    world = await worldWith(cleaning);
    const runner = world.connect(new ScriptedRunner(held('build', 'clear')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('build'));
    await cancel(pipeline);
    await runner.until(() => runner.running.includes('clear'));
    const detail = await world.feature.operations!.getPipeline!(
      { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined },
      world.request(),
    );
    expect(detail).toMatchObject({
      status: 'running',
      workflows: [{ waitsFor: expect.stringContaining('"default" is being cancelled by mei') as unknown }],
    });
    await cancel(pipeline);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({ build: 'cancelled', always: 'cancelled', clear: 'cancelled' });
    expect(await why(pipeline)).toContain(
      'Workflow "default" was ended by mei while the steps that run after a cancel ran.',
    );
  });

  it('runs although the server died between the cancel and its start, and once', async () => {
    world = await worldWith(cleaning);
    const runner = world.connect(new ScriptedRunner(held('build')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('build'));
    runner.disconnect();
    await cancel(pipeline);
    await world.restart();
    world.connect(runner);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(runner.started.map((started) => started.step)).toEqual(['build', 'clear']);
    expect((await world.store.read.pipelines.workflows(pipeline.id))[0]).toMatchObject({
      cancelledBy: 'mei',
      cancelCause: { kind: 'person' },
    });
  });

  it('is cancelled with the others when its runner is lost: nothing is left to clear', async () => {
    world = await worldWith(cleaning);
    const runner = world.connect(new ScriptedRunner(held('build', 'clear')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('build'));
    await cancel(pipeline);
    await runner.until(() => runner.running.includes('clear'));
    runner.kill();
    world.feature.loseRunners(() => true);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect((await world.step(pipeline, 'clear')).status).toBe('cancelled');
  });

  it('runs at the time limit of a pipeline too, and is told of it', async () => {
    world = await worldWith(cleaning);
    const settings = { ...world.project.pipelines, timeoutMs: 60_000 };
    await world.store.write(({ projects }) => projects.update({ ...world.project, pipelines: settings }));
    const runner = world.connect(new ScriptedRunner(held('build')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('build'));
    for (let left = 60; left > 0; left -= 5) {
      world.feature.noteHeartbeat('r1');
      await world.clock.advanceBy(5_000);
      await quiet();
    }
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(runner.started.at(-1)).toMatchObject({
      step: 'clear',
      environment: { GANTRY_CANCEL_REASON: 'timed-out', GANTRY_CANCELLED_BY: 'Gantry' },
    });
  });
});

describe('a failure that cancels', () => {
  it('ends the rest of its workflow and no other, with "failure: fast"', async () => {
    world = await worldWith(
      {
        name: 'a',
        steps: [
          step('long'),
          step('beside', { depends_on: ['long'] }),
          step('clear', { ...afterCancel, depends_on: ['beside'] }),
          step('bad', { failure: 'fast', depends_on: ['long'] }),
        ],
      },
      { name: 'b', steps: [step('other')] },
    );
    const runner = world.connect(
      new ScriptedRunner({ script: (name) => (name === 'beside' || name === 'bad' ? 'hold' : passed) }),
    );
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('beside') && runner.running.includes('bad'));
    runner.end('bad', failed);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({
      'a/long': 'passed',
      'a/beside': 'cancelled',
      'a/clear': 'passed',
      'a/bad': 'failed',
      'b/other': 'passed',
    });
    expect(runner.started.find(({ step: name }) => name === 'clear')?.environment).toMatchObject({
      GANTRY_CANCELLED_BY: 'bad',
      GANTRY_CANCEL_REASON: 'step-failed',
    });
  });

  it('cancels the pipeline in the very commit of the failure, with "failure: cancel" of Woodpecker', async () => {
    world = await PipelinesWorld.create(undefined);
    const file = (steps: readonly object[], more: object = {}) =>
      JSON.stringify({ skip_clone: true, when: { event: 'push' }, steps, ...more });
    world.files.set(world.project.id, {
      '.woodpecker/a.yml': file([step('bad', { failure: 'cancel' }), step('next')]),
      '.woodpecker/b.yml': file([step('long'), step('tidy', { when: { status: ['success', 'failure'] } })]),
      '.woodpecker/c.yml': file([step('mail')], { depends_on: ['a'], runs_on: ['success', 'failure'] }),
    });
    const runner = world.connect(new ScriptedRunner(held('bad', 'long')));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('bad') && runner.running.includes('long'));
    runner.end('bad', failed);
    expect((await world.until(pipeline)).status).toBe('cancelled');
    expect(await world.steps(pipeline)).toEqual({
      'a/bad': 'failed',
      'a/next': 'cancelled',
      'b/long': 'cancelled',
      'b/tidy': 'cancelled',
      'c/mail': 'cancelled',
    });
    expect(await why(pipeline)).toContain(
      'Workflow "b" was cancelled: step "bad" of a failed, and its failure cancels the pipeline.',
    );
  });
});

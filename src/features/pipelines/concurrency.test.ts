import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { OperationInput } from '../../api/operations.ts';
import { isFinished, type Pipeline } from '../../core/pipeline.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const holding = { slots: 20, script: () => 'hold' as const };

const fileOf = (documents: readonly string[]): string =>
  documents
    .map((head) => `kind: pipeline\n${head}\nclone: {disable: true}\nsteps: [{name: s, image: x, commands: [a]}]\n`)
    .join('---\n');

async function withFile(...documents: readonly string[]): Promise<void> {
  world = await PipelinesWorld.create(undefined);
  world.files.set(world.project.id, { '.gantry.yml': fileOf(documents) });
}

/** Everything that is under way has arrived, as far as it can without time going by. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await world.feature.settled();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}

async function pushed(count: number): Promise<readonly Pipeline[]> {
  const pipelines: Pipeline[] = [];
  for (let index = 0; index < count; index += 1) pipelines.push(await world.pushed());
  await quiet();
  return pipelines;
}

/** Comes to these statuses, and stays there. */
async function comesTo(pipelines: readonly Pipeline[], ...wanted: readonly string[]): Promise<void> {
  await expect.poll(() => statuses(pipelines), { timeout: 30_000, interval: 20 }).toEqual(wanted);
  await quiet();
  expect(await statuses(pipelines)).toEqual(wanted);
}

/** The status of each workflow of each pipeline, in words. */
async function statuses(pipelines: readonly Pipeline[]): Promise<readonly string[]> {
  const all = await Promise.all(pipelines.map(({ id }) => world.store.read.pipelines.workflows(id)));
  return all.flat().map(({ status }) => status);
}

async function waits(pipeline: Pipeline): Promise<readonly (string | null)[]> {
  const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
  const detail = await world.feature.operations!.getPipeline!(input as OperationInput<'getPipeline'>, world.request());
  return detail.workflows.map(({ waitsFor }) => waitsFor);
}

const one = 'name: deploy\nconcurrency: {limit: 1, group: production}';

describe('a limit of concurrency', () => {
  it('lets as many run as it says, over all pipelines of the project, the oldest first', async () => {
    await withFile(one);
    const runner = world.connect(new ScriptedRunner(holding));
    const pipelines = await pushed(3);
    await comesTo(pipelines, 'running', 'queued', 'queued');
    expect(await waits(pipelines[2]!)).toEqual([
      'Workflow "deploy" waits: 1 of 1 of the group "production" are running (#1).',
    ]);
    runner.end('s');
    await comesTo(pipelines, 'passed', 'running', 'queued');
    runner.end('s');
    await comesTo(pipelines, 'passed', 'passed', 'running');
  });

  it('holds up nobody who has none, and no other group', async () => {
    await withFile(one, 'name: free', 'name: other\nconcurrency: {limit: 2}');
    world.connect(new ScriptedRunner(holding));
    const pipelines = await pushed(2);
    await comesTo(pipelines, 'running', 'running', 'running', 'queued', 'running', 'running');
  });

  it('counts the sets of a matrix together', async () => {
    await withFile('name: test\nmatrix: {A: [1, 2, 3]}\nconcurrency: {limit: 2}');
    const runner = world.connect(new ScriptedRunner(holding));
    const [pipeline] = await pushed(1);
    await comesTo([pipeline!], 'running', 'running', 'queued');
    runner.end('s');
    await comesTo([pipeline!], 'passed', 'running', 'running');
    runner.end('s');
    runner.end('s');
    expect((await world.until(pipeline!)).status).toBe('passed');
  });

  it('lets one that waits for another of its group have its turn', async () => {
    await withFile(
      'name: a\nconcurrency: {limit: 1, group: g}',
      'name: b\ndepends_on: [a]\nconcurrency: {limit: 1, group: g}',
    );
    const runner = world.connect(new ScriptedRunner(holding));
    const [pipeline] = await pushed(1);
    await comesTo([pipeline!], 'running', 'blocked');
    runner.end('s');
    await comesTo([pipeline!], 'passed', 'running');
  });

  it('gives the place of a cancelled pipeline to the next, and one that is cancelled in the queue loses its own', async () => {
    await withFile(one);
    world.connect(new ScriptedRunner(holding));
    const pipelines = await pushed(3);
    const cancel = (pipeline: Pipeline) =>
      world.feature.operations!.cancelPipeline!(
        {
          params: { ...world.path, number: pipeline.number },
          query: undefined,
          body: undefined,
        } as OperationInput<'cancelPipeline'>,
        world.request(),
      );
    await cancel(pipelines[1]!);
    await cancel(pipelines[0]!);
    await world.until(pipelines[0]!);
    await world.until(pipelines[2]!, ({ status }) => status === 'running');
    await comesTo(pipelines, 'cancelled', 'cancelled', 'running');
  });

  it('is kept through a restart', async () => {
    await withFile(one);
    const runner = world.connect(new ScriptedRunner(holding));
    const pipelines = await pushed(2);
    await world.restart();
    world.connect(runner);
    await quiet();
    await comesTo(pipelines, 'running', 'queued');
    runner.end('s');
    await world.until(pipelines[1]!, ({ status }) => status === 'running');
  });

  it('gives back the place of a workflow whose runner is lost', async () => {
    await withFile(one);
    const lost = world.connect(new ScriptedRunner(holding));
    const pipelines = await pushed(2);
    lost.kill();
    world.connect(new ScriptedRunner(holding));
    world.feature.loseRunners((id) => id === lost.id);
    expect((await world.until(pipelines[0]!)).status).toBe('infrastructure');
    const next = await world.until(pipelines[1]!, ({ status }) => status === 'running' || isFinished(status));
    expect(next.status).toBe('running');
  });
});

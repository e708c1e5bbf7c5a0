import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { OperationInput } from '../../api/operations.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSettings } from '../../core/pipeline-settings.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const linux = { known: { platform: 'linux/amd64' }, own: {} };

async function withFile(documents: readonly string[], settings: Partial<PipelineSettings> = {}): Promise<void> {
  world = await PipelinesWorld.create(undefined, { runnerWaitLimitMs: 30_000 });
  world.installation.runtime = 'auto';
  const text = documents
    .map((head) => `kind: pipeline\n${head}\nclone: {disable: true}\nsteps: [{name: s, image: x, commands: [a]}]\n`)
    .join('---\n');
  world.files.set(world.project.id, { '.gantry.yml': text });
  await world.store.write(async ({ projects }) => {
    const project = (await projects.find(world.project.id))!;
    await projects.update({ ...project, pipelines: { ...project.pipelines, ...settings } });
  });
}

/** Everything that is under way has arrived, as far as it can without time going by. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await world.feature.settled();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
}

/** Comes to these statuses, and stays there. */
async function comesTo(pipeline: Pipeline, ...wanted: readonly string[]): Promise<void> {
  const statuses = async (): Promise<readonly string[]> =>
    (await world.store.read.pipelines.workflows(pipeline.id)).map(({ status }) => status);
  await expect.poll(statuses, { timeout: 30_000, interval: 20 }).toEqual(wanted);
  await quiet();
  expect(await statuses()).toEqual(wanted);
}

async function waits(pipeline: Pipeline): Promise<readonly (string | null)[]> {
  const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
  const detail = await world.feature.operations!.getPipeline!(input as OperationInput<'getPipeline'>, world.request());
  return detail.workflows.map(({ waitsFor }) => waitsFor);
}

/** What the trace says of a workflow under a rule. */
async function told(pipeline: Pipeline, rule: string): Promise<readonly object[]> {
  const trace = await world.store.read.pipelines.trace(pipeline.id);
  return trace.filter((entry) => entry.rule === rule).map(({ values }) => values);
}

describe('the runtime of a workflow', () => {
  it('is the first that it may run on and its runner has; the trace says why', async () => {
    await withFile(['name: a']);
    const runner = world.connect(new ScriptedRunner({ runtimes: ['sandbox', 'docker'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'passed');
    expect(runner.assignments[0]).toMatchObject({ runtime: 'sandbox' });
    expect(await told(pipeline, 'runtime.chosen')).toEqual([{ runtime: 'sandbox', reason: 'trusted' }]);
  });

  it('is a container engine where the runner has no sandbox, and the trace says that', async () => {
    await withFile(['name: a']);
    const runner = world.connect(new ScriptedRunner({ runtimes: ['docker'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'passed');
    expect(runner.assignments[0]).toMatchObject({ runtime: 'docker' });
    expect(await told(pipeline, 'runtime.chosen')).toEqual([{ runtime: 'docker', reason: 'no-sandbox' }]);
  });

  it('is refused before anything starts when only a sandbox is there and it may not be used', async () => {
    await withFile(['name: a', 'name: b\ndepends_on: [a]'], { forbidsSandbox: true });
    const runner = world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'infrastructure', 'skipped');
    expect(runner.assignments).toEqual([]);
    expect(await told(pipeline, 'workflow.no-runtime')).toEqual([
      { runtime: 'docker', reason: 'project', offered: 'sandbox', why: '' },
    ]);
    const [step] = await world.store.read.pipelines.steps(pipeline.id);
    expect(step).toMatchObject({ status: 'infrastructure', reason: { rule: 'workflow.no-runtime' } });
  });

  it('says why the runner does not offer the other one, and is taken once it does', async () => {
    await withFile(['name: a'], { forbidsSandbox: true });
    const withheld = [{ name: 'docker', why: 'There is no container engine at /run/engine.sock' }] as const;
    const before = world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux, withheld }));
    const refused = await world.pushed();
    await comesTo(refused, 'infrastructure');
    expect(await told(refused, 'workflow.no-runtime')).toEqual([
      {
        runtime: 'docker',
        reason: 'project',
        offered: 'sandbox',
        why: 'There is no container engine at /run/engine.sock.',
      },
    ]);
    // The same process, on a new line.
    before.disconnect();
    const now = world.connect(new ScriptedRunner({ runtimes: ['sandbox', 'docker'], labels: linux }));
    await comesTo(await world.pushed(), 'passed');
    expect(now.assignments[0]).toMatchObject({ runtime: 'docker' });
  });

  it('is not judged while no runner is there: one with an engine may be on its way', async () => {
    await withFile(['name: a'], { forbidsSandbox: true });
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'queued');
    const runner = world.connect(new ScriptedRunner({ runtimes: ['sandbox', 'docker'], labels: linux }));
    await comesTo(pipeline, 'passed');
    expect(runner.assignments[0]).toMatchObject({ runtime: 'docker' });
  });
});

describe('the runner of a workflow', () => {
  it('has the labels that it asks for; who has not waits, and says which is missing', async () => {
    await withFile(['name: plain', 'name: gpu\nnode: {gpu: "yes"}', 'name: arm\nplatform: {arch: arm64}']);
    const first = world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'passed', 'queued', 'queued');
    expect(await waits(pipeline)).toEqual([
      null,
      'Workflow "gpu" waits for a runner: no connected one has gpu=yes.',
      'Workflow "arm" waits for a runner: no connected one has platform=linux/arm64.',
    ]);
    const second = world.connect(
      new ScriptedRunner({ id: 'r2', runtimes: ['sandbox'], labels: { ...linux, own: { gpu: 'yes' } } }),
    );
    await comesTo(pipeline, 'passed', 'passed', 'queued');
    expect(first.assignments.map(({ plan }) => plan.name)).toEqual(['plain']);
    expect(second.assignments.map(({ plan }) => plan.name)).toEqual(['gpu']);
    world.connect(
      new ScriptedRunner({ id: 'r3', runtimes: ['sandbox'], labels: { known: { platform: 'linux/arm64' }, own: {} } }),
    );
    await comesTo(pipeline, 'passed', 'passed', 'passed');
  });

  it('is not kept from others by what nobody can take', async () => {
    await withFile(['name: gpu\nnode: {gpu: "yes"}', 'name: plain']);
    world.connect(new ScriptedRunner({ slots: 1, runtimes: ['sandbox'], labels: linux }));
    const pipelines: Pipeline[] = [];
    for (let count = 0; count < 3; count += 1) pipelines.push(await world.pushed());
    for (const pipeline of pipelines) await comesTo(pipeline, 'queued', 'passed');
  });

  it('is waited for as long as the installation says, and then nobody has judged it', async () => {
    await withFile(['name: gpu\nnode: {gpu: "yes"}', 'name: ssh\ntype: ssh', 'name: plain']);
    world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'queued', 'blocked', 'passed');
    await world.clock.advanceBy(25_000);
    await comesTo(pipeline, 'queued', 'blocked', 'passed');
    await world.clock.advanceBy(10_000);
    await comesTo(pipeline, 'infrastructure', 'infrastructure', 'passed');
    expect(await told(pipeline, 'workflow.unavailable')).toMatchObject([
      { wanted: 'gpu=yes' },
      { wanted: 'no runner takes pipelines of the type "ssh"' },
    ]);
  });

  it('is not waited for where the project says so: the workflow is skipped, and the pipeline passes', async () => {
    await withFile(['name: gpu\nnode: {gpu: "yes"}', 'name: ssh\ntype: ssh', 'name: plain'], { unavailable: 'skip' });
    world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'queued', 'blocked', 'passed');
    await world.clock.advanceBy(10_000);
    await comesTo(pipeline, 'skipped', 'skipped', 'passed');
    expect(await world.store.read.pipelines.find(pipeline.id)).toMatchObject({ status: 'passed' });
  });

  it('can be cancelled out of its wait', async () => {
    await withFile(['name: gpu\nnode: {gpu: "yes"}']);
    world.connect(new ScriptedRunner({ runtimes: ['sandbox'], labels: linux }));
    const pipeline = await world.pushed();
    await comesTo(pipeline, 'queued');
    const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
    await world.feature.operations!.cancelPipeline!(input as OperationInput<'cancelPipeline'>, world.request());
    await comesTo(pipeline, 'cancelled');
    world.connect(new ScriptedRunner({ id: 'r2', runtimes: ['sandbox'], labels: { ...linux, own: { gpu: 'yes' } } }));
    await comesTo(pipeline, 'cancelled');
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { PipelineView } from '../../api/pipelines.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { environmentOfStep } from '../../core/plan.ts';
import type { RequestContext } from '../feature.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

type Body = Parameters<NonNullable<(typeof world.feature.operations & object)['rerunPipeline']>>[0]['body'];

async function rerun(number: number, body: Body, request: Partial<RequestContext> = {}): Promise<PipelineView> {
  const input = { params: { ...world.path, number }, query: undefined, body };
  return (await world.feature.operations!.rerunPipeline!(input, world.request(request))) as PipelineView;
}

async function why(number: number): Promise<string[]> {
  const input = { params: { ...world.path, number }, query: undefined, body: undefined };
  const { items } = await world.feature.operations!.explainPipeline!(input, world.request());
  return items.map(({ sentence }) => sentence);
}

async function attempts(pipeline: Pipeline): Promise<Record<string, number>> {
  const workflows = await world.store.read.pipelines.workflows(pipeline.id);
  return Object.fromEntries(workflows.map(({ name, attempt }) => [name, attempt]));
}

/** build ← test ← deploy, and docs apart. */
const chain = droneFile(
  { build: { compile: {} }, test: { unit: {} }, deploy: { go: {} }, docs: { write: {} } },
  { test: { depends_on: ['build'] }, deploy: { depends_on: ['test'] } },
);

describe('a rerun of one workflow', () => {
  it('runs it and what depends on it, over others too, and keeps the rest', async () => {
    world = await PipelinesWorld.create(chain);
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    await world.until(pipeline);
    runner.started.length = 0;
    await rerun(pipeline.number, { workflow: 'test' });
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(runner.started.map(({ step }) => step)).toEqual(['unit', 'go']);
    expect(await attempts(pipeline)).toEqual({ build: 1, test: 2, deploy: 2, docs: 1 });
    expect(await why(pipeline.number)).toContain(
      'Run again by mei: a workflow and what hangs on it (test, deploy). Kept as they were: build, docs.',
    );
  });

  it('is judged by what it depends on now: a dependant waits for its new end', async () => {
    world = await PipelinesWorld.create(chain);
    let isBroken = false;
    const runner = world.connect(
      new ScriptedRunner({ script: (step) => (step === 'compile' && isBroken ? failed : passed) }),
    );
    const pipeline = await world.pushed();
    await world.until(pipeline);
    isBroken = true;
    runner.started.length = 0;
    await rerun(pipeline.number, { workflow: 'build' });
    expect((await world.until(pipeline)).status).toBe('failed');
    expect(runner.started.map(({ step }) => step)).toEqual(['compile']);
    expect(await world.steps(pipeline)).toEqual({
      'build/compile': 'failed',
      'test/unit': 'skipped',
      'deploy/go': 'skipped',
      'docs/write': 'passed',
    });
  });

  it('takes one leg of a matrix by its whole name, and all of them by the name that they share', async () => {
    world = await PipelinesWorld.create(undefined);
    const step = { name: 's', image: 'base/busybox', commands: ['true'] };
    world.files.set(world.project.id, {
      '.woodpecker/lint.yml': JSON.stringify({ skip_clone: true, matrix: { GO: ['1', '2'] }, steps: [step] }),
      '.woodpecker/after.yml': JSON.stringify({ skip_clone: true, depends_on: ['lint'], steps: [step] }),
      '.woodpecker/apart.yml': JSON.stringify({ skip_clone: true, steps: [step] }),
    });
    world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    await world.until(pipeline);
    const names = Object.keys(await attempts(pipeline));
    const [leg] = names.filter((name) => name.startsWith('lint'));
    const attempted = async (attempt: number): Promise<string[]> =>
      Object.entries(await attempts(pipeline)).flatMap(([name, count]) => (count === attempt ? [name] : []));
    await rerun(pipeline.number, { workflow: leg! });
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(await attempted(2)).toEqual(['after', leg]);
    await rerun(pipeline.number, { workflow: 'lint' });
    await world.until(pipeline);
    expect((await attempted(1)).concat(await attempted(3))).toEqual(['apart', 'after', leg]);
  });

  it('is refused for a name that is not there, and while the pipeline runs', async () => {
    world = await PipelinesWorld.create(chain);
    const pipeline = await world.pushed();
    await expect(rerun(pipeline.number, { workflow: 'test' })).rejects.toMatchObject({ code: 'PIPELINE_NOT_FINISHED' });
    world.connect(new ScriptedRunner());
    await world.until(pipeline);
    await expect(rerun(pipeline.number, { workflow: 'tests' })).rejects.toMatchObject({
      code: 'WORKFLOW_NOT_FOUND',
      message: 'Cannot rerun pipeline #1: it has no workflow "tests"',
    });
    expect(await attempts(pipeline)).toEqual({ build: 1, test: 1, deploy: 1, docs: 1 });
  });
});

describe('a rerun of what did not pass', () => {
  it('is told in the trace with what was kept', async () => {
    world = await PipelinesWorld.create(chain);
    let isBroken = true;
    world.connect(new ScriptedRunner({ script: (step) => (step === 'unit' && isBroken ? failed : passed) }));
    const pipeline = await world.pushed();
    await world.until(pipeline);
    isBroken = false;
    await rerun(pipeline.number, { only: 'failed' });
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(await why(pipeline.number)).toContain(
      'Run again by mei: what had not passed (test, deploy). Kept as they were: build, docs.',
    );
    await rerun(pipeline.number, { only: 'all' });
    await world.until(pipeline);
    expect(await why(pipeline.number)).toContain('Run again by mei: the whole pipeline (build, test, deploy, docs).');
  });
});

describe('a rerun with other parameters', () => {
  const file = droneFile({ build: { compile: {}, red: { when: { event: ['custom'] } } } });

  it('is a pipeline of its own, with the event of the first, its parameters, and the given ones over them', async () => {
    world = await PipelinesWorld.create(file);
    world.connect(new ScriptedRunner());
    const started = (await world.feature.operations!.startPipeline!(
      { params: world.path, query: undefined, body: { parameters: { COLOUR: 'red', SIZE: 'xl' } } },
      world.request(),
    )) as PipelineView;
    const first = (await world.store.read.pipelines.findByNumber(world.project.id, started.number))!;
    await world.until(first);
    const again = await rerun(first.number, { parameters: { COLOUR: 'blue' } });
    expect(again).toMatchObject({ number: 2, parent: 1, event: 'manual', commit: first.commit, ref: first.ref });
    const second = (await world.store.read.pipelines.findByNumber(world.project.id, 2))!;
    expect((await world.until(second)).status).toBe('passed');
    expect(second.parameters).toEqual({ COLOUR: 'blue', SIZE: 'xl' });
    const [workflow] = await world.store.read.pipelines.workflows(second.id);
    expect(environmentOfStep(workflow!.plan, workflow!.plan.steps[0]!)).toMatchObject({
      COLOUR: 'blue',
      SIZE: 'xl',
      DRONE_BUILD_PARENT: '1',
      DRONE_BUILD_EVENT: 'custom',
    });
    expect(await attempts(first)).toEqual({ build: 1 });
    expect((await why(2))[0]).toBe(
      'This is pipeline #1 once more, started by mei with other parameters: COLOUR=blue, SIZE=xl.',
    );
  });

  it('keeps the target of a promotion and the name of a cron', async () => {
    world = await PipelinesWorld.create(file);
    world.connect(new ScriptedRunner());
    const first = await world.pushed();
    await world.until(first);
    const promoted = (await world.feature.operations!.promotePipeline!(
      {
        params: { ...world.path, number: 1 },
        query: undefined,
        body: { target: 'production', event: 'promote', parameters: {} },
      },
      world.request(),
    )) as PipelineView;
    await world.until((await world.store.read.pipelines.findByNumber(world.project.id, promoted.number))!);
    expect(await rerun(promoted.number, { parameters: { A: 'b' } })).toMatchObject({
      event: 'promote',
      target: 'production',
      parent: promoted.number,
    });
  });

  it('starts one pipeline for one key, and none while the first still runs', async () => {
    world = await PipelinesWorld.create(file);
    const first = await world.pushed();
    await expect(rerun(1, { parameters: {} })).rejects.toMatchObject({ code: 'PIPELINE_NOT_FINISHED' });
    world.connect(new ScriptedRunner());
    await world.until(first);
    const numbers = await Promise.all(
      ['k', 'k', 'other'].map(async (idempotencyKey) => {
        const { number } = await rerun(1, { parameters: { A: '1' } }, { idempotencyKey });
        return number;
      }),
    );
    expect(numbers[0]).toBe(numbers[1]);
    expect(new Set(numbers)).toEqual(new Set([2, 3]));
  });
});

describe('a rerun of what did not compile', () => {
  const asking = droneFile({ build: { compile: { network_mode: 'host' } } });

  async function trust(): Promise<void> {
    await world.store.write(async ({ projects }) => {
      const project = await projects.find(world.project.id);
      await projects.update({ ...project!, pipelines: { ...project!.pipelines, trusts: ['network'] } });
    });
  }

  it.each(['all', 'failed'] as const)(
    'of %s is a pipeline of its own, for which the file is read anew',
    async (only) => {
      world = await PipelinesWorld.create(asking);
      expect(await world.pushed()).toMatchObject({ status: 'failed' });
      expect(await rerun(1, { only })).toMatchObject({ number: 2, parent: 1, status: 'failed', event: 'push' });
      await trust();
      const again = await rerun(1, { only });
      expect(again).toMatchObject({ number: 3, parent: 1, event: 'push' });
      const third = (await world.store.read.pipelines.findByNumber(world.project.id, 3))!;
      expect(await attempts(third)).toEqual({ build: 1 });
      expect((await why(3))[0]).toBe('This is pipeline #1 once more, started by mei.');
    },
  );

  it('starts one pipeline for one idempotency key', async () => {
    world = await PipelinesWorld.create(asking);
    await world.pushed();
    const keyed = { idempotencyKey: 'twice' };
    expect(await rerun(1, { only: 'all' }, keyed)).toMatchObject({ number: 2 });
    expect(await rerun(1, { only: 'all' }, keyed)).toMatchObject({ number: 2 });
  });

  it('has no workflow that could run by itself', async () => {
    world = await PipelinesWorld.create(asking);
    await world.pushed();
    await expect(rerun(1, { workflow: 'build' })).rejects.toMatchObject({ code: 'NOTHING_TO_RERUN' });
  });
});

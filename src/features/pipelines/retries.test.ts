import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import { isFinished, type Outcome, type Pipeline } from '../../core/pipeline.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const registryDown: Outcome = { kind: 'infrastructure', message: 'the registry is down' };
const step = (name: string, more: object = {}) => ({ name, image: 'base/busybox', commands: ['true'], ...more });

async function worldWith(...documents: readonly object[]): Promise<PipelinesWorld> {
  const made = await PipelinesWorld.create(undefined, { leaseMs: 600_000 });
  const texts = documents.map((document) =>
    JSON.stringify({ kind: 'pipeline', clone: { disable: true }, ...document }),
  );
  made.files.set(made.project.id, { '.gantry.yml': texts.join('\n---\n') });
  return made;
}

async function attempts(pipeline: Pipeline): Promise<Record<string, number>> {
  const workflows = await world.store.read.pipelines.workflows(pipeline.id);
  return Object.fromEntries(workflows.map(({ name, attempt }) => [name, attempt]));
}

async function why(pipeline: Pipeline): Promise<readonly string[]> {
  const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
  const { items } = await world.feature.operations!.explainPipeline!(input, world.request());
  return items.map(({ sentence }) => sentence);
}

/** Loses the step so often, and then lets it pass. */
const losing = (name: string, times: number) => ({
  script: (run: string, _: string, attempt: number) => (run === name && attempt <= times ? registryDown : passed),
});

/** Counts how often a pipeline comes to an end: it does so once for each of its runs. */
async function endsOf(pipeline: Pipeline): Promise<(count: number) => Promise<void>> {
  let ends = 0;
  let heard = (): void => {};
  const look = (): void => heard();
  world.store.happenings.subscribe(({ happening }) => {
    if (happening.type !== 'pipeline-changed' || happening.pipelineId !== pipeline.id) return;
    if (isFinished(happening.status)) ends += 1;
    look();
  });
  const now = await world.store.read.pipelines.find(pipeline.id);
  // Told of before anybody listened.
  if (ends === 0 && now && isFinished(now.status)) ends = 1;
  return (count) =>
    new Promise((resolve) => {
      heard = () => {
        if (ends >= count) resolve();
      };
      heard();
    });
}

async function statusOf({ id }: Pipeline): Promise<string | undefined> {
  return (await world.store.read.pipelines.find(id))?.status;
}

/** Whether any pipeline is to run again by itself, at whatever time. */
async function isAnyDue(): Promise<boolean> {
  return (await world.store.read.pipelines.dueRetries(new Date(8e15))).length > 0;
}

async function retryTime(): Promise<void> {
  await world.clock.advanceBy(6_000);
}

describe('retry: infra', () => {
  it('runs what nobody’s verdict ended once more, with what depends on it, and says why', async () => {
    world = await worldWith(
      { name: 'build', retry: 'infra', steps: [step('compile')] },
      { name: 'deploy', depends_on: ['build'], steps: [step('go')] },
      { name: 'docs', steps: [step('write')] },
    );
    const runner = world.connect(new ScriptedRunner(losing('compile', 1)));
    const pipeline = await world.pushed();
    const ended = await endsOf(pipeline);
    await ended(1);
    expect(await statusOf(pipeline)).toBe('infrastructure');
    await retryTime();
    await ended(2);
    expect(await statusOf(pipeline)).toBe('passed');
    expect(await attempts(pipeline)).toEqual({ build: 2, deploy: 2, docs: 1 });
    expect(runner.started.map((started) => started.step)).toEqual(['compile', 'write', 'compile', 'go']);
    expect(await why(pipeline)).toContain(
      'Run again by itself (build, deploy): "compile" ended for no fault of its own (the registry is down), and "retry" asks for it.',
    );
    expect(await world.feature.reconcile()).toEqual([]);
  });

  it('runs twice at most, or as often as it says', async () => {
    world = await worldWith(
      { name: 'twice', retry: 'infra', steps: [step('a')] },
      { name: 'thrice', retry: { infra: 3 }, steps: [step('b')] },
    );
    world.connect(new ScriptedRunner({ script: () => registryDown }));
    const pipeline = await world.pushed();
    const ended = await endsOf(pipeline);
    for (const run of [1, 2]) {
      await ended(run);
      await retryTime();
    }
    await ended(3);
    expect(await isAnyDue()).toBe(false);
    expect(await statusOf(pipeline)).toBe('infrastructure');
    expect(await attempts(pipeline)).toEqual({ twice: 2, thrice: 3 });
  });

  it('never runs again what failed by itself, was cancelled, or does not ask for it', async () => {
    world = await worldWith(
      { name: 'failing', retry: 'infra', steps: [step('bad')] },
      { name: 'silent', steps: [step('lost')] },
      { name: 'apart', steps: [step('asks', { retry: 'infra' }), step('not')] },
    );
    const outcomes: Record<string, Outcome> = { bad: failed, lost: registryDown, not: registryDown };
    world.connect(new ScriptedRunner({ script: (name) => outcomes[name] ?? passed }));
    const pipeline = await world.pushed();
    await world.until(pipeline);
    expect(await isAnyDue()).toBe(false);

    world.files.set(world.project.id, {
      '.gantry.yml': JSON.stringify({
        kind: 'pipeline',
        clone: { disable: true },
        retry: 'infra',
        steps: [step('a', { depends_on: ['z'] }), step('z')].toReversed(),
      }),
    });
    const holding = new ScriptedRunner({ id: 'r2', script: () => 'hold' });
    world.connect(holding);
    world.feature.loseRunners((id) => id === 'r1');
    const cancelled = await world.pushed();
    await holding.until(() => holding.running.includes('z'));
    const input = { params: { ...world.path, number: cancelled.number }, query: undefined, body: undefined };
    await world.feature.operations!.cancelPipeline!(input, world.request());
    expect((await world.until(cancelled)).status).toBe('cancelled');
    expect(await isAnyDue()).toBe(false);
  });

  it('is picked up after a crash, exactly once', async () => {
    world = await worldWith({ retry: 'infra', steps: [step('compile')] });
    const runner = world.connect(new ScriptedRunner(losing('compile', 1)));
    const pipeline = await world.pushed();
    const ended = await endsOf(pipeline);
    await ended(1);
    world.abandon();
    await world.clock.advanceBy(60_000);
    await world.feature.start();
    world.connect(runner);
    await ended(2);
    expect(await statusOf(pipeline)).toBe('passed');
    expect(await isAnyDue()).toBe(false);
    expect(await world.feature.reconcile()).toEqual([]);
    expect(await attempts(pipeline)).toEqual({ default: 2 });
    expect(runner.started.map((started) => started.step)).toEqual(['compile', 'compile']);
  });

  it('steps back when somebody runs it again first, and begins to count anew', async () => {
    world = await worldWith({ retry: 'infra', steps: [step('compile')] });
    world.connect(new ScriptedRunner({ script: () => registryDown }));
    const pipeline = await world.pushed();
    const ended = await endsOf(pipeline);
    await ended(1);
    const body = { only: 'all' as const };
    const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body };
    await world.feature.operations!.rerunPipeline!(input, world.request());
    await ended(2);
    expect(await attempts(pipeline)).toEqual({ default: 2 });
    await retryTime();
    await ended(3);
    expect(await attempts(pipeline)).toEqual({ default: 3 });
    expect(await isAnyDue()).toBe(false);
  });

  it('counts for a lost runner as well', async () => {
    world = await worldWith({ retry: 'infra', steps: [step('compile')] });
    const runner = world.connect(new ScriptedRunner({ script: () => 'hold' }));
    const pipeline = await world.pushed();
    await runner.until(() => runner.running.includes('compile'));
    runner.kill();
    world.feature.loseRunners(() => true);
    const ended = await endsOf(pipeline);
    await ended(1);
    world.connect(new ScriptedRunner({ id: 'r2' }));
    await retryTime();
    await ended(2);
    expect(await statusOf(pipeline)).toBe('passed');
    expect(await attempts(pipeline)).toEqual({ default: 2 });
  });
});

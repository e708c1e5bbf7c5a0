import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/api/client.ts';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { eventKinds } from '../../src/core/event.ts';
import { isFinished } from '../../src/core/pipeline.ts';
import { whyNoConverter } from './converter.ts';
import {
  type CorpusEntry,
  type CorpusRun,
  corpusFiles,
  corpusOf,
  corpusRules,
  toolEntries,
  toolRules,
} from './corpus.ts';
import type { GantryProcess } from './gantry-process.ts';
import { environmentOf, type VectorRun, vectorRuns, vectorSecret } from './vector-runs.ts';

/** Where the corpus is run. */
export interface CorpusWorld {
  readonly runtime: 'sandbox' | 'docker';
  /** Why it cannot be run here. */
  readonly hindrance: string | undefined;
  /** Why no images are built here; `undefined` where they are. */
  readonly whyNoBuilder: string | undefined;
  /** Of a pipeline. */
  readonly patienceMs: number;
  start(settings: Readonly<Record<string, string>>): Promise<GantryProcess>;
  dispose?(): Promise<void>;
}

/** What is run, and which images the names in it mean. */
interface Corpus {
  readonly title: string;
  readonly rules: string;
  readonly entries: readonly CorpusEntry[];
  readonly vectors?: readonly VectorRun[];
}

/** Runs the files of every system, and the vectors. */
export function describeCorpus(world: CorpusWorld): void {
  describeEntries(world, {
    title: 'files of each system, unmodified',
    rules: corpusRules,
    entries: Object.keys(corpusFiles).flatMap(corpusOf),
    vectors: vectorRuns(),
  });
}

/** Runs the files that need the tools of languages. */
export function describeTools(world: CorpusWorld): void {
  const title = 'programs in four languages, built and tested by files of each system, unmodified';
  describeEntries(world, { title, rules: toolRules, entries: toolEntries() });
}

/**
 * Runs every file of a corpus and compares what became of it. A title begins with the name of the file and ends with
 * that of the runtime: `npm run conformance` counts by both.
 */
function describeEntries(world: CorpusWorld, { title: what, rules, entries, vectors = [] }: Corpus): void {
  const { hindrance, runtime } = world;
  const title = `${what}, on the runtime ${runtime}`;
  describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
    let folder: string;
    let gantry: GantryProcess;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gantry-corpus-'));
      const mirrors = join(folder, 'mirrors.yaml');
      await writeFile(mirrors, rules);
      gantry = await world.start({ GANTRY_MIRRORS: mirrors });
    });
    afterAll(async () => {
      await gantry?.dispose();
      await world.dispose?.();
      await rm(folder, { recursive: true, force: true });
    });

    const missing = { builder: world.whyNoBuilder, converter: whyNoConverter };
    for (const entry of entries) {
      const why = entry.expectation.needs && missing[entry.expectation.needs];
      const name = `${entry.name} on ${runtime}`;
      if (why) it.skip(`${name} (not here: ${why})`);
      else it.concurrent(name, { timeout: world.patienceMs * 4 }, () => runEntry(gantry, entry, world));
    }
    for (const run of vectors) {
      const name = `vectors/${run.name} on ${runtime}`;
      const { axes } = run;
      // An engine takes a minute for so many jobs, and they say nothing but their number.
      if (runtime === 'docker' && typeof axes === 'number' && axes > 10)
        it.skip(`${name} (left to the sandbox: ${axes} workflows)`);
      else it.concurrent(name, { timeout: world.patienceMs * 4 }, () => runVectors(gantry, run, world.patienceMs));
    }
  });
}

/** Pushes (and promotes) a pipeline that carries vectors, and compares what its steps have in their environment. */
async function runVectors(gantry: GantryProcess, run: VectorRun, patienceMs: number): Promise<void> {
  const project = run.name.replaceAll(/\W+/g, '-');
  const params = { owner: 'admin', project };
  await gantry.createProject(project);
  const { name, value } = vectorSecret;
  await gantry.client('setSecret', { params: { ...params, name }, body: { value, events: [...eventKinds] } });
  await gantry.push(project, run.files, run.branch);
  let pipeline = await gantry.finished(project, 1, patienceMs);
  if (run.parameters) {
    const body = { target: 'vectors', parameters: run.parameters };
    const { number } = await gantry.client('promotePipeline', { params: { ...params, number: 1 }, body });
    pipeline = await gantry.finished(project, number, patienceMs);
  }
  const { number, steps, workflows } = pipeline;
  expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
  const says = steps.filter((step) => step.name === 'say');
  if (typeof run.axes === 'number') {
    expect(workflows).toHaveLength(run.axes);
    return;
  }
  const environments = await Promise.all(
    says.map(async ({ id }) => environmentOf(await gantry.log(project, number, id))),
  );
  if (run.axes) {
    const names = [...new Set(run.axes.flatMap((axes) => Object.keys(axes)))];
    const found = environments.map((environment) =>
      Object.fromEntries(names.flatMap((axis) => (environment.has(axis) ? [[axis, environment.get(axis)]] : []))),
    );
    expect(found).toHaveLength(run.axes.length);
    expect(found).toEqual(expect.arrayContaining([...run.axes]));
    return;
  }
  const differing = run.wanted
    .map(({ row, variable, value: wanted }) => ({ row, wanted, found: environments[0]?.get(variable) }))
    .filter(({ wanted, found }) => wanted !== found);
  expect(differing).toEqual([]);
  expect(environments).toHaveLength(1);
}

async function runEntry(gantry: GantryProcess, entry: CorpusEntry, world: CorpusWorld): Promise<void> {
  const project = entry.name.replaceAll(/\W+/g, '-');
  await gantry.createProject(project);
  await gantry.client('setSecret', {
    params: { owner: 'admin', project, name: 'npm_token' },
    body: { value: 't0p-s3cr3t' },
  });
  for (const [name, { files, tag }] of Object.entries(entry.expectation.projects ?? {})) {
    await gantry.client('createProject', { body: { owner: 'admin', name, visibility: 'internal' } });
    await gantry.push(name, files);
    await gantry.push(name, {}, `refs/tags/${tag}`);
  }
  let last = 0;
  for (const run of entry.expectation.runs) {
    const about = `${entry.name}, run ${last + 1}`;
    const started = startRun(gantry, project, entry, run, last);
    if (run.refused !== undefined) {
      const refusal = await started.catch((error: unknown) => error);
      expect(refusal, about).toBeInstanceOf(ApiError);
      expect((refusal as ApiError).problem.code, about).toBe(run.refused);
      continue;
    }
    last = await started;
    await cancelWhenDue(gantry, project, last, run, world);
    // What runs again by itself has ended in between.
    const isOver = ({ status, workflows }: PipelineDetail): boolean =>
      isFinished(status) && workflows.every(({ name, attempt }) => attempt >= (run.attempts?.[name] ?? 1));
    const pipeline = await gantry.until(project, last, isOver, world.patienceMs);
    await compare(gantry, project, pipeline, run, { about, world });
  }
}

/** Starts what a run says; answers the number of its pipeline. */
async function startRun(
  gantry: GantryProcess,
  project: string,
  { files }: CorpusEntry,
  { start }: CorpusRun,
  last: number,
): Promise<number> {
  const params = { owner: 'admin', project };
  if (start === undefined || 'push' in start) {
    await gantry.push(project, start?.push ?? files);
    return last + 1;
  }
  if ('tag' in start) {
    await gantry.push(project, {}, `refs/tags/${start.tag}`);
    return last + 1;
  }
  if ('manual' in start)
    return (await gantry.client('startPipeline', { params, body: { parameters: start.manual } })).number;
  if ('cron' in start) {
    // On New Year's night: it does not come by itself while this runs.
    const body = { name: start.cron, expression: '0 0 1 1 *' };
    await gantry.client('createCron', { params, body });
    return (await gantry.client('runCron', { params: { ...params, name: start.cron } })).number;
  }
  const body = { target: start.promote, parameters: start.parameters ?? {} };
  return (await gantry.client('promotePipeline', { params: { ...params, number: 1 }, body })).number;
}

async function cancelWhenDue(
  gantry: GantryProcess,
  project: string,
  number: number,
  { cancelOnce }: CorpusRun,
  { patienceMs }: CorpusWorld,
): Promise<void> {
  if (!cancelOnce) return;
  const isDue = ({ steps, workflows }: PipelineDetail): boolean => {
    if ('runs' in cancelOnce)
      return steps.some(
        ({ workflow, name, status }) => `${workflow}/${name}` === cancelOnce.runs && status === 'running',
      );
    const find = (wanted: string) => workflows.find(({ name }) => name === wanted);
    const ended = find(cancelOnce.ended);
    const waiting = find(cancelOnce.workflow)?.waitsFor ?? '';
    return ended !== undefined && isFinished(ended.status) && waiting.includes(cancelOnce.waitsFor);
  };
  await gantry.until(project, number, isDue, patienceMs);
  await gantry.client('cancelPipeline', { params: { owner: 'admin', project, number } });
}

async function compare(
  gantry: GantryProcess,
  project: string,
  pipeline: PipelineDetail,
  expected: CorpusRun,
  { about, world }: { readonly about: string; readonly world: CorpusWorld },
): Promise<void> {
  const { number, steps } = pipeline;
  const logs = new Map<string, string>();
  for (const step of steps)
    if (step.startedAt) logs.set(`${step.workflow}/${step.name}`, await gantry.log(project, number, step.id));
  const reasons = steps.map(({ name, reason }) => `${name}: ${reason}`);
  const told = `${about}: ${JSON.stringify([pipeline.error, reasons, ...logs], undefined, 1)}`;

  const found = steps.map((step) => `${step.workflow}/${step.name} ${step.reusedFrom ? 'reused' : step.status}`);
  const keepsNothing = world.runtime === 'docker' && steps.every(({ reusedFrom }) => !reusedFrom);
  const wanted = (keepsNothing ? expected.stepsWithoutReuse : undefined) ?? expected.steps ?? [];
  const sorted = (list: readonly string[]): readonly string[] => (expected.anyOrder ? list.toSorted() : list);
  expect(sorted(found), told).toEqual(sorted(wanted));
  expect(pipeline.status, told).toBe(expected.status);
  expect(pipeline.error, told).toEqual(expected.error ? expect.objectContaining({ line: expected.error.line }) : null);
  if (expected.error) expect(pipeline.error?.message, told).toContain(expected.error.message);

  const parts = { ...expected.log, ...(world.runtime === 'sandbox' ? expected.logInSandbox : {}) };
  for (const [step, part] of Object.entries(parts)) expect(logs.get(step), told).toContain(part);
  for (const [path, names] of Object.entries(expected.dependsOn ?? {})) {
    const step = steps.find((one) => `${one.workflow}/${one.name}` === path);
    expect(step?.dependsOn.toSorted(), told).toEqual(names.toSorted());
  }
  const attempts = Object.fromEntries(pipeline.workflows.map(({ name, attempt }) => [name, attempt]));
  expect(attempts, told).toMatchObject(expected.attempts ?? {});
  if (expected.artifacts) {
    const { items } = await gantry.client('listArtifacts', { params: { owner: 'admin', project, number } });
    expect(items.map(({ name }) => name).toSorted(), told).toEqual(expected.artifacts.toSorted());
  }
}

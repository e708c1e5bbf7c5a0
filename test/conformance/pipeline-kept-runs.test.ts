import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail, StepView } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

/**
 * What is kept for later pipelines must change nothing but time: each scenario is played by a whole Gantry in real
 * sandboxes with caches and reuse, without reuse, and without caches (which leaves out reuse too), and has to come to the same end on every way.
 * Names are `workflow/step`.
 */
interface KeptScenario {
  readonly note: string;
  /** Of the first push, by path: their lines. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** Branch of the first push; absent = main. */
  readonly ref?: string;
  /** What happens when the pipeline before has ended. */
  readonly acts: readonly Act[];
  /** By number of the pipeline, as it is in the end. */
  readonly expect: Readonly<Record<string, KeptExpectation>>;
  /** What must have been restored and reused where it may be: a way that keeps nothing would prove nothing. */
  readonly kept: Readonly<Record<string, Kept>>;
}

interface Kept {
  readonly restored?: readonly string[];
  readonly reused?: readonly string[];
}

type Act =
  | { readonly push: Readonly<Record<string, readonly string[]>>; readonly ref?: string }
  | { readonly rerun: number };

interface KeptExpectation {
  readonly verdict: string;
  /** Every step, with its status. */
  readonly steps?: Readonly<Record<string, string>>;
  /** Every start, in its order. */
  readonly order?: readonly string[];
  readonly reasons?: Readonly<Record<string, string>>;
  /** What a step prints. */
  readonly output?: Readonly<Record<string, readonly string[]>>;
}

interface Way {
  readonly name: string;
  readonly reuses: boolean;
  readonly caches: boolean;
}

/** The ways that make a difference to a scenario; the last one is the plainest. */
function waysOf({ files }: KeptScenario): readonly Way[] {
  const has = (key: string): boolean => Object.values(files).some((lines) => lines.some((line) => line.includes(key)));
  return [
    { name: 'with caches and reuse', reuses: true, caches: true },
    ...(has('reuse: {') ? [{ name: 'without reuse', reuses: false, caches: true }] : []),
    ...(has('cache: {') ? [{ name: 'without caches and reuse', reuses: false, caches: false }] : []),
  ];
}

/** What a pipeline came to, as somebody sees who does not look at caches. */
interface Seen {
  readonly verdict: string;
  readonly workflows: Readonly<Record<string, string>>;
  readonly steps: Readonly<Record<string, string>>;
  readonly order: readonly string[];
  readonly output: Readonly<Record<string, readonly string[]>>;
  readonly decisions: readonly Decision[];
}

interface Decision {
  /** `workflow/step`, or what else it is about. */
  readonly about: string;
  readonly rule: string;
  readonly sentence: string;
}

interface Played {
  readonly seen: Seen;
  readonly restored: readonly string[];
  readonly reused: readonly string[];
}

const folder = new URL('./pipelines/kept/', import.meta.url);
const hindrance = findSandboxHindrance('bubblewrap');

describe.skipIf(hindrance)('pipeline scenarios with caches and reuse switched on and off', () => {
  const scenarios = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const scenario = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as KeptScenario;
      return [`${name.replace(/\.json$/, '')}: ${scenario.note}`, scenario] as const;
    });

  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry?.dispose());

  it.each(scenarios)('%s', { timeout: 180_000 }, async (title, scenario) => {
    const key = title.slice(0, title.indexOf('-')).toLowerCase();
    const ways = waysOf(scenario);
    expect(ways.length).toBeGreaterThan(1);
    const played = await Promise.all(ways.map((way, at) => play(`${key}-${at}`, scenario, way)));
    for (const [at, way] of ways.entries())
      for (const [number, wanted] of Object.entries(scenario.expect)) {
        const one = played[at]!.get(Number(number));
        if (!one) throw new Error(`${way.name}: there is no pipeline #${number}`);
        checkSeen(one, wanted, `#${number} ${way.name}`);
        checkKept(one, scenario.kept[number], way, `#${number} ${way.name}`);
        expect(sameFor(one.seen), `#${number} ${way.name}`).toEqual(sameFor(played.at(-1)!.get(Number(number))!.seen));
      }
  });

  async function play(project: string, scenario: KeptScenario, way: Way): Promise<ReadonlyMap<number, Played>> {
    await gantry.createProject(project);
    const params = { owner: 'admin', project };
    if (!way.caches) await gantry.client('updatePipelineSettings', { params, body: { ignoresCaches: true } });
    const options = way.caches && !way.reuses ? ['gantry.no-reuse'] : [];
    let count = 0;
    const push = async (files: KeptScenario['files'], ref = 'main'): Promise<void> => {
      const texts = Object.entries(files).map(([path, lines]) => [path, `${lines.join('\n')}\n`] as const);
      await gantry.push(project, Object.fromEntries(texts), ref, options);
      count += 1;
      await finished(project, count);
    };
    await push(scenario.files, scenario.ref);
    for (const act of scenario.acts) {
      if ('push' in act) await push(act.push, act.ref);
      else await gantry.client('rerunPipeline', { params: { ...params, number: act.rerun }, body: { only: 'all' } });
      if ('rerun' in act) await finished(project, act.rerun);
    }
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    return new Map(await Promise.all(numbers.map(async (number) => [number, await look(project, number)] as const)));
  }

  const finished = (project: string, number: number): Promise<PipelineDetail> =>
    gantry.finished(project, number, 120_000);

  async function look(project: string, number: number): Promise<Played> {
    const { status, workflows, steps } = await finished(project, number);
    const { items } = await gantry.client('explainPipeline', { params: { owner: 'admin', project, number } });
    const nameOf = ({ workflow, name }: StepView): string => `${workflow}/${name}`;
    const printed = steps
      .filter(({ startedAt, reusedFrom }) => startedAt !== null || reusedFrom)
      .map(async (step) => [nameOf(step), await outputOf(project, number, step)] as const);
    const decisions = items.map(({ subject, rule, sentence }): Decision => {
      const { kind, workflow, step } = subject;
      return {
        about: workflow === undefined ? kind : step === undefined ? workflow : `${workflow}/${step}`,
        rule,
        sentence,
      };
    });
    return {
      seen: {
        verdict: status,
        workflows: Object.fromEntries(workflows.map((workflow) => [workflow.name, workflow.status])),
        steps: Object.fromEntries(steps.map((step) => [nameOf(step), step.status])),
        order: steps
          // What is put back takes its turn, and runs nothing.
          .filter(({ startedAt, reusedFrom }) => startedAt !== null && !reusedFrom)
          .sort((one, other) => Date.parse(one.startedAt!) - Date.parse(other.startedAt!))
          .map(nameOf),
        output: Object.fromEntries(await Promise.all(printed)),
        decisions,
      },
      restored: decisions.filter(({ rule }) => rule === 'cache.restored').map(({ about }) => about),
      reused: steps.filter(({ reusedFrom }) => reusedFrom).map(nameOf),
    };
  }

  /** What a step that was reused printed is read where it was run. */
  async function outputOf(project: string, number: number, step: StepView): Promise<readonly string[]> {
    const { reusedFrom } = step;
    if (!reusedFrom) return linesOf(await gantry.log(project, number, step.id));
    const { steps } = await finished(project, reusedFrom.number);
    const origin = steps.find(({ workflow, name }) => workflow === reusedFrom.workflow && name === reusedFrom.step);
    if (!origin) throw new Error(`#${number} names a step that #${reusedFrom.number} does not have`);
    return linesOf(await gantry.log(project, reusedFrom.number, origin.id));
  }
});

function checkSeen({ seen, reused }: Played, wanted: KeptExpectation, which: string): void {
  const { verdict, steps, order, reasons, output } = wanted;
  expect(seen.verdict, `${which} ${JSON.stringify(seen)}`).toBe(verdict);
  if (steps) expect(seen.steps, which).toMatchObject(withoutClones(steps));
  const isWhole = (name: string): boolean => seen.steps[name] === 'skipped' && name.endsWith('/clone');
  if (order) expect(seen.order, which).toEqual(order.filter((name) => !reused.includes(name) && !isWhole(name)));
  for (const [name, rule] of Object.entries(reasons ?? {}))
    expect(
      seen.decisions.filter(({ about }) => about === name).map((one) => one.rule),
      `${which} ${name}`,
    ).toContain(rule);
  for (const [name, lines] of Object.entries(output ?? {}))
    expect(seen.output[name], `${which} ${name}`).toEqual(lines);
}

function checkKept({ restored, reused }: Played, kept: Kept | undefined, { caches, reuses }: Way, which: string): void {
  if (kept?.restored) expect(restored, `${which} restored`).toEqual(caches ? kept.restored : []);
  if (kept?.reused) expect(reused, `${which} reused`).toEqual(reuses ? kept.reused : []);
}

/** What has to be the same on every way: all but what tells of caches, and checkouts that nothing needs. */
function sameFor({ verdict, workflows, steps, output, decisions }: Seen): unknown {
  const told = decisions.filter(({ rule }) => !/^(?:cache|reuse)\./.test(rule));
  return {
    verdict,
    workflows,
    steps: withoutClones(steps),
    output: withoutClones(output),
    // Each way is a project of its own, with commits of its own.
    decisions: told.map(
      ({ about, rule, sentence }) => `${about}: ${rule}: ${sentence.replace(/\b[0-9a-f]{8}\b/, 'commit')}`,
    ),
  };
}

function withoutClones<T>(byStep: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(byStep).filter(([name]) => !name.endsWith('/clone')));
}

/** What a step printed, without what its runner says about caches. */
function linesOf(log: string): readonly string[] {
  return log
    .trimEnd()
    .split('\n')
    .filter((line) => !/^(?:\S+ )?(?:cache \S+|reuse): /.test(line));
}

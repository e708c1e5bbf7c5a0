import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Dialect, environmentOfStep, type StepPlan, type WorkflowPlan } from '../../src/core/plan.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileInput, CompileResult, CompileRules, EventFacts } from '../../src/engine/compile-input.ts';
import { executionEnvironment } from '../../src/engine/execution-environment.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';

/**
 * Scenarios of pipelines.md 16, one JSON file each: what a pipeline file asks for at an event. `files` gives texts as
 * lists of lines, so that they can be read; what `expect` does not name is not looked at.
 */
interface Scenario {
  readonly note: string;
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** What `include` finds: a file of this repository by its path, of another one as `owner/name@ref:path`. */
  readonly includes?: Readonly<Record<string, readonly string[]>>;
  readonly event?: Partial<EventFacts>;
  readonly settings?: {
    readonly secrets?: readonly string[];
    readonly stepTimeoutMs?: number;
    readonly rules?: CompileRules;
  };
  readonly expect: {
    readonly verdict: CompileResult['kind'];
    readonly dialect?: Dialect;
    /** The error's place and part of its text. */
    readonly error?: { readonly line?: number; readonly column?: number; readonly message?: string };
    /** Entries that must be there, in this order among themselves. */
    readonly trace?: readonly Readonly<Record<string, unknown>>[];
    /** Rules that must not be there. */
    readonly noTrace?: readonly string[];
    /** All findings of lint for the first file, as `code:line`. */
    readonly lint?: readonly string[];
    /** Names of all workflows that are planned, in their order. */
    readonly planned?: readonly string[];
    /** `workflow` → the steps whose conditions match, without the checkout. */
    readonly runs?: Readonly<Record<string, readonly string[]>>;
    /** `workflow` or `workflow/step` → what its plan must contain. */
    readonly workflows?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly steps?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    /** `workflow` → every step with what it waits for, in the order of the plan. */
    readonly order?: Readonly<Record<string, readonly (readonly [string, ...string[]])[]>>;
    /** `workflow/step` → values of its environment; `null` = not set. */
    readonly env?: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
    /** `workflow/step` → the names of all variables of its environment but Gantry's own, those of its start included. */
    readonly variables?: Readonly<Record<string, readonly string[]>>;
  };
}

const folder = new URL('./pipelines/', import.meta.url);

function inputOf(scenario: Scenario): CompileInput {
  return {
    files: Object.entries(scenario.files).map(([path, lines]) => ({
      path,
      text: lines.join('\n'),
      ...(scenario.includes
        ? { includes: Object.entries(scenario.includes).map(([name, text]) => ({ name, text: text.join('\n') })) }
        : {}),
    })),
    event: {
      kind: 'push',
      ref: 'refs/heads/main',
      branch: 'main',
      before: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
      commit: '123456789abcdef0123456789abcdef012345678',
      message: 'Mend the crane',
      authorName: 'Mei Lin',
      authorEmail: 'mei@example.com',
      personName: 'mei',
      parameters: {},
      ...scenario.event,
    },
    project: {
      owner: 'shop',
      name: 'storefront',
      visibility: 'private',
      defaultBranch: 'main',
      link: 'https://gantry.example.com/shop/storefront',
      cloneUrl: 'https://gantry.example.com/shop/storefront.git',
    },
    pipeline: {
      number: 42,
      createdAt: new Date('2026-11-25T08:00:00Z'),
      link: 'https://gantry.example.com/shop/storefront/pipelines/42',
    },
    instanceUrl: 'https://gantry.example.com',
    secretNames: scenario.settings?.secrets ?? [],
    stepTimeoutMs: scenario.settings?.stepTimeoutMs ?? 3_600_000,
    rules: scenario.settings?.rules,
  };
}

function workflowNamed(result: CompileResult, name: string): WorkflowPlan {
  const workflows = result.kind === 'planned' ? result.plan.workflows : [];
  const workflow = workflows.find((candidate) => candidate.name === name);
  if (!workflow) throw new Error(`There is no workflow "${name}" among ${workflows.map((one) => one.name).join(', ')}`);
  return workflow;
}

function stepNamed(result: CompileResult, path: string): StepPlan {
  const [workflow = '', name = ''] = path.split('/');
  const step = workflowNamed(result, workflow).steps.find((candidate) => candidate.name === name);
  if (!step) throw new Error(`There is no step "${path}"`);
  return step;
}

function environmentAt(result: CompileResult, path: string): Readonly<Record<string, string>> {
  return environmentOfStep(workflowNamed(result, path.split('/')[0]!), stepNamed(result, path));
}

function check(scenario: Scenario): void {
  const wanted = scenario.expect;
  const result = compilePipeline(inputOf(scenario));
  const explanation = result.kind === 'failed' ? result.error.message : JSON.stringify(result.trace);
  expect(result.kind, explanation).toBe(wanted.verdict);
  if (wanted.dialect) expect(result).toMatchObject({ plan: { dialect: wanted.dialect } });
  if (wanted.error) {
    const { message, ...place } = wanted.error;
    const error = result.kind === 'failed' ? result.error : undefined;
    expect(error).toMatchObject(place);
    if (message !== undefined) expect(error?.message).toContain(message);
  }
  let from = 0;
  for (const entry of wanted.trace ?? []) {
    const at = result.trace.findIndex((one, index) => index >= from && matches(one, entry));
    expect(
      at,
      `${JSON.stringify(entry)} is not in ${JSON.stringify(result.trace, undefined, 1)}`,
    ).toBeGreaterThanOrEqual(0);
    from = at + 1;
  }
  for (const rule of wanted.noTrace ?? []) expect(result.trace.map((entry) => entry.rule)).not.toContain(rule);
  if (wanted.lint) {
    const [path = '', lines = []] = Object.entries(scenario.files)[0] ?? [];
    const { findings } = lintPipelineFile(path, lines.join('\n'));
    expect(findings.map((finding) => `${finding.code}:${finding.line}`)).toEqual(wanted.lint);
  }
  if (wanted.planned) {
    const workflows = result.kind === 'planned' ? result.plan.workflows : [];
    expect(workflows.map(({ name }) => name)).toEqual(wanted.planned);
  }
  for (const [name, steps] of Object.entries(wanted.runs ?? {})) {
    const running = workflowNamed(result, name).steps.filter((step) => step.kind !== 'clone' && !step.skipped);
    expect(running.map((step) => step.name)).toEqual(steps);
  }
  for (const [name, workflow] of Object.entries(wanted.workflows ?? {})) {
    expect(workflowNamed(result, name)).toMatchObject(workflow);
  }
  for (const [path, step] of Object.entries(wanted.steps ?? {})) expect(stepNamed(result, path)).toMatchObject(step);
  for (const [name, order] of Object.entries(wanted.order ?? {})) {
    expect(workflowNamed(result, name).steps.map((step) => [step.name, ...step.dependsOn])).toEqual(order);
  }
  for (const [path, values] of Object.entries(wanted.env ?? {})) {
    const environment = environmentAt(result, path);
    for (const [variable, value] of Object.entries(values)) {
      expect(Object.hasOwn(environment, variable) ? environment[variable] : null, `${path} ${variable}`).toBe(value);
    }
  }
  for (const [path, names] of Object.entries(wanted.variables ?? {})) {
    const planned = Object.keys(environmentAt(result, path)).filter((name) => !/^GANTRY(_|$)/.test(name));
    expect([...planned, ...addedAtStart.filter((name) => names.includes(name))].toSorted()).toEqual(names);
  }
}

/** What the server adds to every environment when a step starts; a list of variables names those of its dialect. */
const addedAtStart = Object.keys(
  executionEnvironment({
    pipeline: { startedAt: new Date(0), failedWorkflows: [] },
    workflow: { startedAt: new Date(0), failedSteps: [] },
    step: { startedAt: new Date(0) },
    runnerName: 'one',
  }),
);

function matches(actual: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return actual === wanted;
  return (
    typeof actual === 'object' &&
    actual !== null &&
    Object.entries(wanted).every(([key, value]) => matches(Reflect.get(actual, key), value))
  );
}

describe('pipeline file scenarios', () => {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort();
  const scenarios = names.map((name) => {
    const scenario = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Scenario;
    return [`${name.replace(/\.json$/, '')}: ${scenario.note}`, scenario] as const;
  });

  // How many there are by letter, for whoever reads the run: `E 30 L 12 O 40 …`.
  afterAll(() => {
    const byLetter = Map.groupBy(names, (name) => name.charAt(0));
    const counts = [...byLetter].map(([letter, files]) => `${letter} ${files.length}`);
    process.stdout.write(`${names.length} scenarios of pipeline files: ${counts.join(' ')}\n`);
  });

  it('are of every letter that a compiler answers for', () => {
    expect(new Set(names.map((name) => name.charAt(0)))).toEqual(new Set('AEKLOPRTW'));
  });

  it.each(scenarios)('%s', (_title, scenario) => check(scenario));
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isFinished, type Outcome, type Pipeline } from '../../src/core/pipeline.ts';
import { defaultPipelineSettings, type PipelineSettings } from '../../src/core/pipeline-settings.ts';
import { environmentOfStep } from '../../src/core/plan.ts';
import type { PullRequestOrigin } from '../../src/core/pull-request-origin.ts';
import type { SecretLimits } from '../../src/core/secret-record.ts';
import type { Visibility } from '../../src/core/visibility.ts';
import { commandScript } from '../../src/engine/command-script.ts';
import { MaskSet } from '../../src/engine/masking/masker.ts';
import { PipelinesWorld } from '../support/pipelines-world.ts';
import { passed, ScriptedRunner } from '../support/scripted-runner.ts';

/**
 * Scenarios of pipelines.md 16 that are about running, one JSON file each: the whole server on a real store, with a
 * runner that drives the real state machine and whose steps do what `runtime` says. Steps are named `workflow/step`.
 */
interface RunScenario {
  readonly note: string;
  readonly files: Readonly<Record<string, readonly string[]>>;
  readonly event?: { readonly ref?: string; readonly kind?: 'push' | 'tag' };
  /** What begins it instead: a pull request of a branch of the project, or of a stranger's fork. */
  readonly pullRequest?: 'project' | 'fork';
  readonly settings?: Partial<PipelineSettings> & {
    readonly secrets?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, Partial<SecretLimits>>>;
    /** Registries that there is a login for, with the pull requests that may have it. */
    readonly registries?: Readonly<Record<string, PullRequestOrigin>>;
    /** Of the project; absent = private. */
    readonly visibility?: Visibility;
    /** Keys that values in the files are encrypted with. */
    readonly keys?: readonly string[];
  };
  /** How steps end, by `step` or `workflow/step`; absent = exit code 0. `hold` = when the scenario says so. */
  readonly runtime?: Readonly<Record<string, Outcome | 'hold'>>;
  /** What happens then, each once all of `when` run. */
  readonly acts?: readonly Act[];
  readonly expect: RunExpectation & {
    /** Of further pipelines, by number. */
    readonly pipelines?: Readonly<Record<string, RunExpectation>>;
    /** Registries whose logins the runner was given. */
    readonly registries?: readonly string[];
    /** Every start, in its order; of several pipelines with their numbers in front. */
    readonly order?: readonly string[];
    /** `workflow/step` → what its log shows when its commands run in a real shell, and their exit code. */
    readonly commands?: Readonly<Record<string, { readonly exitCode: number; readonly lines: readonly string[] }>>;
  };
}

interface RunExpectation {
  readonly verdict: string;
  /** Of a file that cannot be run: the error's place, and part of its text. */
  readonly error?: { readonly line?: number; readonly message?: string };
  readonly workflows?: Readonly<Record<string, string>>;
  /** Every step, with its status. */
  readonly steps?: Readonly<Record<string, string>>;
  /** Rules that decided, by step. */
  readonly reasons?: Readonly<Record<string, string>>;
  /** Rules that must be told of the pipeline. */
  readonly trace?: readonly string[];
  /** `workflow/step` → variables as the step had them; `null` = not set. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
}

interface Act {
  readonly when?: readonly string[];
  /** Number of a pipeline that has ended by then. */
  readonly until?: number;
  readonly end?: string;
  readonly with?: Outcome;
  readonly cancel?: number;
  /** A decision about a pipeline that waits for one. */
  readonly decide?: {
    readonly number: number;
    readonly decision: 'approve' | 'decline';
    readonly withSecrets?: boolean;
  };
  readonly push?: { readonly ref?: string };
  readonly promote?: { readonly number: number; readonly target: string; readonly parameters?: Record<string, string> };
  readonly rerun?: {
    readonly number: number;
    readonly only?: 'all' | 'failed';
    readonly parameters?: Record<string, string>;
  };
}

const folder = new URL('./pipelines/run/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort();

/**
 * The switch for caches changes nothing where a file names none. What it changes where files do, and steps really find
 * what was kept, `pipeline-kept-runs.test.ts` plays.
 */
const ways: readonly { readonly name: string; readonly settings: Partial<PipelineSettings> }[] = [
  { name: 'with caches', settings: { ignoresCaches: false } },
  { name: 'without caches', settings: { ignoresCaches: true } },
];

class Run {
  readonly world: PipelinesWorld;
  readonly runner: ScriptedRunner;
  readonly #numbers = new Map<number, string>();
  readonly #scenario: RunScenario;

  private constructor(world: PipelinesWorld, scenario: RunScenario) {
    this.world = world;
    this.#scenario = scenario;
    const outcomeOf = (step: string, workflow: string): Outcome | 'hold' =>
      scenario.runtime?.[`${workflow}/${step}`] ?? scenario.runtime?.[step] ?? passed;
    this.runner = new ScriptedRunner({ script: outcomeOf, slots: 50 });
  }

  static async create(scenario: RunScenario, settings: Partial<PipelineSettings>): Promise<Run> {
    const world = await PipelinesWorld.create(undefined, { leaseMs: 600_000 });
    const texts = Object.entries(scenario.files).map(([path, lines]) => [path, lines.join('\n')] as const);
    world.files.set(world.project.id, Object.fromEntries(texts));
    const {
      secrets = {},
      limits = {},
      registries = {},
      keys = [],
      visibility = 'private',
      ...more
    } = scenario.settings ?? {};
    for (const [name, value] of Object.entries(secrets)) world.secrets.set(name, value);
    for (const [name, limit] of Object.entries(limits)) world.secretLimits.set(name, limit);
    for (const [registry, origin] of Object.entries(registries)) {
      world.registries.push({ registry, username: 'robot', password: 'canary-password' });
      world.loginOrigins.set(registry, origin);
    }
    world.fileKeys = keys;
    const pipelines = { ...defaultPipelineSettings, ...more, ...settings };
    await world.store.write(({ projects }) => projects.update({ ...world.project, visibility, pipelines }));
    return new Run(world, scenario);
  }

  async play(): Promise<void> {
    this.world.connect(this.runner);
    const { pullRequest, event } = this.#scenario;
    if (pullRequest === undefined) await this.world.pushed(event);
    else await this.world.planned(await this.world.pullRequest({ isFork: pullRequest === 'fork' }));
    for (const act of this.#scenario.acts ?? []) {
      if (act.until !== undefined) await this.world.until(await this.#pipeline(act.until));
      for (const step of act.when ?? []) await this.runner.until(() => this.runner.running.includes(step));
      await this.#do(act);
      await this.#quiet();
    }
    const all = await this.#pipelines();
    for (const pipeline of all)
      await this.world.until(pipeline, ({ status }) => isFinished(status) || status === 'blocked');
  }

  async #do(act: Act): Promise<void> {
    const { world } = this;
    const operations = world.feature.operations!;
    const params = (number: number) => ({ params: { ...world.path, number }, query: undefined });
    if (act.end !== undefined) this.runner.end(act.end, act.with ?? passed);
    if (act.cancel !== undefined)
      await operations.cancelPipeline!({ ...params(act.cancel), body: undefined }, world.request());
    if (act.decide) {
      const { number, decision, withSecrets = false } = act.decide;
      const { head, configuration } = await operations.getApproval!(
        { ...params(number), body: undefined },
        world.request(),
      );
      const body = { decision, withSecrets, head, configuration };
      await operations.decideApproval!({ ...params(number), body }, world.request());
    }
    if (act.push) await world.pushed(act.push);
    if (act.promote) {
      const { number, target, parameters = {} } = act.promote;
      await world.until(await this.#pipeline(number));
      const body = { target, event: 'promote', parameters } as const;
      await operations.promotePipeline!({ ...params(number), body }, world.request({ idempotencyKey: 'one' }));
    }
    if (act.rerun) {
      const { number, only = 'all', parameters } = act.rerun;
      await world.until(await this.#pipeline(number));
      const body = parameters ? { parameters } : { only };
      await operations.rerunPipeline!({ ...params(number), body }, world.request());
    }
  }

  async check(): Promise<void> {
    const { pipelines = {}, order, commands, registries, ...first } = this.#scenario.expect;
    const all = await this.#pipelines();
    for (const [number, wanted] of Object.entries({ 1: first, ...pipelines }))
      await this.#checkPipeline(
        all.find((one) => one.number === Number(number)),
        wanted,
      );
    if (order) {
      const started = this.runner.started.map(({ workflowId, step }) => `${this.#nameOf(workflowId)}/${step}`);
      expect(started.map((name) => (all.length > 1 ? name : name.slice(name.indexOf(' ') + 1)))).toEqual(order);
    }
    if (registries) {
      const given = this.runner.assignments.flatMap((assignment) => assignment.registries ?? []);
      expect(given.map(({ registry }) => registry)).toEqual(registries);
    }
    for (const [name, wanted] of Object.entries(commands ?? {})) this.#checkCommands(name, wanted);
  }

  async #checkPipeline(pipeline: Pipeline | undefined, wanted: RunExpectation): Promise<void> {
    if (!pipeline) throw new Error('There is no such pipeline');
    const { pipelines } = this.world.store.read;
    const [workflows, steps] = await Promise.all([pipelines.workflows(pipeline.id), pipelines.steps(pipeline.id)]);
    const present = steps.flatMap((step) => {
      const workflow = workflows.find(({ id, attempt }) => id === step.workflowId && attempt === step.attempt);
      return workflow ? [{ name: `${workflow.name}/${step.name}`, step }] : [];
    });
    for (const { id, name } of workflows) this.#numbers.set(id, `#${pipeline.number} ${name}`);
    const now = await pipelines.find(pipeline.id);
    expect(now?.status, JSON.stringify(present)).toBe(wanted.verdict);
    if (wanted.error?.line !== undefined) expect(now?.error?.line).toBe(wanted.error.line);
    if (wanted.error?.message !== undefined) expect(now?.error?.message).toContain(wanted.error.message);
    if (wanted.steps)
      expect(Object.fromEntries(present.map(({ name, step }) => [name, step.status]))).toEqual(wanted.steps);
    if (wanted.workflows)
      expect(Object.fromEntries(workflows.map(({ name, status }) => [name, status]))).toEqual(wanted.workflows);
    for (const [name, rule] of Object.entries(wanted.reasons ?? {}))
      expect(present.find((one) => one.name === name)?.step.reason?.rule, name).toBe(rule);
    if (wanted.trace) {
      const input = { params: { ...this.world.path, number: pipeline.number }, query: undefined, body: undefined };
      const { items } = await this.world.feature.operations!.explainPipeline!(input, this.world.request());
      expect(items.map(({ rule }) => rule)).toEqual(expect.arrayContaining([...wanted.trace]));
    }
    for (const [name, variables] of Object.entries(wanted.env ?? {})) {
      const step = present.find((one) => one.name === name)?.step;
      const workflow = workflows.find(({ id }) => id === step?.workflowId);
      const started = this.runner.started.findLast(({ stepId }) => stepId === step?.id);
      const planned = workflow?.plan.steps[step?.position ?? -1];
      const environment = {
        ...(workflow && planned ? environmentOfStep(workflow.plan, planned) : {}),
        ...started?.environment,
        ...started?.secrets,
      };
      for (const [variable, value] of Object.entries(variables))
        expect(environment[variable] ?? null, `${name} ${variable}`).toBe(value);
    }
  }

  /** The script of the step, in a shell of this machine and an empty folder; what it prints as its log shows it. */
  #checkCommands(name: string, wanted: { readonly exitCode: number; readonly lines: readonly string[] }): void {
    const [workflow, stepName] = name.split('/');
    const plan = this.runner.assignments.find((one) => one.plan.name === workflow)?.plan;
    const step = plan?.steps.find((one) => one.name === stepName);
    const started = this.runner.started.find((one) => one.step === stepName);
    const environment = {
      ...(plan && step ? environmentOfStep(plan, step) : {}),
      ...started?.environment,
      ...started?.secrets,
    };
    const masks = new MaskSet([...(started?.mask ?? []), ...Object.values(started?.secrets ?? {})]);
    const home = mkdtempSync(join(tmpdir(), 'gantry-commands-'));
    const script = `exec 2>&1\n${commandScript(step?.commands ?? [], 'gantry')}`;
    let ended: { readonly exitCode: number; readonly output: string };
    try {
      const env = { PATH: process.env['PATH'] ?? '', ...environment, HOME: home };
      const output = execFileSync('/bin/sh', ['-e', '-c', script], { cwd: home, env, encoding: 'utf8' });
      ended = { exitCode: 0, output };
    } catch (error) {
      const { status, stdout } = error as { readonly status?: number; readonly stdout?: string };
      ended = { exitCode: status ?? -1, output: stdout ?? '' };
    }
    rmSync(home, { recursive: true });
    const lines = masks.maskText(ended.output).replaceAll(home, '~').trimEnd().split('\n');
    expect({ exitCode: ended.exitCode, lines }).toEqual(wanted);
  }

  #nameOf(workflowId: number): string {
    return this.#numbers.get(workflowId) ?? String(workflowId);
  }

  async #pipeline(number: number): Promise<Pipeline> {
    const pipeline = await this.world.store.read.pipelines.findByNumber(this.world.project.id, number);
    if (!pipeline) throw new Error(`There is no pipeline #${number}`);
    return pipeline;
  }

  async #pipelines(): Promise<readonly Pipeline[]> {
    return (await this.world.store.read.pipelines.list(this.world.project.id, { limit: 50 })).items;
  }

  /** Everything that is under way has arrived. */
  async #quiet(): Promise<void> {
    await nextTurn();
    await this.world.feature.settled();
    await nextTurn();
  }
}

describe('pipeline run scenarios', () => {
  const scenarios = names.map((name) => {
    const scenario = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as RunScenario;
    return [`${name.replace(/\.json$/, '')}: ${scenario.note}`, scenario] as const;
  });

  it.each(scenarios)('%s', async (_title, scenario) => {
    await Promise.all(
      ways.map(async ({ name, settings }) => {
        const run = await Run.create(scenario, settings);
        try {
          await run.play();
          await run.check();
        } catch (error) {
          throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        } finally {
          await run.world.close();
        }
      }),
    );
  });
});

import { isImageAlone, type RunOn, type StepPlan, type WorkflowPlan } from '../core/plan.ts';
import { planRuntime } from '../core/runtime-choice.ts';
import type { ReusePlan } from '../core/step-reuse.ts';
import type { TraceEntry, TraceRule } from '../core/trace.ts';
import { chooseFiles } from './choose-files.ts';
import {
  type CompileInput,
  type CompileResult,
  type PassingFact,
  passingFacts,
  pipelineFilePaths,
} from './compile-input.ts';
import { conditionValues } from './condition-values.ts';
import {
  type ConditionFacts,
  type Conditions,
  findMismatch,
  type Mismatch,
  namingClosing,
  runOnOf,
} from './conditions.ts';
import { type DialectRules, dialectRules } from './dialect-rules.ts';
import {
  expressionVariables,
  OwnEnvironments,
  type StepSurroundings,
  sharedEnvironment,
  stepEnvironment,
  type WorkflowSurroundings,
} from './environment.ts';
import type { WorkflowIdentity } from './environment-facts.ts';
import { ExpressionError } from './expression/expression.ts';
import { type LinkedArtifacts, linkArtifacts } from './link-artifacts.ts';
import { linkWorkflows, type PlacedWorkflow, placeWorkflows } from './link-workflows.ts';
import type { Finding, LintReport } from './lint-report.ts';
import { withNativeBuilds } from './native-build.ts';
import { type OrderedJob, orderJob } from './order-jobs.ts';
import { artifactsStepName, cloneStepName } from './order-steps.ts';
import { refuseLargeFile } from './pipeline-file-size.ts';
import { type PipelineParameter, withDefaults } from './pipeline-parameters.ts';
import { planCache } from './read-cache.ts';
import { type CheckoutDraft, checkoutPlan } from './read-checkout.ts';
import { isPrivilegedPlugin, judgeHostRights } from './read-host-rights.ts';
import { type PipelineFileDraft, readPipelineFile, refuseTooManySteps } from './read-pipeline-file.ts';
import type { WrittenRetry } from './read-retry.ts';
import type { WrittenSecret } from './read-secret-document.ts';
import { hasRunner } from './read-workflow.ts';
import { reusableEnvironment } from './reuse-environment.ts';
import { findSkipMarker } from './skip-marker.ts';
import { placeOf } from './source-position.ts';
import { type WatchedInput, watchFacts } from './watched-facts.ts';
import type { StepDraft, StepOrder, WorkflowDraft } from './workflow-draft.ts';

/**
 * Says what a pipeline file asks for at an event: the first of the files is read whole, typed, and only then judged by
 * the event; of Woodpecker's folder all files are. Pure: the same input gives the same plan, here and in the CLI. Never
 * throws for what a file contains.
 */
export function compilePipeline(given: CompileInput): CompileResult {
  const { input, reads } = watchFacts(given);
  const trace: TraceEntry[] = [];
  const refused = refuseEvent(given);
  if (refused) return { kind: 'nothing', trace: [refused] };
  const chosen = chooseFiles(input.files, input.rules?.path);
  if (!chosen) {
    const looked = input.rules?.path ?? pipelineFilePaths.join(', ');
    return { kind: 'nothing', trace: [fileEntry('file.missing', 'skipped', { looked })] };
  }
  const { dialect } = chosen;
  for (const { path } of chosen.files) trace.push(fileEntry('file.chosen', 'noted', { path }));
  for (const path of chosen.others)
    trace.push(fileEntry('file.other-ignored', 'noted', { path, chosen: chosen.files[0].path }));
  const tooLarge = refuseLargeFile(chosen.files, trace);
  if (tooLarge) return tooLarge;

  const rules = dialectRules[dialect];
  const marker = findSkipMarker(given.event, dialect);
  if (marker !== undefined) {
    trace.push({ subject: { kind: 'event' }, rule: 'event.skip-marker', verdict: 'skipped', values: { marker } });
    return { kind: 'nothing', trace };
  }

  const written = chosen.files.map((file) => readPipelineFile(file, dialect, input));
  refuseTooManySteps(written);
  for (const { report, secrets } of written) noteStoredSecrets(report, secrets, input.secretNames);
  const files = written.map((file) => ({
    ...file,
    workflows: withNativeBuilds(file.workflows, file.report, input, input.rules ?? {}),
  }));
  for (const { report, workflows } of files)
    for (const { clone, steps } of workflows)
      judgeHostRights(report, [...steps, checkoutRequest(clone)], input.rules ?? {}, input.event.trust === 'untrusted');
  const decisions: TraceEntry[] = [];
  const plans = files.some(({ report }) => report.hasError)
    ? []
    : planWorkflows(new Planning({ given, input, reads }, rules, decisions).withParametersOf(files, trace), files);
  for (const { path, report } of files) for (const finding of report.findings) trace.push(findingEntry(path, finding));
  const failed = files.find(({ report }) => report.hasError);
  if (failed) return failure(failed, trace);
  trace.push(...decisions);
  const { path } = chosen.files[0];
  if (plans.length === 0) {
    trace.push({
      subject: { kind: 'event' },
      rule: 'event.nothing-matched',
      verdict: 'skipped',
      values: { path },
    });
    return { kind: 'nothing', trace, reads: [...reads] };
  }
  const encryptedSecrets = written.flatMap(({ secrets }) =>
    secrets.map(({ at: { line, column }, ...secret }) => ({ ...secret, line, column })),
  );
  const plan = { dialect, path, workflows: plans, ...(encryptedSecrets.length === 0 ? {} : { encryptedSecrets }) };
  return { kind: 'planned', plan, trace, reads: [...reads] };
}

/** Whoever encrypts a value anew would wait for it in vain. */
function noteStoredSecrets(report: LintReport, secrets: readonly WrittenSecret[], stored: readonly string[]): void {
  for (const { name, at } of secrets)
    if (stored.includes(name))
      report.add(
        'secret.stored',
        at,
        `the project has a stored secret "${name}" as well, which wins wherever a step may have it`,
      );
}

function refuseEvent({ event }: CompileInput): TraceEntry | undefined {
  if (!/^0+$/.test(event.commit)) return undefined;
  return { subject: { kind: 'event' }, rule: 'event.deleted-ref', verdict: 'skipped', values: { ref: event.ref } };
}

/** Values of the parameters with the defaults of those that nobody gave; the trace says which. */
function parameterValues(
  parameters: readonly PipelineParameter[],
  given: Readonly<Record<string, string>>,
  trace: TraceEntry[],
): Readonly<Record<string, string>> {
  const values = withDefaults(parameters, given);
  const filled = Object.entries(values).filter(([name, value]) => value !== '' && given[name] !== value);
  if (filled.length > 0) {
    const text = filled.map(([name, value]) => `${name}=${value}`).join(', ');
    const entry = { parameters: text.length > 500 ? `${text.slice(0, 500)}…` : text };
    trace.push({ subject: { kind: 'event' }, rule: 'event.parameters-default', verdict: 'noted', values: entry });
  }
  return values;
}

function failure({ path, report }: PipelineFileDraft, trace: readonly TraceEntry[]): CompileResult {
  const error = report.findings.find((finding) => finding.severity === 'error')!;
  return {
    kind: 'failed',
    path,
    error: {
      message: `Cannot run ${path}: ${error.message}`,
      code: error.code,
      path,
      line: error.line,
      column: error.column,
      ...(error.included ? { included: error.included } : {}),
    },
    trace,
  };
}

/** What is the same for every workflow that is planned. */
class Planning {
  /** Whoever reads a fact of it that is another one at the next push makes the plan depend on that. */
  readonly input: CompileInput;
  /** The same facts, for environments: what is shared of them is filled in anew for every event. */
  readonly given: CompileInput;
  readonly #reads: Set<PassingFact>;
  readonly rules: DialectRules;
  readonly trace: TraceEntry[];
  readonly #values: ConditionFacts['values'];

  constructor(
    { given, input, reads }: WatchedInput & { readonly given: CompileInput },
    rules: DialectRules,
    trace: TraceEntry[],
  ) {
    this.given = given;
    this.input = input;
    this.#reads = reads;
    this.rules = rules;
    this.trace = trace;
    this.#values = conditionValues(input, rules);
  }

  /** With the defaults of parameters that nobody gave. */
  withParametersOf(files: readonly PipelineFileDraft[], trace: TraceEntry[]): Planning {
    const parameters = files.flatMap((file) => file.parameters);
    if (parameters.length === 0) return this;
    const values = parameterValues(parameters, this.given.event.parameters, trace);
    const given: CompileInput = { ...this.given, event: { ...this.given.event, parameters: values } };
    const { input } = watchFacts(given, this.#reads);
    return new Planning({ given, input, reads: this.#reads }, this.rules, this.trace);
  }

  /** What the environment of a step has that is of no use at another event. */
  readonly dependsOnFacts = (): void => {
    for (const name of passingFacts) this.#reads.add(name);
  };

  factsOf(workflow: PlacedWorkflow): ConditionFacts {
    return new WorkflowFacts(this, workflow, this.#values);
  }

  /** Under the name that the file gives: those of one matrix share it. */
  identityOf({ draft, number }: PlacedWorkflow): WorkflowIdentity {
    return { name: draft.name, type: draft.type, number, dependsOn: [], matrix: draft.matrix };
  }

  /** Judges what a workflow asks of the event. */
  judgeTrigger(workflow: PlacedWorkflow): Judgement {
    const { draft, file } = workflow;
    const { kind, pullRequest } = this.input.event;
    if (kind !== 'pull_request' || pullRequest?.action !== 'closed')
      return this.judge(draft.trigger, this.factsOf(workflow), file, draft.line);
    const trigger = namingClosing(draft.trigger);
    const judged = this.judge(trigger, this.factsOf(workflow), file, draft.line);
    if (trigger.alternatives.length > 0) return judged;
    return { ...judged, mismatch: { key: 'event', pattern: 'pull_request_closed', value: 'closed' } };
  }

  /** Judges conditions; an expression without an answer is found at its line, and then nothing is run. */
  judge(conditions: Conditions, facts: ConditionFacts, file: PipelineFileDraft, line: number): Judgement {
    try {
      return {
        mismatch: findMismatch(conditions, facts, this.rules),
        runOn: runOnOf(conditions, facts, this.rules),
      };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      file.report.add('condition.expression', { line, column: 1 }, `an expression has no answer: ${error.message}`);
      return { mismatch: undefined, runOn: { success: true, failure: false } };
    }
  }
}

/** What conditions of a workflow are judged by; what is not asked for the plan does not depend on. */
class WorkflowFacts implements ConditionFacts {
  readonly values: ConditionFacts['values'];
  readonly isLocal = false;
  readonly #planning: Planning;
  readonly #workflow: PlacedWorkflow;

  constructor(planning: Planning, workflow: PlacedWorkflow, values: ConditionFacts['values']) {
    this.#planning = planning;
    this.#workflow = workflow;
    this.values = values;
  }

  get changedPaths(): ConditionFacts['changedPaths'] {
    const { input, rules } = this.#planning;
    const { kind } = input.event;
    const isChange = kind === 'push' || kind === 'pull_request';
    const countsPaths =
      rules.dialect === 'woodpecker'
        ? isChange
        : rules.dialect !== 'drone1' || input.rules?.evaluatesDronePaths === true;
    return countsPaths ? input.event.changedPaths : undefined;
  }

  get message(): string {
    return this.#planning.input.event.message;
  }

  get matrix(): ConditionFacts['matrix'] {
    return this.#workflow.draft.matrix;
  }

  /** Few files have an expression: only these are worth the hundred variables. */
  get variables(): ConditionFacts['variables'] {
    const { input, rules } = this.#planning;
    return rules.dialect === 'woodpecker' ? expressionVariables(input, this.#planning.identityOf(this.#workflow)) : {};
  }
}

/** What conditions say at an event. */
interface Judgement {
  readonly mismatch: Mismatch | undefined;
  readonly runOn: RunOn;
}

function planWorkflows(planning: Planning, files: readonly PipelineFileDraft[]): WorkflowPlan[] {
  const placed = placeWorkflows(files);
  const matched = new Set<PlacedWorkflow>();
  const runOns = new Map<PlacedWorkflow, RunOn>();
  for (const workflow of placed) {
    const subject = { kind: 'workflow', workflow: workflow.name } as const;
    const { mismatch, runOn } = planning.judgeTrigger(workflow);
    runOns.set(workflow, runOn);
    if (mismatch) planning.trace.push({ subject, verdict: 'skipped', ...mismatchRule('trigger', mismatch) });
    else {
      matched.add(workflow);
      planning.trace.push({ subject, rule: 'trigger.matched', verdict: 'ran', values: {} });
    }
  }
  const linked = linkWorkflows(placed, matched, planning.rules.dialect, planning.trace);
  const artifacts = linkArtifacts(placed, linked, (workflow, name) => {
    const step = workflow.draft.steps.find((one) => one.name === name);
    return step !== undefined && !findMismatch(step.when, planning.factsOf(workflow), planning.rules);
  });
  return linked.map(({ workflow, dependsOn }) => {
    const { takes = [], dependsOn: makers = [] } = artifacts.get(workflow) ?? {};
    const waitsFor = [...new Set([...dependsOn, ...makers])];
    return planWorkflow(planning, workflow, { dependsOn: waitsFor, takes }, runOns.get(workflow)!);
  });
}

function planWorkflow(
  planning: Planning,
  workflow: PlacedWorkflow,
  { dependsOn, takes }: LinkedArtifacts,
  runOn: RunOn,
): WorkflowPlan {
  const { input, rules, trace } = planning;
  const { draft, name } = workflow;
  const subject = { kind: 'workflow', workflow: name } as const;
  const surroundings: WorkflowSurroundings = {
    ...planning.identityOf(workflow),
    dependsOn,
    workspace: draft.workspace,
    environment: draft.environment,
  };
  const environments = new OwnEnvironments(planning.given, rules.dialect, surroundings, planning.dependsOnFacts);

  const steps: StepPlan[] = [];
  if (!draft.clone.isDisabled)
    steps.push({
      name: cloneStepName,
      kind: 'clone',
      image: '',
      pull: 'default',
      commands: [],
      environment: environments.of({ name: cloneStepName, number: 1, environment: {}, settings: {}, isPlugin: false }),
      secrets: [],
      dependsOn: [],
      runOn: { success: true, failure: false },
      onFailure: 'fail',
      ...retryPlan(draft.retry, input),
      timeoutMs: input.stepTimeoutMs,
      line: draft.clone.line,
    });
  const facts = planning.factsOf(workflow);
  const judgements = draft.steps.map((step) => planning.judge(step.when, facts, workflow.file, step.line));
  if (draft.uses) steps.push({ ...takingStep(draft, takes, input.stepTimeoutMs), ...retryPlan(draft.retry, input) });
  const matched = draft.steps.filter((_, i) => !judgements[i]!.mismatch);
  const order = draft.order === 'graph' ? undefined : orderOf(planning, workflow, draft.order, new Set(matched));
  for (const [i, step] of draft.steps.entries())
    steps.push(
      planStep(planning, workflow, step, judgements[i]!, {
        name: order?.names.get(step) ?? step.name,
        number: steps.length + 1,
        dependsOn: (order ? order.dependsOn.get(step) : step.dependsOn) ?? [],
        environments,
      }),
    );

  const { ofSteps, ofPlugins } = sharedEnvironment(planning.given, rules.dialect);
  const hasPlugins = rules.dialect !== 'woodpecker' && steps.some(isImageAlone);
  if (input.rules?.ignoresCaches && draft.steps.some(({ cache }) => cache))
    trace.push({ subject, rule: 'cache.off', verdict: 'noted', values: { by: input.rules.ignoresCaches } });
  const reuseOff = steps.find(({ reuse }) => reuse?.off)?.reuse?.off;
  if (reuseOff) trace.push({ subject, rule: 'reuse.off', verdict: 'noted', values: { by: reuseOff } });
  const isRunnable = ({ kind, takes: isTaking, background, skipped }: StepPlan): boolean =>
    kind !== 'clone' && !isTaking && background !== 'service' && !skipped;
  if (!steps.some(isRunnable)) trace.push({ subject, rule: 'workflow.nothing-to-do', verdict: 'noted', values: {} });
  const runtime = planRuntime({
    trust: input.event.trust ?? 'trusted',
    asksForHost: steps.some(({ host, skipped: isLeftOut }) => host && !isLeftOut),
    forbidsSandbox: input.rules?.forbidsSandbox ?? false,
    policy: input.rules?.runtime,
  });
  // Where several will do, the runner that takes it says which.
  if (runtime?.allowed.length === 1)
    trace.push({
      subject,
      rule: 'runtime.chosen',
      verdict: 'noted',
      values: { runtime: runtime.allowed[0]!, reason: runtime.reason },
    });
  const isRetryOff = ({ retry }: Pick<StepDraft, 'retry'>): boolean =>
    retry !== undefined && !retry.events.includes(input.event.kind);
  if (isRetryOff(draft) || draft.steps.some(isRetryOff))
    trace.push({
      subject,
      rule: 'workflow.retry-not-for-event',
      verdict: 'noted',
      values: { event: input.event.kind },
    });
  if (draft.blocked !== undefined)
    trace.push({
      subject,
      rule: 'workflow.no-runner',
      verdict: 'blocked',
      values: { type: hasRunner(draft.type) ? draft.blocked : draft.type },
    });
  const plan: Writable<WorkflowPlan> = {
    name,
    dependsOn,
    runOn: rules.dialect === 'woodpecker' ? runOnWith(runOn, draft) : runOn,
    workspace: draft.workspace,
    environment: ofSteps,
    clone: {
      ...checkoutPlan(draft.clone, {
        hasTagsByDefault: rules.dialect === 'woodpecker' && input.event.kind === 'tag',
      }),
      isDisabled: draft.clone.isDisabled && !steps.some(({ kind, skipped }) => kind === 'clone' && !skipped),
    },
    steps,
    earlySuccessExitCodes: rules.earlySuccessExitCodes,
  };
  if (rules.dialect === 'woodpecker') plan.runOnJudges = 'dependencies';
  if (Object.keys(draft.matrix).length > 0) plan.matrix = draft.matrix;
  if (hasPlugins) plan.pluginEnvironment = ofPlugins;
  if (draft.concurrency) plan.concurrency = draft.concurrency;
  if (draft.volumes.length > 0) plan.volumes = draft.volumes;
  const encryptedSecrets = encryptedSecretsOf(workflow.file, steps);
  if (encryptedSecrets.length > 0) plan.encryptedSecrets = encryptedSecrets;
  if (input.event.trust === 'untrusted') plan.trust = 'untrusted';
  if (runtime) plan.runtime = runtime;
  if (draft.routing) plan.routing = draft.routing;
  if (draft.blocked !== undefined) plan.blocked = draft.blocked;
  if (draft.order !== 'graph') plan.failureSkips = 'later';
  return plan;
}

/** A plan while it is put together: what it always has as one object, and then the few things that it has beside. */
type Writable<Plan> = { -readonly [Key in keyof Plan]: Plan[Key] };

/**
 * What a step has over its workflow. One that may be reused has all of its environment for itself, and no variables that
 * are other ones in each run, whether reuse is on or off.
 */
function environmentOf(
  { input, given: facts, rules, dependsOnFacts }: Planning,
  workflow: WorkflowDraft,
  step: StepDraft,
  named: StepSurroundings,
  environments: OwnEnvironments,
): Record<string, string> {
  if (!step.reuse) return environments.of(named);
  dependsOnFacts();
  const own = [workflow.environment, workflow.matrix, step.environment, step.settings].flatMap((given) =>
    Object.keys(given),
  );
  const given = [...Object.keys(input.variables ?? {}), ...Object.keys(input.event.parameters)];
  const texts = [
    ...step.commands,
    ...(step.entrypoint ?? []),
    ...(step.command ?? []),
    ...Object.values(step.environment),
    ...Object.values(step.settings),
  ];
  const whole = stepEnvironment(facts, rules.dialect, { workflow: environments.workflow, step: named });
  return reusableEnvironment(whole, new Set([...own, ...given]), texts);
}

function planReuse({ input }: Planning, { file }: PlacedWorkflow, step: StepDraft, { runOn }: Judgement): ReusePlan {
  const obstacle = findReuseHindrance(step, runOn);
  if (obstacle)
    file.report.add('reuse.not-possible', placeOf(step), `step "${step.name}" cannot be reused: ${obstacle}`);
  const off = input.rules?.ignoresCaches ?? input.rules?.ignoresReuse;
  return { ...step.reuse!, ...(off ? { off } : {}) };
}

function findReuseHindrance({ host, kind }: StepDraft, runOn: RunOn): string | undefined {
  if (runOn.failure) return 'it runs after a failure, which no key tells of';
  if (kind === 'build') return 'it builds an image, whose layers have a cache of their own';
  return host ? 'it asks for rights on its host, which no key tells of' : undefined;
}

/** Those that a step of the workflow asks for, be it within another value. */
function encryptedSecretsOf(
  { secrets }: PipelineFileDraft,
  steps: readonly StepPlan[],
): NonNullable<WorkflowPlan['encryptedSecrets']> {
  if (secrets.length === 0) return [];
  const named = new Set(
    steps.flatMap((step) => step.secrets.flatMap(({ secret, parts = [] }) => [secret, ...parts.flatMap(secretsIn)])),
  );
  return secrets.filter(({ name }) => named.has(name)).map(({ name, data }) => ({ name, data }));
}

function secretsIn(part: string | { readonly secret: string }): readonly string[] {
  return typeof part === 'string' ? [] : [part.secret];
}

/** It runs nothing of the file: it only stands in an image that the workflow needs anyway. */
function takingStep(draft: WorkflowDraft, takes: LinkedArtifacts['takes'], timeoutMs: number): StepPlan {
  const host = draft.steps.find(({ background }) => background === undefined) ?? draft.steps[0];
  return {
    name: artifactsStepName,
    kind: 'image',
    image: host?.image ?? '',
    pull: host?.pull ?? 'default',
    commands: [],
    environment: {},
    secrets: [],
    dependsOn: draft.clone.isDisabled ? [] : [cloneStepName],
    runOn: { success: true, failure: false },
    onFailure: 'fail',
    takes,
    timeoutMs,
    line: draft.uses?.[0]?.at.line ?? draft.line,
  };
}

/** Whoever sets commands or variables of a step may have it say what it knows. */
function isPlugin({ kind, build, entrypoint, command, environment }: StepDraft, workflow: WorkflowDraft): boolean {
  const isEmpty = (variables: Readonly<Record<string, string>>): boolean => Object.keys(variables).length === 0;
  return (
    (kind === 'image' || (build !== undefined && build.plugin !== 'gantry')) &&
    entrypoint === undefined &&
    command === undefined &&
    isEmpty(environment) &&
    isEmpty(workflow.environment)
  );
}

/**
 * When a workflow of Woodpecker runs by what it waits for: `status: [failure]` of its `when` means "too", and
 * `runs_on: [failure]` alone means "only then" (pipelines.md 11.5).
 */
function runOnWith(byStatus: RunOn, { runsOn }: WorkflowDraft): RunOn {
  return {
    success: byStatus.failure || !runsOn || runsOn.has('success'),
    failure: byStatus.failure || runsOn?.has('failure') === true,
  };
}

function orderOf(
  { input }: Planning,
  { draft, file }: PlacedWorkflow,
  order: Exclude<StepOrder, 'graph'>,
  matched: ReadonlySet<StepDraft>,
): Pick<OrderedJob, 'names' | 'dependsOn'> {
  const job = orderJob(draft.steps, matched, order, !draft.clone.isDisabled);
  for (const { code, at, message } of job.faults)
    if (code !== 'step.dependency-filtered' || !input.rules?.toleratesFilteredSteps) file.report.add(code, at, message);
  return job;
}

/** A plugin whose image the installation lists is privileged in a trusted project without saying so. */
function hostOf(step: StepDraft, { event, rules }: CompileInput): StepPlan['host'] {
  if (step.host) return step.host;
  return isPrivilegedPlugin(step, rules, event.trust === 'untrusted') ? { isPrivileged: true } : undefined;
}

/** What a step is in its workflow, beside what its file says of it. */
interface PlacedStep {
  /** One of its own, also where the file has one twice. */
  readonly name: string;
  readonly number: number;
  readonly dependsOn: readonly string[];
  readonly environments: OwnEnvironments;
}

function planStep(
  planning: Planning,
  workflow: PlacedWorkflow,
  step: StepDraft,
  judgement: Judgement,
  { name, number, dependsOn, environments }: PlacedStep,
): StepPlan {
  const { input } = planning;
  const { draft, file } = workflow;
  const skipped = tellStep(planning, workflow, step, name, judgement.mismatch);
  const { environment, settings, build, background } = step;
  const named = { name, number, environment, settings, isPlugin: isImageAlone(step) };
  const plan: Writable<StepPlan> = {
    name,
    kind: step.isCheckout ? 'clone' : step.kind,
    image: step.isCheckout ? '' : step.image,
    pull: step.pull,
    commands: step.commands,
    environment: environmentOf(planning, draft, step, named, environments),
    secrets: step.isCheckout ? [] : step.secrets,
    dependsOn,
    runOn: judgement.runOn,
    onFailure: background ? 'ignore' : step.onFailure,
    timeoutMs: step.timeoutMs ?? (background ? maxBackgroundMs : input.stepTimeoutMs),
    line: step.line,
  };
  if (build) plan.build = build;
  if (step.entrypoint !== undefined) plan.entrypoint = step.entrypoint;
  if (step.command !== undefined) plan.command = step.command;
  if (background) Object.assign(plan, backgroundPlan(step));
  const { retry } = retryPlan(step.retry, input);
  if (retry) plan.retry = retry;
  if (step.volumes.length > 0) plan.volumes = step.volumes;
  const host = hostOf(step, input);
  if (host) plan.host = host;
  if (skipped) plan.skipped = skipped;
  if (step.limits) plan.limits = step.limits;
  if (step.user !== undefined) plan.user = step.user;
  if (step.workingDirectory !== undefined) plan.workingDirectory = step.workingDirectory;
  if (step.cache && !input.rules?.ignoresCaches) plan.cache = planCache(step.cache, input.blobs, file.report);
  if (step.artifacts) plan.artifacts = step.artifacts.map(({ at: _at, ...artifact }) => artifact);
  if (isPlugin(step, draft)) plan.isPlugin = true;
  if (step.reuse) plan.reuse = planReuse(planning, workflow, step, judgement);
  return plan;
}

/** Tells what becomes of a step; the entry that says why it is skipped, if it is. */
function tellStep(
  { input, trace }: Planning,
  { name: workflow, file }: PlacedWorkflow,
  step: StepDraft,
  name: string,
  mismatch: Mismatch | undefined,
): TraceEntry | undefined {
  const subject = { kind: 'step', workflow, step: name } as const;
  if (mismatch) {
    const skipped: TraceEntry = { subject, verdict: 'skipped', ...mismatchRule('step.when', mismatch) };
    trace.push(skipped);
    return skipped;
  }
  if (hasConditions(step.when)) trace.push({ subject, rule: 'step.matched', verdict: 'noted', values: {} });
  if (step.build) trace.push({ subject, rule: 'step.native-build', verdict: 'noted', values: { image: step.image } });
  if (step.secrets.length === 0) return undefined;
  for (const secret of new Set(step.secrets.map((reference) => reference.secret))) {
    if (input.secretNames.includes(secret) || file.secrets.some((one) => one.name === secret)) continue;
    const isRequired = step.secrets.some((reference) => reference.secret === secret && reference.isRequired);
    trace.push({ subject, rule: 'step.secret-missing', verdict: isRequired ? 'failed' : 'noted', values: { secret } });
  }
  return undefined;
}

/** What a checkout asks of the host, as a step would. */
function checkoutRequest({ requests = [] }: CheckoutDraft): Pick<StepDraft, 'name' | 'hostRequests'> {
  return { name: cloneStepName, hostRequests: requests };
}

/** How often its workflow may run; where the file does not say so, what reaches a target runs once. */
function retryPlan(retry: WrittenRetry | undefined, { event }: Pick<CompileInput, 'event'>): Pick<StepPlan, 'retry'> {
  if (!retry || !retry.events.includes(event.kind)) return {};
  return { retry: { infrastructure: retry.infrastructure } };
}

/** What runs beside the steps ends with the last of them: no limit of its own need be shorter than theirs together. */
const maxBackgroundMs = 7 * 24 * 3_600_000;

/** Its failure does not count (pipelines.md 9.4, 10.5, 11.5), and only commands need the workspace to start in. */
function backgroundPlan(step: StepDraft): Pick<StepPlan, 'background' | 'hostName' | 'ports' | 'startsIn'> {
  const { background, hostName, ports, kind, workingDirectory } = step;
  return {
    ...(background === undefined ? {} : { background }),
    ...(hostName === undefined ? {} : { hostName }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(kind === 'image' && workingDirectory === undefined ? { startsIn: 'image' } : {}),
  };
}

function hasConditions({ alternatives }: Conditions): boolean {
  return alternatives.some(
    (set) =>
      set.constraints.size > 0 ||
      [set.status, set.paths, set.matrix, set.local, set.evaluate].some((condition) => condition !== undefined),
  );
}

function mismatchRule(
  where: 'trigger' | 'step.when',
  { key, pattern, value }: Mismatch,
): { readonly rule: TraceRule; readonly values: TraceEntry['values'] } {
  switch (key) {
    case 'branch':
    case 'event':
    case 'ref':
    case 'repo':
      return { rule: `${where}.${key}`, values: { pattern, value } };
    default:
      return { rule: `${where}.other`, values: { key, pattern, value } };
  }
}

function fileEntry(rule: TraceRule, verdict: TraceEntry['verdict'], values: TraceEntry['values']): TraceEntry {
  return { subject: { kind: 'file' }, rule, verdict, values };
}

function findingEntry(path: string, finding: Finding): TraceEntry {
  const { code, line, column, message, included } = finding;
  const told = { message, code, ...(included ? { within: `${included.path}:${included.line}` } : {}) };
  return finding.severity === 'error'
    ? fileEntry('file.invalid', 'failed', { path, line, column, ...told })
    : fileEntry('file.warning', 'noted', { path, line, ...told });
}

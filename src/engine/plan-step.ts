import { isImageAlone, type RunOn, type StepPlan } from '../core/plan.ts';
import type { ReusePlan } from '../core/step-reuse.ts';
import type { TraceEntry } from '../core/trace.ts';
import type { CompileInput } from './compile-input.ts';
import type { Conditions, Mismatch } from './conditions.ts';
import { OwnEnvironments, type StepSurroundings, stepEnvironment } from './environment.ts';
import type { PlacedWorkflow } from './link-workflows.ts';
import { type Judgement, mismatchRule, Planning } from './planning.ts';
import { planCache } from './read-cache.ts';
import { isPrivilegedPlugin } from './read-host-rights.ts';
import type { WrittenRetry } from './read-retry.ts';
import { reusableEnvironment } from './reuse-environment.ts';
import { placeOf } from './source-position.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';

/** A plan while it is put together: what it always has as one object, and then the few things that it has beside. */
export type Writable<Plan> = { -readonly [Key in keyof Plan]: Plan[Key] };

/** What a step is in its workflow, beside what its file says of it. */
interface PlacedStep {
  /** One of its own, also where the file has one twice. */
  readonly name: string;
  readonly number: number;
  readonly dependsOn: readonly string[];
  readonly environments: OwnEnvironments;
}

/** What is run of a step at the event, or why it is not; the trace is told. */
export function planStep(
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

/** A plugin whose image the installation lists is privileged in a trusted project without saying so. */
function hostOf(step: StepDraft, { event, rules }: CompileInput): StepPlan['host'] {
  if (step.host) return step.host;
  return isPrivilegedPlugin(step, rules, event.trust === 'untrusted') ? { isPrivileged: true } : undefined;
}

/** How often its workflow may run; where the file does not say so, what reaches a target runs once. */
export function retryPlan(
  retry: WrittenRetry | undefined,
  { event }: Pick<CompileInput, 'event'>,
): Pick<StepPlan, 'retry'> {
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

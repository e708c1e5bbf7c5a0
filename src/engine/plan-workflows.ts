import { isImageAlone, type RunOn, type StepPlan, type WorkflowPlan } from '../core/plan.ts';
import { planRuntime } from '../core/runtime-choice.ts';
import { findMismatch } from './conditions.ts';
import { OwnEnvironments, sharedEnvironment, type WorkflowSurroundings } from './environment.ts';
import { type LinkedArtifacts, linkArtifacts } from './link-artifacts.ts';
import { linkWorkflows, type PlacedWorkflow, placeWorkflows } from './link-workflows.ts';
import { type OrderedJob, orderJob } from './order-jobs.ts';
import { artifactsStepName, cloneStepName } from './order-steps.ts';
import { planStep, retryPlan, type Writable } from './plan-step.ts';
import { mismatchRule, Planning } from './planning.ts';
import { checkoutPlan } from './read-checkout.ts';
import type { PipelineFileDraft } from './read-pipeline-file.ts';
import { hasRunner } from './read-workflow.ts';
import type { StepDraft, StepOrder, WorkflowDraft } from './workflow-draft.ts';

/** Those workflows of all files that match the event, tied together, each with all of its steps. */
export function planWorkflows(planning: Planning, files: readonly PipelineFileDraft[]): WorkflowPlan[] {
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

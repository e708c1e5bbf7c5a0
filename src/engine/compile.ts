import type { StepPlan, WorkflowPlan } from '../core/plan.ts';
import type { TraceEntry, TraceRule } from '../core/trace.ts';
import { type CompileInput, type CompileResult, pipelineFilePaths } from './compile-input.ts';
import { type ConditionFacts, type Conditions, findMismatch, type Mismatch, runOnOf } from './conditions.ts';
import { type DialectRules, dialectOfPath, dialectRules } from './dialect-rules.ts';
import { stepEnvironment, substitutionVariables, type WorkflowIdentity } from './environment.ts';
import type { Finding } from './lint-report.ts';
import { cloneStepName } from './order-steps.ts';
import { refuseLargeFile } from './pipeline-file-size.ts';
import { readPipelineFile } from './read-pipeline-file.ts';
import { hasRunner } from './read-workflow.ts';
import { findSkipMarker } from './skip-marker.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';

/** Exit codes that end a workflow early with success. */
const earlySuccessExitCodes: readonly number[] = [78];

/**
 * Says what a pipeline file asks for at an event: the first of the files is read whole, typed, and only then judged by
 * the event. Pure: the same input gives the same plan, here and in the CLI. Never throws for what a file contains.
 */
export function compilePipeline(input: CompileInput): CompileResult {
  const trace: TraceEntry[] = [];
  const refused = refuseEvent(input);
  if (refused) return { kind: 'nothing', trace: [refused] };
  const [file, ...others] = input.files;
  if (!file) {
    return { kind: 'nothing', trace: [fileEntry('file.missing', 'skipped', { looked: pipelineFilePaths.join(', ') })] };
  }
  trace.push(fileEntry('file.chosen', 'noted', { path: file.path }));
  for (const other of others) {
    trace.push(fileEntry('file.other-ignored', 'noted', { path: other.path, chosen: file.path }));
  }
  const tooLarge = refuseLargeFile(input, trace);
  if (tooLarge) return tooLarge;

  const marker = input.event.kind === 'push' ? findSkipMarker(input.event.message) : undefined;
  if (marker !== undefined) {
    trace.push({ subject: { kind: 'event' }, rule: 'event.skip-marker', verdict: 'skipped', values: { marker } });
    return { kind: 'nothing', trace };
  }

  const dialect = dialectOfPath(file.path);
  const { workflows, report } = readPipelineFile(file.text, dialect, (workflow) =>
    substitutionVariables(input, workflow),
  );
  for (const finding of report.findings) trace.push(findingEntry(file.path, finding));
  const error = report.findings.find((finding) => finding.severity === 'error');
  if (error) {
    const message = `Cannot run ${file.path}: ${error.message}`;
    return {
      kind: 'failed',
      path: file.path,
      error: { message, path: file.path, line: error.line, column: error.column },
      trace,
    };
  }

  const plans = planWorkflows(input, workflows, dialectRules[dialect], trace);
  if (plans.length === 0) {
    trace.push({
      subject: { kind: 'event' },
      rule: 'event.nothing-matched',
      verdict: 'skipped',
      values: { path: file.path },
    });
    return { kind: 'nothing', trace };
  }
  return { kind: 'planned', plan: { dialect, path: file.path, workflows: plans }, trace };
}

function refuseEvent({ event }: CompileInput): TraceEntry | undefined {
  if (!/^0+$/.test(event.commit)) return undefined;
  return { subject: { kind: 'event' }, rule: 'event.deleted-ref', verdict: 'skipped', values: { ref: event.ref } };
}

function planWorkflows(
  input: CompileInput,
  drafts: readonly WorkflowDraft[],
  rules: DialectRules,
  trace: TraceEntry[],
): WorkflowPlan[] {
  const facts = conditionFacts(input, rules);
  const matched = new Set<string>();
  for (const draft of drafts) {
    const subject = { kind: 'workflow', workflow: draft.name } as const;
    const mismatch = findMismatch(draft.trigger, facts, rules);
    if (mismatch) {
      trace.push({ subject, verdict: 'skipped', ...mismatchRule('trigger', mismatch) });
    } else {
      matched.add(draft.name);
      trace.push({ subject, rule: 'trigger.matched', verdict: 'ran', values: {} });
    }
  }
  return drafts
    .map((draft, index) => ({ draft, number: index + 1 }))
    .filter(({ draft }) => matched.has(draft.name))
    .map(({ draft, number }) =>
      planWorkflow(input, draft, { number, dependsOn: dependenciesThrough(draft, drafts, matched) }, rules, trace),
    );
}

/** Dependencies whose trigger did not match are resolved through them, to what those wait for (pipelines.md 10.6). */
function dependenciesThrough(
  draft: WorkflowDraft,
  drafts: readonly WorkflowDraft[],
  matched: ReadonlySet<string>,
): readonly string[] {
  const byName = new Map(drafts.map((candidate) => [candidate.name, candidate]));
  const found = new Set<string>();
  const seen = new Set<string>();
  const open = [...draft.dependsOn].reverse();
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (matched.has(name)) found.add(name);
    else open.push(...(byName.get(name)?.dependsOn.toReversed() ?? []));
  }
  return [...found];
}

function planWorkflow(
  input: CompileInput,
  draft: WorkflowDraft,
  place: { readonly number: number; readonly dependsOn: readonly string[] },
  rules: DialectRules,
  trace: TraceEntry[],
): WorkflowPlan {
  const subject = { kind: 'workflow', workflow: draft.name } as const;
  const identity: WorkflowIdentity = { name: draft.name, type: draft.type, ...place };
  const environmentOf = (name: string, number: number, environment: StepDraft['environment']): Record<string, string> =>
    stepEnvironment(
      input,
      { ...identity, workspace: draft.workspace, environment: draft.environment },
      { name, number, environment },
    );

  const steps: StepPlan[] = [];
  if (!draft.clone.isDisabled) {
    steps.push({
      name: cloneStepName,
      kind: 'clone',
      image: '',
      pull: 'default',
      commands: [],
      environment: environmentOf(cloneStepName, 1, {}),
      secrets: [],
      dependsOn: [],
      runOn: { success: true, failure: false },
      onFailure: 'fail',
      timeoutMs: input.stepTimeoutMs,
      line: draft.clone.line,
    });
  }
  const facts = conditionFacts(input, rules);
  for (const step of draft.steps) {
    const number = steps.length + 1;
    steps.push({
      ...planStep(input, draft.name, step, facts, rules, trace),
      environment: environmentOf(step.name, number, step.environment),
    });
  }

  const runnable = steps.filter((step) => step.kind !== 'clone' && !step.skipped);
  if (runnable.length === 0) trace.push({ subject, rule: 'workflow.nothing-to-do', verdict: 'noted', values: {} });
  const isBlocked = !hasRunner(draft.type);
  if (isBlocked) trace.push({ subject, rule: 'workflow.no-runner', verdict: 'blocked', values: { type: draft.type } });
  return {
    name: draft.name,
    dependsOn: place.dependsOn,
    runOn: runOnOf(draft.trigger, rules),
    workspace: draft.workspace,
    clone: { isDisabled: draft.clone.isDisabled, depth: draft.clone.depth },
    steps,
    ...(isBlocked ? { blocked: `no runner takes pipelines of the type "${draft.type}"` } : {}),
    earlySuccessExitCodes,
  };
}

function planStep(
  input: CompileInput,
  workflow: string,
  step: StepDraft,
  facts: ConditionFacts,
  rules: DialectRules,
  trace: TraceEntry[],
): Omit<StepPlan, 'environment'> {
  const subject = { kind: 'step', workflow, step: step.name } as const;
  const mismatch = findMismatch(step.when, facts, rules);
  const skipped: TraceEntry | undefined = mismatch && {
    subject,
    verdict: 'skipped',
    ...mismatchRule('step.when', mismatch),
  };
  if (skipped) trace.push(skipped);
  else if (hasConditions(step.when)) trace.push({ subject, rule: 'step.matched', verdict: 'noted', values: {} });
  for (const { secret, isRequired } of step.secrets) {
    if (skipped || input.secretNames.includes(secret)) continue;
    const verdict = isRequired ? 'failed' : 'noted';
    trace.push({ subject, rule: 'step.secret-missing', verdict, values: { secret } });
  }
  return {
    name: step.name,
    kind: step.kind,
    image: step.image,
    pull: step.pull,
    commands: step.commands,
    ...(step.entrypoint === undefined ? {} : { entrypoint: step.entrypoint }),
    ...(step.command === undefined ? {} : { command: step.command }),
    secrets: step.secrets,
    dependsOn: step.dependsOn,
    runOn: runOnOf(step.when, rules),
    onFailure: step.onFailure,
    ...(skipped ? { skipped } : {}),
    timeoutMs: step.timeoutMs ?? input.stepTimeoutMs,
    ...(step.user === undefined ? {} : { user: step.user }),
    ...(step.workingDirectory === undefined ? {} : { workingDirectory: step.workingDirectory }),
    line: step.line,
  };
}

function hasConditions(conditions: Conditions): boolean {
  return conditions.constraints.size > 0 || conditions.status !== undefined;
}

/** What `when` and `trigger` compare with. A push has no action, target or schedule: their value is empty. */
function conditionFacts({ event, project, instanceUrl }: CompileInput, rules: DialectRules): ConditionFacts {
  return {
    branch: [event.branch],
    event: rules.eventWords[event.kind],
    action: [''],
    ref: [event.ref],
    repo: [`${project.owner}/${project.name}`],
    instance: [URL.canParse(instanceUrl) ? new URL(instanceUrl).host : ''],
    target: [''],
    cron: [''],
  };
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
  const { line, column, message } = finding;
  return finding.severity === 'error'
    ? fileEntry('file.invalid', 'failed', { path, line, column, message })
    : fileEntry('file.warning', 'noted', { path, line, message });
}

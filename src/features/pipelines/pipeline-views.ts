import { traceSentence } from '../../api/messages/trace-sentences.ts';
import type { PipelineDetail, StepView, TraceView, WorkflowView } from '../../api/pipelines.ts';
import { pipelineView } from '../../api/views/pipeline-view.ts';
import type { Pipeline, PipelineError, Step, Workflow } from '../../core/pipeline.ts';
import type { StepPlan } from '../../core/plan.ts';
import type { TraceEntry } from '../../core/trace.ts';
import { placeText } from '../../engine/lint-report.ts';
import { messageInChinese, traceInChinese } from '../../engine/lint-sentences.zh.ts';

type Language = 'en' | 'zh';

const instant = (at: Date | undefined): string | null => at?.toISOString() ?? null;

export function pipelineDetail(
  pipeline: Pipeline,
  workflows: readonly Workflow[],
  steps: readonly Step[],
  waits: (workflow: Workflow) => TraceEntry | undefined,
  language: Language,
): PipelineDetail {
  const present = new Map(workflows.map(({ id, attempt }) => [id, attempt]));
  return {
    ...pipelineView(language === 'zh' ? { ...pipeline, error: errorInChinese(pipeline.error) } : pipeline),
    path: pipeline.path,
    message: pipeline.message,
    parameters: { ...pipeline.parameters },
    approval: pipeline.approval ?? null,
    isUntrusted: pipeline.trust === 'untrusted',
    pullRequest: pullRequestView(pipeline),
    workflows: workflows.map((workflow) => workflowView(workflow, waits(workflow), language)),
    steps: stepViews(
      workflows,
      steps.filter(({ workflowId, attempt }) => present.get(workflowId) === attempt),
      language,
    ),
  };
}

/** Why the file cannot be run: the rule that it breaks is known in Chinese too. */
function errorInChinese(error: PipelineError | undefined): PipelineError | undefined {
  if (!error || error.code === undefined || error.path === undefined) return error;
  const prefix = `Cannot run ${error.path}: `;
  const said = messageInChinese(error.code, error.message.slice(prefix.length), placeText(error.included));
  return { ...error, message: `无法运行 ${error.path}：${said}` };
}

function pullRequestView({ pullRequest }: Pipeline): PipelineDetail['pullRequest'] {
  if (!pullRequest) return null;
  const { number, title, source, sourceBranch } = pullRequest;
  return { number, title, source, sourceBranch };
}

function workflowView(workflow: Workflow, waitsFor: TraceEntry | undefined, language: Language): WorkflowView {
  return {
    name: workflow.name,
    status: workflow.status,
    attempt: workflow.attempt,
    dependsOn: [...workflow.plan.dependsOn],
    matrix: { ...workflow.plan.matrix },
    waitsFor: waitsFor ? traceSentence(waitsFor, language) : null,
    startedAt: instant(workflow.startedAt),
    finishedAt: instant(workflow.finishedAt),
  };
}

/** In the order of the file: workflows by position, then attempts, then steps. */
export function stepViews(workflows: readonly Workflow[], steps: readonly Step[], language: Language): StepView[] {
  const byId = new Map(workflows.map((workflow) => [workflow.id, workflow]));
  return steps
    .flatMap((step) => {
      const workflow = byId.get(step.workflowId);
      return workflow ? [{ step, workflow }] : [];
    })
    .toSorted(
      (a, b) =>
        a.workflow.position - b.workflow.position ||
        a.step.attempt - b.step.attempt ||
        a.step.position - b.step.position,
    )
    .map(({ step, workflow }) => stepView(step, workflow, language));
}

function stepView(step: Step, workflow: Workflow, language: Language): StepView {
  const plan = workflow.plan.steps[step.position];
  return {
    id: step.id,
    workflow: workflow.name,
    name: step.name,
    kind: kindOf(plan),
    image: plan?.image ?? '',
    status: step.status,
    attempt: step.attempt,
    exitCode: step.outcome?.kind === 'exited' ? step.outcome.exitCode : null,
    reason: reasonOf(step, language),
    ...reusedFrom(step),
    ...pushedBy(step),
    dependsOn: [...(plan?.dependsOn ?? [])],
    isIgnored: plan?.onFailure === 'ignore',
    line: plan?.line ?? 1,
    failure: step.failure
      ? { line: step.failure.line, lines: step.failure.lines.map(({ number, text }) => ({ number, text })) }
      : null,
    startedAt: instant(step.startedAt),
    finishedAt: instant(step.finishedAt),
  };
}

function reusedFrom({ reason }: Step): Pick<StepView, 'reusedFrom'> {
  if (reason?.rule !== 'reuse.taken') return {};
  const { number, workflow, step } = reason.values;
  return { reusedFrom: { number: Number(number), workflow: String(workflow), step: String(step) } };
}

function pushedBy({ outcome }: Step): Pick<StepView, 'pushed'> {
  if (outcome?.kind !== 'exited' || !outcome.pushed) return {};
  return { pushed: outcome.pushed.map(({ name, digest }) => ({ name, digest })) };
}

function kindOf(plan: StepPlan | undefined): StepView['kind'] {
  return plan?.background ?? (plan?.kind === 'clone' ? 'clone' : 'step');
}

/** The rule that decided; otherwise what the runtime said, where an exit code does not say it all. */
function reasonOf(step: Step, language: Language): string | null {
  if (step.reason) return traceSentence(step.reason, language);
  return step.outcome ? outcomeSentence(step.outcome, language) : null;
}

function outcomeSentence(outcome: NonNullable<Step['outcome']>, language: Language): string | null {
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const isEnglish = language === 'en';
  switch (outcome.kind) {
    case 'exited':
      return null;
    case 'killed':
      return isEnglish ? `killed by ${outcome.signal}` : `被信号 ${outcome.signal} 终止`;
    case 'oom':
      return isEnglish
        ? `out of memory (limit ${mib(outcome.limitBytes)})`
        : `内存不足（上限 ${mib(outcome.limitBytes)}）`;
    case 'disk-limit':
      return isEnglish ? `disk full (limit ${mib(outcome.limitBytes)})` : `磁盘已满（上限 ${mib(outcome.limitBytes)}）`;
    case 'timed-out':
      return isEnglish ? `timed out after ${outcome.timeoutMs / 1_000} s` : `超时（${outcome.timeoutMs / 1_000} 秒）`;
    case 'cancelled':
      return isEnglish ? `cancelled: ${outcome.reason}` : `已取消：${outcome.reason}`;
    case 'cannot-start':
      return isEnglish ? `cannot start: ${outcome.message}` : `无法启动：${outcome.message}`;
    case 'artifact-failed':
      return isEnglish ? outcome.message : `产物：${outcome.message}`;
    case 'infrastructure':
      return isEnglish ? `infrastructure: ${outcome.message}` : `基础设施故障：${outcome.message}`;
  }
}

export function traceView(entry: TraceEntry, language: Language): TraceView {
  const { subject } = entry;
  return {
    subject: {
      kind: subject.kind,
      ...('workflow' in subject ? { workflow: subject.workflow } : {}),
      ...('step' in subject ? { step: subject.step } : {}),
    },
    rule: entry.rule,
    verdict: entry.verdict,
    values: { ...entry.values },
    sentence: traceSentence(language === 'zh' ? traceInChinese(entry) : entry, language),
  };
}

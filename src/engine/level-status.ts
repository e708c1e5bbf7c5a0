import { isFinished, type PipelineStatus, type StepStatus, type WorkflowStatus } from '../core/pipeline.ts';

/** What a level sees of a child: where it stands, and whether its failure is to be ignored. */
export interface ChildStatus<Status extends StepStatus | WorkflowStatus> {
  readonly status: Status;
  readonly isIgnored?: boolean;
}

/**
 * How finished children end their parent; `undefined` while one of them has not finished. One that was cancelled is
 * cancelled, whatever those children say that ran all the same.
 */
export function endOf(
  children: readonly ChildStatus<StepStatus | WorkflowStatus>[],
  parent: { readonly isCancelled?: boolean } = {},
): 'passed' | 'failed' | 'cancelled' | 'infrastructure' | undefined {
  let end: 'passed' | 'failed' | 'infrastructure' = 'passed';
  let isCancelled = parent.isCancelled ?? false;
  for (const { status, isIgnored } of children) {
    if (!isFinished(status)) return undefined;
    if (status === 'cancelled') isCancelled = true;
    // Nobody's verdict on the code outweighs a verdict: what was not judged cannot be called a test failure.
    else if (status === 'infrastructure') end = 'infrastructure';
    else if (status === 'failed' && !isIgnored && end === 'passed') end = 'failed';
  }
  return isCancelled ? 'cancelled' : end;
}

/** Where a workflow stands, from its steps. `held` is what it is while none of them has started. */
export function workflowStatusOf(
  steps: readonly ChildStatus<StepStatus>[],
  held: 'blocked' | 'queued' | 'claimed',
  options: { readonly isCancelled?: boolean } = {},
): WorkflowStatus {
  const end = endOf(steps, options);
  if (end) return end;
  return steps.some(({ status }) => status === 'starting' || status === 'running') || steps.some(hasRun)
    ? 'running'
    : held;
}

/** Where a pipeline stands, from its workflows. One that only holds what nobody can take is `blocked`. */
export function pipelineStatusOf(workflows: readonly ChildStatus<WorkflowStatus>[]): PipelineStatus {
  const end = endOf(workflows);
  if (end) return end;
  const open = workflows.filter(({ status }) => !isFinished(status));
  if (open.some(({ status }) => status === 'running' || status === 'claimed')) return 'running';
  if (open.some(({ status }) => status === 'queued')) return open.length === workflows.length ? 'queued' : 'running';
  return 'blocked';
}

/** Whether the step has a verdict of its own; a skipped one has none and starts nothing. */
function hasRun({ status }: ChildStatus<StepStatus>): boolean {
  return status !== 'skipped' && isFinished(status);
}

import type { CancelCause } from '../core/pipeline.ts';
import type { StepPlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';

/** How long a step may run once its workflow was cancelled, in milliseconds (pipelines.md 13.1). */
export const afterCancelLimitMs = 60_000;

/** What cancelled a step, as its reason says it. */
export function cancelReason(by: string, cause: CancelCause | undefined): Pick<TraceEntry, 'rule' | 'values'> {
  if (cause?.kind === 'timed-out') return { rule: 'step.pipeline-timed-out', values: { timeoutMs: cause.timeoutMs } };
  if (cause?.kind === 'step-failed') return { rule: 'step.cancelled-by-step', values: { step: cause.step } };
  return { rule: 'step.cancelled', values: { by } };
}

/** Whether a failure of the step cancels what is left of its workflow. */
export function cancelsRest(plan: Pick<StepPlan, 'onFailure'> | undefined): boolean {
  return plan?.onFailure === 'cancel-workflow' || plan?.onFailure === 'cancel-pipeline';
}

/** Whether the step runs once its workflow was cancelled: nothing that runs beside others does, nor what was left out. */
export function runsAfterCancel({ runOn, background, skipped }: StepPlan): boolean {
  return runOn.cancelled === true && background === undefined && skipped === undefined;
}

/** The time limit of a step that runs after a cancel: a shorter one of its own stays. */
export function limitAfterCancelMs({ timeoutMs }: Pick<StepPlan, 'timeoutMs'>): number {
  return Math.min(timeoutMs, afterCancelLimitMs);
}

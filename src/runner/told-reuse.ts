import { isFinished } from '../core/pipeline.ts';
import type { StepPlan } from '../core/plan.ts';
import type { ReuseReport } from '../core/step-reuse.ts';
import type { TraceEntry } from '../core/trace.ts';
import type { StepState, WorkflowState } from '../engine/advance-state.ts';
import type { ReuseDecision, ReuseDecisions } from './step-reuse.ts';

/** A workflow whose steps are all reused: those have passed, and what is there only for them is skipped. */
export function endedAsReused(workflow: WorkflowState, reuse: ReuseDecisions): WorkflowState {
  const { plan } = workflow;
  const steps = workflow.steps.map((state, position): StepState => {
    if (isFinished(state.status)) return state;
    if (reuse.steps.get(position)?.use?.kind === 'take') return { ...state, status: 'passed' };
    const step = plan.steps[position]!;
    const subject = { kind: 'step', workflow: plan.name, step: step.name } as const;
    return { ...state, status: 'skipped', reason: { subject, verdict: 'skipped', ...whyLeftOut(step) } };
  });
  return { ...workflow, steps };
}

/** Why a step has nothing to do where all others are reused. */
function whyLeftOut({ background, kind }: StepPlan): Pick<TraceEntry, 'rule' | 'values'> {
  if (kind === 'clone') return { rule: 'reuse.no-checkout', values: {} };
  if (background) return { rule: 'step.nothing-beside', values: {} };
  return { rule: 'step.when.status', values: { wanted: 'failure', actual: 'success' } };
}

/** What is told of a step that has ended: a miss when it had its turn, reuse when it was put back. */
export function reuseReportOf(
  decision: ReuseDecision | undefined,
  { startedAtMs, status }: StepState,
): ReuseReport | undefined {
  if (!decision) return undefined;
  const isTrue = decision.report.result === 'missed' ? startedAtMs !== undefined : status === 'passed';
  return isTrue ? decision.report : undefined;
}

import type { StepStatus, WorkflowStatus } from '../core/pipeline.ts';
import type { WorkflowPlan } from '../core/plan.ts';

/** What it takes of a workflow to say whether it runs again by itself. */
export interface RetriedWorkflow {
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly plan: WorkflowPlan;
  /** How often it did so since a person ran it last. */
  readonly retries: number;
  /** Of its present attempt. */
  readonly steps: readonly { readonly position: number; readonly status: StepStatus }[];
}

/**
 * The workflows of a pipeline that are run again by themselves: those that nobody's verdict ended, where each step to
 * which that happened asks for it and has runs left. None when the pipeline was cancelled, or has a verdict.
 */
export function chooseRetries<Candidate extends RetriedWorkflow>(
  workflows: readonly Candidate[],
): readonly Candidate[] {
  if (workflows.some(({ status }) => status === 'cancelled')) return [];
  return workflows.filter(({ plan, retries, status, steps }) => {
    if (status !== 'infrastructure') return false;
    const lost = steps.filter((step) => step.status === 'infrastructure');
    return lost.length > 0 && lost.every(({ position }) => retries + 1 < runsOf(plan, position));
  });
}

function runsOf({ steps }: WorkflowPlan, position: number): number {
  return steps[position]?.retry?.infrastructure ?? 1;
}

import { isFinished } from '../../core/pipeline.ts';
import type { WorkflowPlan } from '../../core/plan.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { StepState, WorkflowState } from '../../engine/advance-state.ts';
import { type SecretFacts, secretRefusal } from './secret-refusals.ts';

/** Whether a step of the workflow must have a secret (`.gantry.yml`); elsewhere a missing one is left unset. */
export function needsSecrets({ plan }: { readonly plan: WorkflowPlan }): boolean {
  return plan.steps.some(({ secrets }) => secrets.some(({ isRequired }) => isRequired));
}

/**
 * How a workflow ends, before its first step, that is not given a required secret; `undefined` when it is given all.
 * Secrets and their limits may change between the plan and the start, so what the plan saw does not tell.
 */
export function endForMissingSecret(state: WorkflowState, facts: SecretFacts): WorkflowState | undefined {
  const { plan, steps } = state;
  const isOpen = (position: number): boolean => !isFinished(steps[position]!.status);
  const missing = plan.steps.flatMap((step, position) =>
    step.secrets.flatMap(({ isRequired, secret }) => {
      const refusal = isRequired && isOpen(position) ? secretRefusal(step, secret, facts) : undefined;
      return refusal ? [{ refusal, position }] : [];
    }),
  )[0];
  if (!missing) return undefined;
  // The failure has to count, also when the step itself may fail.
  const counting = plan.steps.findIndex(({ onFailure }, position) => onFailure === 'fail' && isOpen(position));
  const isCounted = plan.steps[missing.position]!.onFailure === 'fail' || counting === -1;
  const carrier = isCounted ? missing.position : counting;

  const end = (step: StepState, position: number): StepState => {
    if (isFinished(step.status)) return step;
    const subject = { kind: 'step', workflow: plan.name, step: plan.steps[position]!.name } as const;
    const reason: TraceEntry =
      position === carrier
        ? { subject, verdict: 'failed', ...missing.refusal }
        : { subject, rule: 'step.after-failure', verdict: 'skipped', values: { step: plan.steps[carrier]!.name } };
    return { ...step, status: position === carrier ? 'failed' : 'skipped', reason };
  };
  return { ...state, steps: steps.map(end) };
}

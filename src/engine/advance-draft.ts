import { type FinishedStatus, isFinished, type Outcome } from '../core/pipeline.ts';
import type { StepPlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';
import { type Effect, hasStarted, isRunning, type StepState, type WorkflowState } from './advance-state.ts';

/** A copy that is written to while one occurrence is worked out. */
export class Draft {
  workflow: WorkflowState;
  isChanged = false;
  readonly effects: Effect[] = [];
  readonly #steps: StepState[];

  constructor(workflow: WorkflowState) {
    this.#steps = [...workflow.steps];
    this.workflow = { ...workflow, steps: this.#steps };
  }

  step(position: number): StepState | undefined {
    return this.#steps[position];
  }

  plan(position: number): StepPlan {
    return this.workflow.plan.steps[position]!;
  }

  set(change: Partial<WorkflowState>): void {
    this.isChanged = true;
    this.workflow = { ...this.workflow, ...change, steps: this.#steps };
  }

  setStep(position: number, change: Partial<StepState>): void {
    this.isChanged = true;
    this.#steps[position] = { ...this.#steps[position]!, ...change };
  }

  /** Ends the step; what was staged for it and never ran is torn down. */
  end(position: number, status: FinishedStatus, reason: TraceEntry | undefined, outcome?: Outcome): void {
    const step = this.#steps[position]!;
    if (step.isStaged && !hasStarted(step)) this.effects.push({ type: 'discard', step: position });
    this.setStep(position, {
      status,
      isStaged: false,
      ...(reason ? { reason } : {}),
      ...(outcome ? { outcome } : {}),
    });
  }

  reason(
    position: number,
    rule: TraceEntry['rule'],
    verdict: TraceEntry['verdict'],
    values: TraceEntry['values'],
  ): TraceEntry {
    const { plan } = this.workflow;
    return { subject: { kind: 'step', workflow: plan.name, step: plan.steps[position]!.name }, rule, verdict, values };
  }

  /** Whether all that it waits for has ended; of those that run beside the others, whether they are up. */
  haveDependenciesEnded(position: number): boolean {
    return this.#everyDependency(position, (step) => hasPassed(step) || step.isUp === true);
  }

  /** Whether all that it waits for has ended, runs, or is staged itself: it may be next. */
  areDependenciesUnderWay(position: number): boolean {
    return this.#everyDependency(position, (step) => hasPassed(step) || step.isStaged || isRunning(step));
  }

  /**
   * A name that no step has is nothing to wait for (pipelines.md 10.5). Who waits for a step that is left out waits for
   * what that one would have waited for: else a condition in the middle of a chain would let its end overtake its beginning.
   */
  #everyDependency(position: number, holds: (step: StepState) => boolean): boolean {
    const positions = dependencyPositions(this.workflow);
    let leftOut: Set<number> | undefined;
    for (const dependency of positions[position]!) {
      const step = this.#steps[dependency]!;
      if (!holds(step)) return false;
      if (isLeftOut(step)) (leftOut ??= new Set()).add(dependency);
    }
    // A set that grows while it is walked through: each is looked at once.
    for (const one of leftOut ?? [])
      for (const dependency of positions[one]!) {
        const step = this.#steps[dependency]!;
        if (!holds(step)) return false;
        if (isLeftOut(step)) leftOut?.add(dependency);
      }
    return true;
  }
}

/** Whether nobody need wait for it any more: it has ended, or its turn is over. */
export function hasPassed({ status, passedOver }: StepState): boolean {
  return isFinished(status) || passedOver !== undefined;
}

function isLeftOut({ status, passedOver }: StepState): boolean {
  return status === 'skipped' || passedOver !== undefined;
}

const positionsOfPlans = new WeakMap<object, readonly (readonly number[])[]>();

/** Names are looked up once per plan: they are asked for at every occurrence. */
function dependencyPositions({ plan }: WorkflowState): readonly (readonly number[])[] {
  let positions = positionsOfPlans.get(plan);
  if (!positions) {
    const byName = new Map(plan.steps.map((step, position) => [step.name, position]));
    positions = plan.steps.map((step, own) =>
      step.dependsOn.flatMap((name) => {
        const position = byName.get(name);
        return position === undefined || position === own ? [] : [position];
      }),
    );
    positionsOfPlans.set(plan, positions);
  }
  return positions;
}

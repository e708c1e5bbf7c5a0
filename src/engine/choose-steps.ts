import type { PipelinePlan, StepPlan, WorkflowPlan } from '../core/plan.ts';

export interface StepChoice {
  /** `step` or `workflow/step`; empty = all of them. */
  readonly steps: readonly string[];
  /** Names of workflows; empty = all of them. */
  readonly workflows: readonly string[];
  /** Leaves out what the chosen ones wait for. The checkout and services always stay. */
  readonly isAlone: boolean;
}

/** Names that a choice has and the plan has not; then nothing is chosen. */
export type ChosenSteps =
  | { readonly kind: 'chosen'; readonly plan: PipelinePlan }
  | { readonly kind: 'unknown'; readonly names: readonly string[] };

/** The part of a plan that is chosen, in the order that the whole has. */
export function chooseSteps(plan: PipelinePlan, choice: StepChoice): ChosenSteps {
  const { isAlone } = choice;
  const namedWorkflows = plan.workflows.filter(({ name }) => choice.workflows.includes(name));
  const scope = choice.workflows.length === 0 ? plan.workflows : namedWorkflows;
  const stepsOf = new Map(scope.map((workflow) => [workflow, namedSteps(workflow, choice.steps)]));
  const unknown = [
    ...choice.workflows.filter((name) => !plan.workflows.some((workflow) => workflow.name === name)),
    ...choice.steps.filter((name) => !scope.some((workflow) => namedSteps(workflow, [name]).size > 0)),
  ];
  if (unknown.length > 0) return { kind: 'unknown', names: unknown };
  if (choice.steps.length === 0 && choice.workflows.length === 0) return { kind: 'chosen', plan };

  const chosen = scope.filter((workflow) => choice.steps.length === 0 || stepsOf.get(workflow)!.size > 0);
  const kept = isAlone ? new Set(chosen) : withDependencies(plan.workflows, chosen);
  const workflows = plan.workflows
    .filter((workflow) => kept.has(workflow))
    .map((workflow) => {
      const dependsOn = workflow.dependsOn.filter((name) => [...kept].some((other) => other.name === name));
      const steps = chosen.includes(workflow) && choice.steps.length > 0 ? stepsOf.get(workflow)! : undefined;
      return { ...workflow, dependsOn, ...(steps && { steps: narrowed(workflow, steps, isAlone) }) };
    });
  return { kind: 'chosen', plan: { ...plan, workflows } };
}

function namedSteps(workflow: WorkflowPlan, names: readonly string[]): ReadonlySet<StepPlan> {
  return new Set(
    workflow.steps.filter(({ name }) => names.some((given) => given === name || given === `${workflow.name}/${name}`)),
  );
}

function withDependencies(all: readonly WorkflowPlan[], chosen: readonly WorkflowPlan[]): ReadonlySet<WorkflowPlan> {
  const kept = new Set<WorkflowPlan>();
  const keep = (workflow: WorkflowPlan): void => {
    if (kept.has(workflow)) return;
    kept.add(workflow);
    for (const other of all) if (workflow.dependsOn.includes(other.name)) keep(other);
  };
  for (const workflow of chosen) keep(workflow);
  return kept;
}

/** Those steps with what they wait for, or alone; what is left out in between passes its own waiting on. */
function narrowed({ steps }: WorkflowPlan, chosen: ReadonlySet<StepPlan>, isAlone: boolean): readonly StepPlan[] {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const kept = new Set(steps.filter((step) => chosen.has(step) || step.kind === 'clone' || step.background));
  const keep = (step: StepPlan): void => {
    for (const name of step.dependsOn) {
      const dependency = byName.get(name);
      if (!dependency || kept.has(dependency)) continue;
      kept.add(dependency);
      keep(dependency);
    }
  };
  if (!isAlone) for (const step of chosen) keep(step);

  const waitsOf = (step: StepPlan): readonly string[] => {
    const waits = new Set<string>();
    const seen = new Set<StepPlan>([step]);
    const look = (one: StepPlan): void => {
      for (const name of one.dependsOn) {
        const dependency = byName.get(name);
        if (!dependency || seen.has(dependency)) continue;
        seen.add(dependency);
        if (kept.has(dependency)) waits.add(name);
        else look(dependency);
      }
    };
    look(step);
    return [...waits];
  };
  return steps.filter((step) => kept.has(step)).map((step) => ({ ...step, dependsOn: waitsOf(step) }));
}

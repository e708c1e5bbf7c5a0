import { cloneStepName } from './order-steps.ts';
import type { Dependency, StepDraft, StepOrder } from './workflow-draft.ts';

/** A dependency that keeps the file from running: of a step that is not there, or that its conditions left out. */
export interface OrderFault {
  readonly code: 'step.dependency-unknown' | 'step.dependency-filtered' | 'step.cycle' | 'step.name-duplicate';
  readonly at: Dependency['at'];
  readonly message: string;
}

/**
 * What each step waits for in `stages` and `levels` (pipelines.md 9.4, 11.5): all of the stage before its own. Steps whose
 * conditions did not match are left out first, so that one between two members of a group does not part them.
 */
export function orderJob(
  steps: readonly StepDraft[],
  matched: ReadonlySet<StepDraft>,
  order: Exclude<StepOrder, 'graph'>,
  hasClone: boolean,
): { readonly dependsOn: ReadonlyMap<StepDraft, readonly string[]>; readonly faults: readonly OrderFault[] } {
  const running = steps.filter((step) => matched.has(step));
  const faults: OrderFault[] = [];
  const stages =
    order === 'levels' && running.some(({ needs }) => needs !== undefined)
      ? levelsOf(steps, running, faults)
      : stagesOf(running);
  const dependsOn = new Map<StepDraft, readonly string[]>();
  let before: readonly string[] = hasClone ? [cloneStepName] : [];
  for (const stage of stages) {
    for (const step of stage) dependsOn.set(step, before);
    before = stage.map(({ name }) => name);
  }
  return { dependsOn, faults };
}

/** Neighbours with the same group run together. */
function stagesOf(steps: readonly StepDraft[]): readonly (readonly StepDraft[])[] {
  const stages: StepDraft[][] = [];
  for (const step of steps) {
    const last = stages.at(-1);
    if (last && step.group !== '' && last[0]?.group === step.group) last.push(step);
    else stages.push([step]);
  }
  return stages;
}

function levelsOf(
  all: readonly StepDraft[],
  steps: readonly StepDraft[],
  faults: OrderFault[],
): readonly (readonly StepDraft[])[] {
  const known = new Set(all.map(({ name }) => name));
  const runs = new Set(steps.map(({ name }) => name));
  const open = new Map<StepDraft, ReadonlySet<string>>();
  for (const step of steps) {
    const needs = new Set<string>();
    for (const need of step.needs ?? []) {
      if (runs.has(need.name)) needs.add(need.name);
      else if (!need.isOptional)
        faults.push({
          code: known.has(need.name) ? 'step.dependency-filtered' : 'step.dependency-unknown',
          at: need.at,
          message: known.has(need.name)
            ? `step "${step.name}" needs "${need.name}", which its conditions leave out here: say "optional: true"`
            : `no step is named "${need.name}"`,
        });
    }
    open.set(step, needs);
  }

  const levels: StepDraft[][] = [];
  const done = new Set<string>();
  while (open.size > 0) {
    const level = [...open].filter(([, needs]) => needs.isSubsetOf(done)).map(([step]) => step);
    if (level.length === 0) {
      const [[step] = []] = open;
      const names = [...open.keys()].map(({ name }) => `"${name}"`).join(', ');
      const at = step?.needs?.[0]?.at ?? { line: step?.line ?? 1, column: 1 };
      faults.push({
        code: 'step.cycle',
        at,
        message: `steps wait for each other: ${names}; take one "depends_on" away`,
      });
      break;
    }
    for (const step of level) {
      open.delete(step);
      done.add(step.name);
    }
    levels.push(level);
  }
  return levels;
}

import { cloneStepName } from './order-steps.ts';
import type { Dependency, StepDraft, StepOrder } from './workflow-draft.ts';

/** What keeps a file from running at this event: a step that its conditions left out, or a name that two have. */
export interface OrderFault {
  readonly code: 'step.dependency-filtered' | 'step.name-duplicate';
  readonly at: Dependency['at'];
  readonly message: string;
}

export interface OrderedJob {
  /** A name of its own for each step, also where the file has one twice. */
  readonly names: ReadonlyMap<StepDraft, string>;
  readonly dependsOn: ReadonlyMap<StepDraft, readonly string[]>;
  readonly faults: readonly OrderFault[];
}

/**
 * What each step waits for in `stages` and `levels` (pipelines.md 9.4, 11.5): all of the stage before its own. Steps whose
 * conditions did not match are left out first, so that one between two members of a group does not part them. Services
 * are the first stage, after the checkout.
 */
export function orderJob(
  steps: readonly StepDraft[],
  matched: ReadonlySet<StepDraft>,
  order: Exclude<StepOrder, 'graph'>,
  hasClone: boolean,
): OrderedJob {
  const matching = steps.filter((step) => matched.has(step));
  const names = ownNames([...matching, ...steps.filter((step) => !matched.has(step))], hasClone);
  const running = matching.filter(({ background }) => background !== 'service');
  const services = matching.filter(({ background }) => background === 'service');
  const faults: OrderFault[] = [];
  const isByNeeds = order === 'levels' && running.some(({ needs }) => needs !== undefined);
  if (isByNeeds)
    faults.push(
      ...findNameFaults(
        running,
        steps.filter(({ background }) => background !== 'service'),
      ),
    );
  const stages = isByNeeds ? levelsOf(running) : stagesOf(running);
  const dependsOn = new Map<StepDraft, readonly string[]>();
  const checkout = hasClone ? [cloneStepName] : [];
  for (const service of services) dependsOn.set(service, checkout);
  let before: readonly string[] = [...checkout, ...services.map((service) => names.get(service)!)];
  for (const stage of stages) {
    for (const step of stage) dependsOn.set(step, before);
    before = stage.map((step) => names.get(step)!);
  }
  return { names, dependsOn, faults };
}

/** Both of two steps with one name run; the second is told apart by a number, and so is one named as the checkout. */
function ownNames(steps: readonly StepDraft[], hasClone: boolean): ReadonlyMap<StepDraft, string> {
  const used = new Set(hasClone ? [cloneStepName] : []);
  const numbers = new Map<string, number>();
  const names = new Map<StepDraft, string>();
  for (const step of steps) {
    let { name } = step;
    if (used.has(name)) {
      let number = numbers.get(step.name) ?? 2;
      for (; used.has(name); number += 1) name = `${step.name} (${number})`;
      numbers.set(step.name, number);
    }
    used.add(name);
    names.set(step, name);
  }
  return names;
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

/** By names of the file: what a step needs must run, and only one may have its name. */
function findNameFaults(running: readonly StepDraft[], all: readonly StepDraft[]): readonly OrderFault[] {
  const known = new Set(all.map(({ name }) => name));
  const first = new Map<string, StepDraft>();
  const faults: OrderFault[] = [];
  for (const step of running) {
    const before = first.get(step.name);
    if (before)
      faults.push({
        code: 'step.name-duplicate',
        at: { line: step.line, column: 1 },
        message: `a step named "${step.name}" stands in line ${before.line} already, and "depends_on" could mean either`,
      });
    else first.set(step.name, step);
  }
  for (const step of running)
    for (const { name, isOptional, at } of step.needs ?? [])
      if (!isOptional && known.has(name) && !first.has(name))
        faults.push({
          code: 'step.dependency-filtered',
          at,
          message: `step "${step.name}" needs "${name}", which its conditions leave out here: say "optional: true"`,
        });
  return faults;
}

/** Each level holds the steps whose needs are all in levels before it; what does not run is not waited for. */
function levelsOf(steps: readonly StepDraft[]): readonly (readonly StepDraft[])[] {
  const running = new Set(steps.map(({ name }) => name));
  const levels: StepDraft[][] = [];
  const done = new Set<string>();
  const isReady = ({ needs = [] }: StepDraft): boolean =>
    needs.every(({ name }) => done.has(name) || !running.has(name));
  let open = steps;
  while (open.length > 0) {
    const level = open.filter(isReady);
    // A circle: the file was refused when it was read.
    if (level.length === 0) return levels;
    open = open.filter((step) => !isReady(step));
    for (const step of level) done.add(step.name);
    levels.push(level);
  }
  return levels;
}

import type { DocumentReader } from './document-reader.ts';
import { findCycle } from './find-cycle.ts';
import type { WrittenStep } from './read-step.ts';
import { lineText } from './source-position.ts';
import type { StepDraft } from './workflow-draft.ts';

/** Name of the checkout, the first step of every workflow that has one. */
export const cloneStepName = 'clone';
/** Name of the step that puts artifacts of other workflows into the workspace; all that comes after the checkout waits for it. */
export const artifactsStepName = 'artifacts';

/**
 * Says what each step waits for (pipelines.md 10.5): as soon as one step has `depends_on`, each waits for what it
 * names; otherwise each waits for the one before. Whoever would wait for nothing waits for the checkout, and steps also
 * for the services, which come first.
 */
export function orderSteps(
  reader: DocumentReader,
  written: readonly WrittenStep[],
  hasClone: boolean,
  takesArtifacts = false,
): StepDraft[] {
  /** What is there before the first step begins. */
  const first = takesArtifacts ? artifactsStepName : hasClone ? cloneStepName : undefined;
  const positions = new Map<string, number>();
  for (const [index, step] of written.entries()) {
    const { node, draft } = step;
    const { name } = draft;
    if (name === '') continue;
    if (name === cloneStepName && hasClone) {
      reader.add('step.name-invalid', node, 'a step may not be named "clone": the checkout has this name');
      continue;
    }
    if (name === artifactsStepName && takesArtifacts) {
      const message = 'a step may not be named "artifacts" beside "use": what takes the artifacts has this name';
      reader.add('step.name-invalid', node, message);
      continue;
    }
    const before = positions.get(name);
    if (before !== undefined) {
      const where = lineText(written[before]?.draft ?? { line: 0 });
      reader.add('step.name-duplicate', node, `a step named "${name}" stands in ${where} already`);
      continue;
    }
    positions.set(name, index);
  }

  const isGraph = written.some((step) => step.dependsOn.length > 0);
  const services = new Set(written.filter(isService).map(({ draft }) => draft.name));
  const dependencies = new Map<string, readonly string[]>();
  const steps = written.map((step, index): StepDraft => {
    const names = isGraph
      ? namedDependencies(reader, step, { index, positions, hasClone, services })
      : nameOf(written[index - 1]);
    const isFirst = names.every((name) => name === cloneStepName || services.has(name));
    const dependsOn = isFirst
      ? [...new Set([...(first === undefined ? [] : [first]), ...names, ...(isService(step) ? [] : services)])]
      : names;
    const { name } = step.draft;
    if (isGraph && positions.get(name) === index) dependencies.set(name, dependsOn);
    return { ...step.draft, dependsOn };
  });

  // Steps that follow each other in the order of the file have no circle.
  const cycle = isGraph ? findCycle(dependencies) : undefined;
  if (cycle) {
    const first = written.find((step) => step.draft.name === cycle[0]);
    const message = `steps wait for each other: ${[...cycle, cycle[0]].map((name) => `"${name}"`).join(' → ')}; take one "depends_on" away`;
    if (first) reader.add('step.cycle', first.dependsOn[0]?.node ?? first.node, message);
  }
  return steps;
}

function isService({ draft }: WrittenStep): boolean {
  return draft.background === 'service';
}

/** Of the step before, which the next waits for unless it is a service. */
function nameOf(step: WrittenStep | undefined): readonly string[] {
  return step && !isService(step) ? [step.draft.name] : [];
}

function namedDependencies(
  reader: DocumentReader,
  step: WrittenStep,
  {
    index,
    positions,
    hasClone,
    services,
  }: {
    readonly index: number;
    readonly positions: ReadonlyMap<string, number>;
    readonly hasClone: boolean;
    readonly services: ReadonlySet<string>;
  },
): string[] {
  const names = new Set<string>();
  for (const { name, node } of step.dependsOn) {
    const position = positions.get(name);
    if (position !== undefined && isService(step) && !services.has(name)) {
      reader.add(
        'step.dependency-unknown',
        node,
        `the service "${step.draft.name}" starts before the steps, so it cannot wait for "${name}"`,
      );
    } else if (position !== undefined) {
      if (services.has(name) && !isService(step) && reader.rules.dialect === 'drone1') {
        reader.add(
          'step.dependency-on-service',
          node,
          `"${name}" is a service, and Drone refuses to wait for one: each step waits for all services here`,
        );
      } else if (position > index && reader.rules.dialect === 'drone1') {
        reader.add(
          'step.dependency-later',
          node,
          `"${name}" is defined below "${step.draft.name}": Drone refuses that order`,
        );
      }
      names.add(name);
    } else if (name === cloneStepName) {
      if (hasClone) names.add(name);
      else reader.add('step.dependency-on-clone', node, 'there is no checkout to wait for, since "clone" is disabled');
    } else {
      reader.add('step.dependency-unknown', node, `no step is named "${name}"${nearest(name, positions.keys())}`);
    }
  }
  return [...names];
}

/** `: did you mean "build"?` where a name differs by case, space or one character. */
function nearest(name: string, candidates: Iterable<string>): string {
  const all = [...candidates].slice(0, 100);
  const found = all.find((candidate) => isNear(candidate.toLowerCase(), name.toLowerCase()));
  if (found !== undefined) return `: did you mean "${found}"?`;
  const shown = all.slice(0, 8).map((candidate) => `"${candidate}"`);
  return shown.length === 0 ? '' : `: there are ${shown.join(', ')}${all.length > shown.length ? ', …' : ''}`;
}

/** Equal but for one character added, missing or changed. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  const [restA, restB] = [a.slice(head), b.slice(head)];
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1);
}

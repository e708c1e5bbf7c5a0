import type { Conditions } from './conditions.ts';
import type { WorkflowDraft } from './workflow-draft.ts';

/** What a name of a target is made of; a glob stands for many and names none. */
const plainName = /^[^\s*?[\]{}!\\$]{1,100}$/;

/**
 * Targets of promotions that the conditions of a file name: `target` in Drone 1.x and `.gantry.yml`, `environment` in
 * Drone 0.8 and Woodpecker (pipelines.md 7). Those that a condition only excludes are not among them.
 */
export function namedTargets(workflows: readonly WorkflowDraft[]): readonly string[] {
  const conditions = workflows.flatMap(({ trigger, steps }) => [trigger, ...steps.map(({ when }) => when)]);
  return [...new Set(conditions.flatMap(targetsOf))];
}

function targetsOf({ alternatives }: Conditions): readonly string[] {
  return alternatives
    .flatMap(({ constraints }) => constraints.get('target')?.include ?? [])
    .filter((target) => plainName.test(target));
}

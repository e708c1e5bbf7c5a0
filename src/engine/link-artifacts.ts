import type { TakenArtifact } from '../core/plan.ts';
import { findCycle } from './find-cycle.ts';
import type { LinkedWorkflow, PlacedWorkflow } from './link-workflows.ts';

interface Maker {
  readonly workflow: PlacedWorkflow;
  readonly step: string;
}

/** What a workflow takes of the artifacts of others, and whom it waits for because of it. */
export interface LinkedArtifacts {
  readonly takes: readonly TakenArtifact[];
  readonly dependsOn: readonly string[];
}

/**
 * Finds who makes each artifact that a workflow uses: a workflow waits for the makers of what it uses as if `depends_on`
 * named them. Names that two make, and workflows that wait for each other, are found at their lines.
 */
export function linkArtifacts(
  placed: readonly PlacedWorkflow[],
  linked: readonly LinkedWorkflow[],
  isLeft: (workflow: PlacedWorkflow, step: string) => boolean,
): ReadonlyMap<PlacedWorkflow, LinkedArtifacts> {
  if (!placed.some(({ draft }) => draft.uses ?? draft.steps.some(({ artifacts }) => artifacts))) return new Map();
  const matched = new Set(linked.map(({ workflow }) => workflow));
  const makers = findMakers(placed, matched, isLeft);
  const found = new Map<PlacedWorkflow, LinkedArtifacts>();
  for (const workflow of matched) {
    const takes: TakenArtifact[] = [];
    const dependsOn = new Set<string>();
    for (const use of workflow.draft.uses ?? []) {
      const maker = makers.get(use.name);
      // What nobody makes was found when the file was read.
      if (!maker || maker.workflow === workflow) continue;
      takes.push({ name: use.name, workflow: maker.workflow.name, path: use.path });
      if (matched.has(maker.workflow)) dependsOn.add(maker.workflow.name);
    }
    found.set(workflow, { takes, dependsOn: [...dependsOn] });
  }
  refuseCycle(linked, found);
  return found;
}

/** By the name of the artifact. One that runs goes before one that does not. */
function findMakers(
  placed: readonly PlacedWorkflow[],
  matched: ReadonlySet<PlacedWorkflow>,
  isLeft: (workflow: PlacedWorkflow, step: string) => boolean,
): ReadonlyMap<string, Maker> {
  const makers = new Map<string, Maker & { readonly counts: boolean }>();
  for (const workflow of placed)
    for (const step of workflow.draft.steps)
      for (const { name, at } of step.artifacts ?? []) {
        const counts = matched.has(workflow) && isLeft(workflow, step.name);
        const other = makers.get(name);
        if (other?.counts && counts) {
          const who = other.workflow === workflow ? `step "${other.step}"` : `the workflow "${other.workflow.name}"`;
          const tail =
            other.workflow !== workflow && other.workflow.draft.name === workflow.draft.name
              ? ': put a value of the matrix into the name, as "${AXIS}"'
              : ': give this one another name';
          workflow.file.report.add('artifact.duplicate', at, `${who} makes an artifact "${name}" too${tail}`);
        } else if (!other || (counts && !other.counts)) makers.set(name, { workflow, step: step.name, counts });
      }
  return makers;
}

function refuseCycle(linked: readonly LinkedWorkflow[], artifacts: ReadonlyMap<PlacedWorkflow, LinkedArtifacts>): void {
  const cycle = findCycle(
    new Map(
      linked.map(({ workflow, dependsOn }) => [
        workflow.name,
        [...dependsOn, ...(artifacts.get(workflow)?.dependsOn ?? [])],
      ]),
    ),
  );
  const user = linked.find(({ workflow }) => cycle?.includes(workflow.name) && workflow.draft.uses);
  const at = user?.workflow.draft.uses?.[0]?.at;
  if (!cycle || !user || !at) return;
  const names = [...cycle, cycle[0]].map((name) => `"${name}"`).join(' → ');
  user.workflow.file.report.add('workflow.cycle', at, `workflows wait for each other: ${names}`);
}

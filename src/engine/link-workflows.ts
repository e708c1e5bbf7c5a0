import type { Dialect } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';
import { axisText } from './conditions.ts';
import { findCycle } from './find-cycle.ts';
import type { PipelineFileDraft } from './read-pipeline-file.ts';
import type { WorkflowDraft } from './workflow-draft.ts';

/** A workflow, the file in which it stands, and the name that it alone has. */
export interface PlacedWorkflow {
  readonly file: PipelineFileDraft;
  readonly draft: WorkflowDraft;
  readonly name: string;
  /** Counts from 1 over all files. */
  readonly number: number;
}

/** A workflow that is going to run, and the names of those that it waits for. */
export interface LinkedWorkflow {
  readonly workflow: PlacedWorkflow;
  readonly dependsOn: readonly string[];
}

const maxNameLength = 100;

/** All workflows of all files; those of one matrix are told apart by their values, or else by a number. */
export function placeWorkflows(files: readonly PipelineFileDraft[]): readonly PlacedWorkflow[] {
  const used = new Set<string>();
  return files
    .flatMap((file) => file.workflows.map((draft) => ({ file, draft })))
    .map(({ file, draft }, index) => {
      const axes = axisText(draft.matrix);
      const wanted = axes === '' ? draft.name : `${draft.name} (${axes})`;
      let name = wanted.length <= maxNameLength ? wanted : `${draft.name} (1)`;
      for (let number = 2; used.has(name); number += 1) name = `${draft.name} (${number})`;
      used.add(name);
      return { file, draft, name, number: index + 1 };
    });
}

/**
 * Ties workflows together. Drone looks through what did not match to what that waits for (pipelines.md 10.6); in
 * Woodpecker whoever needs one that vanished vanishes too (pipelines.md 11.5). Workflows of one matrix share their name
 * in the file, and whoever waits for it waits for all of them.
 */
export function linkWorkflows(
  placed: readonly PlacedWorkflow[],
  matched: Set<PlacedWorkflow>,
  dialect: Dialect,
  trace: TraceEntry[],
): readonly LinkedWorkflow[] {
  if (dialect === 'woodpecker') {
    refuseCycle(placed);
    vanish(placed, matched, trace);
  }
  const matchedNames = new Set([...matched].map(({ draft }) => draft.name));
  return placed
    .filter((workflow) => matched.has(workflow))
    .map((workflow) => {
      const wanted =
        dialect === 'woodpecker'
          ? new Set(workflow.draft.dependsOn.map((dependency) => dependency.name))
          : throughUnmatched(workflow.draft, placed, matchedNames);
      const dependsOn = placed.filter((other) => matched.has(other) && wanted.has(other.draft.name));
      return { workflow, dependsOn: dependsOn.map(({ name }) => name) };
    });
}

/** Names of workflows that run: a dependency that does not is replaced by what it waits for. */
function throughUnmatched(
  draft: WorkflowDraft,
  placed: readonly PlacedWorkflow[],
  matched: ReadonlySet<string>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const open = draft.dependsOn.map(({ name }) => name).toReversed();
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (matched.has(name)) found.add(name);
    else {
      const unmatched = placed.find((candidate) => candidate.draft.name === name);
      open.push(...(unmatched?.draft.dependsOn.map((dependency) => dependency.name).toReversed() ?? []));
    }
  }
  return found;
}

/** Takes away, again and again, whoever needs one that is not there. */
function vanish(placed: readonly PlacedWorkflow[], matched: Set<PlacedWorkflow>, trace: TraceEntry[]): void {
  const known = new Set(placed.map(({ draft }) => draft.name));
  for (let isAgain = true; isAgain; ) {
    isAgain = false;
    const present = new Set([...matched].map(({ draft }) => draft.name));
    for (const workflow of matched) {
      const missing = workflow.draft.dependsOn.find(({ name, isOptional }) => !isOptional && !present.has(name));
      if (!missing) continue;
      if (!known.has(missing.name)) {
        const message = `no workflow is named "${missing.name}"`;
        workflow.file.report.add('workflow.dependency-unknown', missing.at, message);
      }
      matched.delete(workflow);
      isAgain = true;
      trace.push({
        subject: { kind: 'workflow', workflow: workflow.name },
        rule: 'workflow.dependency-vanished',
        verdict: 'skipped',
        values: { workflow: missing.name },
      });
    }
  }
}

function refuseCycle(placed: readonly PlacedWorkflow[]): void {
  if (placed.every(({ draft }) => draft.dependsOn.length === 0)) return;
  const graph = new Map(placed.map(({ draft }) => [draft.name, draft.dependsOn.map(({ name }) => name)]));
  const cycle = findCycle(graph);
  const first = cycle && placed.find(({ draft }) => draft.name === cycle[0]);
  const at = first?.draft.dependsOn[0]?.at;
  if (!cycle || !first || !at) return;
  const names = [...cycle, cycle[0]].map((name) => `"${name}"`).join(' → ');
  first.file.report.add('workflow.cycle', at, `workflows wait for each other: ${names}; take one "depends_on" away`);
}

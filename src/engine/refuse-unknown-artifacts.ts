import { didYouMean } from './did-you-mean.ts';
import type { LintReport } from './lint-report.ts';
import type { WorkflowDraft } from './workflow-draft.ts';

/** Finds artifacts that are used and that no workflow of the file makes, or only the one that uses them. */
export function refuseUnknownArtifacts(report: LintReport, workflows: readonly WorkflowDraft[]): void {
  const told = new Set<string>();
  const makers = new Map<string, Set<string>>();
  for (const { name, steps } of workflows)
    for (const { artifacts = [] } of steps)
      for (const artifact of artifacts) makers.set(artifact.name, (makers.get(artifact.name) ?? new Set()).add(name));
  for (const { name: user, uses = [] } of workflows)
    for (const { name, at } of uses) {
      const known = makers.get(name);
      const key = `${at.line} ${name}`;
      if (told.has(key) || (known && (known.size > 1 || !known.has(user)))) continue;
      told.add(key);
      const message = known
        ? `the artifact "${name}" is made by this very workflow: its files are in the workspace`
        : `no workflow makes the artifact "${name}"`;
      report.add('artifact.unknown', at, message, known ? undefined : didYouMeanText(name, makers.keys()));
    }
}

function didYouMeanText(name: string, known: Iterable<string>): string | undefined {
  const meant = didYouMean(name, known);
  return meant === undefined ? undefined : `did you mean "${meant}"?`;
}

import { createHash } from 'node:crypto';
import { isWanted } from '../core/artifact.ts';
import type { CacheAccess } from '../core/cache.ts';
import type { WorkflowPlan } from '../core/plan.ts';
import { cacheScopeOf } from '../engine/cache-scope.ts';
import type { CompileInput } from '../engine/compile-input.ts';
import type { Assignment } from '../engine/runner-protocol.ts';
import { reuseInputs } from '../features/pipelines/reuse-inputs.ts';
import type { Snapshot } from './exec-snapshot.ts';

/** As on a server, each branch has what it saved, and what the default branch saved. Nobody here is not trusted. */
export async function execKeeping(
  { snapshot, input }: { readonly snapshot: Snapshot; readonly input: CompileInput },
  { steps }: WorkflowPlan,
): Promise<Pick<Assignment, 'caches' | 'reuse'>> {
  const { defaultBranch } = input.project;
  const { ref } = input.event;
  const caches: CacheAccess = {
    projectId: projectIdOf(snapshot),
    scope: cacheScopeOf({ defaultBranch, protectedRefs: [] }, { ref, isUntrusted: false }),
    // No pipeline of a server has this number.
    pipeline: 0,
  };
  const wanted = steps.flatMap(({ artifacts = [], reuse, skipped }, position) =>
    reuse && !reuse.off && !skipped ? [{ position, artifacts, inputs: reuse.inputs }] : [],
  );
  const hasCache = steps.some(({ cache, skipped }) => cache && !skipped);
  if (wanted.length === 0) return hasCache ? { caches } : {};
  const listFolder = (_id: number, _commit: string, path: string): ReturnType<Snapshot['listFolder']> =>
    snapshot.listFolder(path);
  const inputs = await Promise.all(
    wanted.map(
      async ({ position, inputs }) =>
        [position, await reuseInputs({ listFolder }, { id: 0, commit: snapshot.commit, ref }, inputs)] as const,
    ),
  );
  // Artifacts go with the run that made them: a step that leaves some is not reused.
  const leaving = wanted.filter(({ artifacts }) => artifacts.some((artifact) => isWanted(artifact, true)));
  return {
    caches,
    reuse: {
      access: caches,
      inputs: Object.fromEntries(inputs),
      holders: Object.fromEntries(leaving.map(({ position }) => [position, []])),
    },
  };
}

/** One for each working tree, as its repository of snapshots is. */
function projectIdOf({ repository }: Snapshot): number {
  return Number.parseInt(createHash('sha256').update(repository).digest('hex').slice(0, 12), 16);
}

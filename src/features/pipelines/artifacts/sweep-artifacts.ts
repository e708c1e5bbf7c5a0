import type { ArtifactsDeps } from './artifacts-deps.ts';
import { findKeptPipeline } from './find-artifact.ts';

type SweepDeps = Pick<ArtifactsDeps, 'store' | 'blobs' | 'clock'>;

/** Rows that are looked at together, and removed in one transaction. */
const rowsAtOnce = 100;

/**
 * Removes artifacts whose time is over, then blobs that none names: the row goes first, so that whoever dies in between
 * leaves bytes that the next sweep finds, and never a name without bytes. Those of the newest pipeline of the default
 * branch that passed stay.
 */
export async function sweepArtifacts(
  deps: SweepDeps,
  isStopped: () => boolean,
): Promise<{ readonly artifacts: number; readonly blobs: number }> {
  const artifacts = await removeExpired(deps, isStopped);
  let blobs = 0;
  for await (const digests of deps.blobs.list()) {
    if (isStopped()) break;
    const named = await deps.store.read.artifacts.named(digests);
    for (const digest of digests)
      if (!named.has(digest) && !isStopped() && (await removeUnnamedBlob(deps, digest))) blobs += 1;
  }
  return { artifacts, blobs };
}

/** Removes a blob unless an artifact names it; whoever is about to name it goes first. */
export function removeUnnamedBlob({ store, blobs }: SweepDeps, digest: string): Promise<boolean> {
  return blobs.exclusively(digest, async () => {
    const named = await store.read.artifacts.named([digest]);
    return !named.has(digest) && (await blobs.remove(digest));
  });
}

async function removeExpired({ store, clock }: SweepDeps, isStopped: () => boolean): Promise<number> {
  const keptOf = new Map<number, number | undefined>();
  let removed = 0;
  for (let afterId = 0; !isStopped(); ) {
    const page = await store.read.artifacts.expired(clock.now(), { afterId, limit: rowsAtOnce });
    const last = page.at(-1);
    if (!last) break;
    afterId = last.id;
    for (const { projectId } of page) {
      if (keptOf.has(projectId)) continue;
      const project = await store.read.projects.find(projectId);
      keptOf.set(projectId, project && (await findKeptPipeline(store.read, project)));
    }
    const over = page.filter(({ projectId, pipelineId }) => keptOf.get(projectId) !== pipelineId);
    if (over.length === 0) continue;
    removed += await store.write(async ({ artifacts }) => {
      let count = 0;
      for (const { id } of over) if (await artifacts.remove(id)) count += 1;
      return count;
    });
  }
  return removed;
}

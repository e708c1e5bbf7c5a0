import type { ArtifactView } from '../../../api/artifacts.ts';
import type { ListedArtifact } from '../../../core/artifact.ts';
import { GantryError } from '../../../core/errors.ts';
import { projectSlug } from '../../../core/project.ts';
import type { OperationHandlers } from '../../feature.ts';
import type { ArtifactsDeps } from './artifacts-deps.ts';
import { findKeptPipeline, getArtifact, getPipelineOf } from './find-artifact.ts';
import { removeUnnamedBlob } from './sweep-artifacts.ts';

/** What may be asked and done about artifacts, besides their download. */
export function artifactOperations(deps: Pick<ArtifactsDeps, 'store' | 'blobs' | 'clock'>) {
  const { store, clock } = deps;
  return {
    async listArtifacts({ params }) {
      const { project, pipeline } = await getPipelineOf(store.read, params);
      const [artifacts, kept] = await Promise.all([
        store.read.artifacts.list(pipeline.id),
        findKeptPipeline(store.read, project),
      ]);
      return { items: artifacts.map((artifact) => artifactView(artifact, kept === pipeline.id)) };
    },

    async deleteArtifact({ params }, request) {
      const { project, pipeline } = await getPipelineOf(store.read, params);
      const artifact = await getArtifact(store.read, pipeline, params.artifact);
      const { actor, remoteAddress, requestId } = request;
      const { name, digest, sizeBytes } = artifact;
      await store.write(async (stores) => {
        if (!(await stores.artifacts.remove(artifact.id)))
          throw new GantryError('ARTIFACT_NOT_FOUND', `Cannot delete the artifact "${name}": it is gone already`);
        await stores.audit.append({
          at: clock.now(),
          actor: actor.kind === 'person' ? actor.person.name : 'anonymous',
          action: 'artifact:delete',
          subject: projectSlug(project),
          remoteAddress,
          requestId,
          details: { artifact: name, pipeline: pipeline.number, digest, sizeBytes },
          projectId: project.id,
        });
      });
      await removeUnnamedBlob(deps, digest);
    },
  } satisfies OperationHandlers;
}

function artifactView(artifact: ListedArtifact, isKept: boolean): ArtifactView {
  const { name, workflow, step, attempt, digest, sizeBytes, entries, createdAt, expiresAt } = artifact;
  return {
    name,
    workflow,
    step,
    attempt,
    digest: `sha256:${digest}`,
    sizeBytes,
    entries,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    isKept,
  };
}

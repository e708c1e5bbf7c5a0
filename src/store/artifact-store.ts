import type { Selectable } from 'kysely';
import type { Artifact, ArtifactStore } from '../core/artifact.ts';
import type { Connection } from './connection.ts';
import type { Tables } from './tables.ts';

/** Artifacts in the database; what is in them lies with the blobs. */
export function createArtifactStore({ db }: Connection): ArtifactStore {
  return {
    async put(artifact) {
      const values = {
        project_id: artifact.projectId,
        workflow_id: artifact.workflowId,
        attempt: artifact.attempt,
        step: artifact.step,
        digest: artifact.digest,
        size_bytes: artifact.sizeBytes,
        entries: artifact.entries,
        created_at: artifact.createdAt,
        expires_at: artifact.expiresAt,
      };
      const row = await db
        .insertInto('artifact')
        .values({ ...values, pipeline_id: artifact.pipelineId, name: artifact.name })
        .onConflict((conflict) => conflict.columns(['pipeline_id', 'name']).doUpdateSet(values))
        .returning('id')
        .executeTakeFirstOrThrow();
      return row.id;
    },
    async find(pipelineId, name) {
      const row = await db
        .selectFrom('artifact')
        .selectAll()
        .where('pipeline_id', '=', pipelineId)
        .where('name', '=', name)
        .executeTakeFirst();
      return row && artifactOf(row);
    },
    async list(pipelineId) {
      const rows = await db
        .selectFrom('artifact')
        .innerJoin('workflow', 'workflow.id', 'artifact.workflow_id')
        .selectAll('artifact')
        .select('workflow.name as workflow')
        .where('artifact.pipeline_id', '=', pipelineId)
        .orderBy('artifact.name')
        .execute();
      return rows.map((row) => ({ ...artifactOf(row), workflow: row.workflow }));
    },
    async ofStep(workflowId, attempt, step) {
      const rows = await db
        .selectFrom('artifact')
        .selectAll()
        .where('workflow_id', '=', workflowId)
        .where('attempt', '=', attempt)
        .where('step', '=', step)
        .orderBy('name')
        .execute();
      return rows.map(artifactOf);
    },
    async holders(projectId, step, names, limit) {
      const rows = await db
        .selectFrom('artifact')
        .select(['workflow_id', 'attempt'])
        .where('project_id', '=', projectId)
        .where('step', '=', step)
        .where('name', 'in', [...names])
        .groupBy(['workflow_id', 'attempt'])
        .having(({ fn }) => fn.countAll(), '=', names.length)
        .orderBy('workflow_id', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ workflowId: row.workflow_id, attempt: row.attempt }));
    },
    async sizes(projectId, pipelineId) {
      const rows = await db
        .selectFrom('artifact')
        .select(({ fn, eb }) => [
          fn.sum<number | string | null>('size_bytes').as('project'),
          fn
            .sum<number | string | null>(
              eb.case().when('pipeline_id', '=', pipelineId).then(eb.ref('size_bytes')).else(0).end(),
            )
            .as('pipeline'),
        ])
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return { project: Number(rows?.project ?? 0), pipeline: Number(rows?.pipeline ?? 0) };
    },
    async remove(id) {
      const { numDeletedRows } = await db.deleteFrom('artifact').where('id', '=', id).executeTakeFirst();
      return numDeletedRows > 0n;
    },
    async expired(now, { afterId, limit }) {
      const rows = await db
        .selectFrom('artifact')
        .selectAll()
        .where('expires_at', '<=', now.getTime())
        .where('id', '>', afterId)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(artifactOf);
    },
    async named(digests) {
      if (digests.length === 0) return new Set();
      const rows = await db
        .selectFrom('artifact')
        .select('digest')
        .distinct()
        .where('digest', 'in', [...digests])
        .execute();
      return new Set(rows.map(({ digest }) => digest));
    },
  };
}

function artifactOf(row: Selectable<Tables['artifact']>): Artifact {
  return {
    id: row.id,
    projectId: row.project_id,
    pipelineId: row.pipeline_id,
    workflowId: row.workflow_id,
    attempt: row.attempt,
    step: row.step,
    name: row.name,
    digest: row.digest,
    sizeBytes: row.size_bytes,
    entries: row.entries,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
  };
}

import type { Selectable } from 'kysely';
import type { Approval, ApprovalReason, ApprovalState, ApprovalStore } from '../core/approval.ts';
import type { Connection } from './connection.ts';
import { toDate } from './json-column.ts';
import type { Tables } from './tables.ts';

/** Who let which pipelines run, in the database. */
export function createApprovalStore({ db }: Connection): ApprovalStore {
  return {
    async findByPipeline(pipelineId) {
      const row = await db.selectFrom('approval').selectAll().where('pipeline_id', '=', pipelineId).executeTakeFirst();
      return row && toApproval(row);
    },
    async findDecided({ projectId, pullRequest, head, configuration }) {
      let query = db
        .selectFrom('approval')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('head', '=', head)
        .where('configuration', '=', configuration)
        .where('state', 'in', ['approved', 'declined']);
      query =
        pullRequest === undefined
          ? query.where('pull_request', 'is', null)
          : query.where('pull_request', '=', pullRequest);
      const row = await query.orderBy('decided_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst();
      return row && toApproval(row);
    },
    async listWaiting(projectId, limit) {
      const rows = await db
        .selectFrom('approval')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('state', '=', 'waiting')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toApproval);
    },
    async create(approval) {
      const row = await db
        .insertInto('approval')
        .values({
          project_id: approval.projectId,
          pipeline_id: approval.pipelineId,
          pull_request: approval.pullRequest,
          head: approval.head,
          configuration: approval.configuration,
          reason: approval.reason,
          state: approval.state,
          has_secrets: approval.hasSecrets,
          decided_by: approval.decidedBy,
          decided_at: approval.decidedBy === undefined ? undefined : approval.createdAt,
          created_at: approval.createdAt,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toApproval(row);
    },
    async decide(id, { state, hasSecrets, by, at }) {
      const changed = await db
        .updateTable('approval')
        .set({ state, has_secrets: hasSecrets, decided_by: by, decided_at: at })
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .returning('id')
        .execute();
      return changed.length > 0;
    },
  };
}

function toApproval(row: Selectable<Tables['approval']>): Approval {
  return {
    id: row.id,
    projectId: row.project_id,
    pipelineId: row.pipeline_id,
    pullRequest: row.pull_request ?? undefined,
    head: row.head,
    configuration: row.configuration,
    reason: row.reason as ApprovalReason,
    state: row.state as ApprovalState,
    hasSecrets: row.has_secrets === 1,
    decidedBy: row.decided_by ?? undefined,
    decidedAt: toDate(row.decided_at),
    createdAt: new Date(row.created_at),
  };
}

import type { Selectable } from 'kysely';
import type { PullRequest, PullRequestStore } from '../core/pull-request.ts';
import type { Connection } from './connection.ts';
import type { Tables } from './tables.ts';

/** Pull requests in the database. */
export function createPullRequestStore({ db }: Connection): PullRequestStore {
  return {
    async find(projectId, number) {
      const row = await db
        .selectFrom('pull_request')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('number', '=', number)
        .executeTakeFirst();
      return row && toPullRequest(row);
    },
    async list(projectId, state, limit) {
      let query = db.selectFrom('pull_request').selectAll().where('project_id', '=', projectId);
      if (state !== undefined) query = query.where('state', '=', state);
      const rows = await query.orderBy('number', 'desc').limit(limit).execute();
      return rows.map(toPullRequest);
    },
    async listOpenFrom(sourceProjectId, sourceBranch) {
      const rows = await db
        .selectFrom('pull_request')
        .selectAll()
        .where('state', '=', 'open')
        .where('source_project_id', '=', sourceProjectId)
        .where('source_branch', '=', sourceBranch)
        .orderBy('id')
        .execute();
      return rows.map(toPullRequest);
    },
    async listOpenAfter(id, limit) {
      const rows = await db
        .selectFrom('pull_request')
        .selectAll()
        .where('state', '=', 'open')
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toPullRequest);
    },
    async nextNumber(projectId) {
      const row = await db
        .selectFrom('pull_request')
        .select('number')
        .where('project_id', '=', projectId)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst();
      return (row?.number ?? 0) + 1;
    },
    async create(pullRequest) {
      const row = await db
        .insertInto('pull_request')
        .values({
          project_id: pullRequest.projectId,
          number: pullRequest.number,
          title: pullRequest.title,
          source_project_id: pullRequest.sourceProjectId,
          source_branch: pullRequest.sourceBranch,
          target_branch: pullRequest.targetBranch,
          head: pullRequest.head,
          state: 'open',
          revision: 1,
          author_name: pullRequest.authorName,
          author_id: pullRequest.authorId,
          created_at: pullRequest.createdAt,
          updated_at: pullRequest.createdAt,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toPullRequest(row);
    },
    async update({ id, revision, title, targetBranch, head, state, updatedAt }) {
      const row = await db
        .updateTable('pull_request')
        .set({ title, target_branch: targetBranch, head, state, revision: revision + 1, updated_at: updatedAt })
        .where('id', '=', id)
        .where('revision', '=', revision)
        .returningAll()
        .executeTakeFirst();
      return row && toPullRequest(row);
    },
  };
}

function toPullRequest(row: Selectable<Tables['pull_request']>): PullRequest {
  return {
    id: row.id,
    projectId: row.project_id,
    number: row.number,
    title: row.title,
    sourceProjectId: row.source_project_id,
    sourceBranch: row.source_branch,
    targetBranch: row.target_branch,
    head: row.head,
    state: row.state as PullRequest['state'],
    revision: row.revision,
    authorName: row.author_name,
    authorId: row.author_id ?? undefined,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  };
}

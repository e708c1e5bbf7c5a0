import type { Selectable } from 'kysely';
import { sessionIdleMs } from '../core/credential.ts';
import type { Session, SessionStore } from '../core/token.ts';
import type { Connection } from './connection.ts';
import { prepare } from './prepare.ts';
import type { Tables } from './tables.ts';

/** Sign-ins of browsers in the database. */
export function createSessionStore(connection: Connection): SessionStore {
  const { db } = connection;
  const byHash = prepare<{ sha256: string }>()(connection, (_, value) =>
    db.selectFrom('session').selectAll().where('sha256', '=', value.sha256),
  );

  async function remove(column: 'expires_at' | 'last_used_at', untilMs: number, limit: number): Promise<number> {
    if (limit <= 0) return 0;
    const removed = await db
      .deleteFrom('session')
      .where('id', 'in', (ended) => ended.selectFrom('session').select('id').where(column, '<=', untilMs).limit(limit))
      .executeTakeFirst();
    return Number(removed.numDeletedRows);
  }

  return {
    async find(id) {
      return (await db.selectFrom('session').selectAll().where('id', '=', id).execute()).map(toSession)[0];
    },
    async findByHash(sha256) {
      return (await byHash.run({ sha256 })).map(toSession)[0];
    },
    async list(personId) {
      const rows = await db
        .selectFrom('session')
        .selectAll()
        .where('person_id', '=', personId)
        .orderBy('last_used_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(toSession);
    },
    async create(session) {
      await db
        .insertInto('session')
        .values({
          id: session.id,
          sha256: session.sha256,
          person_id: session.personId,
          created_at: session.createdAt,
          last_used_at: session.lastUsedAt,
          expires_at: session.expiresAt,
          user_agent: session.userAgent,
          remote_address: session.remoteAddress,
        })
        .execute();
    },
    async markUsed(id, at) {
      await db.updateTable('session').set({ last_used_at: at }).where('id', '=', id).execute();
    },
    async remove(id) {
      await db.deleteFrom('session').where('id', '=', id).execute();
    },
    async removeOthers(personId, keepId) {
      let others = db.deleteFrom('session').where('person_id', '=', personId);
      if (keepId !== undefined) others = others.where('id', '!=', keepId);
      await others.execute();
    },
    async prune(at, limit) {
      // Two statements, so that each is served by its index.
      const ended = await remove('expires_at', at.getTime(), limit);
      return ended + (await remove('last_used_at', at.getTime() - sessionIdleMs, limit - ended));
    },
  };
}

function toSession(row: Selectable<Tables['session']>): Session {
  return {
    id: row.id,
    personId: row.person_id,
    createdAt: new Date(row.created_at),
    lastUsedAt: new Date(row.last_used_at),
    expiresAt: new Date(row.expires_at),
    userAgent: row.user_agent,
    remoteAddress: row.remote_address,
  };
}

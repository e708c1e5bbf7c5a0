import type { Selectable } from 'kysely';
import type { Scope } from '../core/permission.ts';
import type { Token, TokenStore } from '../core/token.ts';
import type { Connection } from './connection.ts';
import { fromJson, toDate, toJson } from './json-column.ts';
import { prepare } from './prepare.ts';
import type { Tables } from './tables.ts';

/** Tokens in the database: their SHA-256 and what they may, never themselves. */
export function createTokenStore(connection: Connection): TokenStore {
  const { db } = connection;
  const byHash = prepare<{ sha256: string }>()(connection, (_, value) =>
    db.selectFrom('token').selectAll().where('sha256', '=', value.sha256),
  );

  return {
    async find(id) {
      return (await db.selectFrom('token').selectAll().where('id', '=', id).execute()).map(toToken)[0];
    },
    async findByHash(sha256) {
      return (await byHash.run({ sha256 })).map(toToken)[0];
    },
    async list(personId) {
      const rows = await db
        .selectFrom('token')
        .selectAll()
        .where('person_id', '=', personId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(toToken);
    },
    async create(token) {
      await db
        .insertInto('token')
        .values({
          id: token.id,
          sha256: token.sha256,
          person_id: token.personId,
          name: token.name,
          prefix: token.prefix,
          scopes: JSON.stringify(token.scopes),
          project_ids: toJson(token.projectIds),
          created_at: token.createdAt,
          expires_at: token.expiresAt,
          last_used_at: token.lastUsedAt,
        })
        .execute();
    },
    async remove(id) {
      await db.deleteFrom('token').where('id', '=', id).execute();
    },
    async markUsed(id, at) {
      await db.updateTable('token').set({ last_used_at: at }).where('id', '=', id).execute();
    },
  };
}

function toToken(row: Selectable<Tables['token']>): Token {
  return {
    id: row.id,
    personId: row.person_id,
    name: row.name,
    prefix: row.prefix,
    scopes: fromJson<Scope[]>(row.scopes),
    projectIds: fromJson<number[]>(row.project_ids),
    createdAt: new Date(row.created_at),
    expiresAt: toDate(row.expires_at),
    lastUsedAt: toDate(row.last_used_at),
  };
}

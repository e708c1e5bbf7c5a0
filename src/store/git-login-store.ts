import type { Selectable } from 'kysely';
import type { GitLogin, GitLoginStore } from '../core/git-login.ts';
import type { Connection } from './connection.ts';
import { countsFor, holderColumn, holderOf, ownFirst, sealedOf } from './held.ts';
import type { Tables } from './tables.ts';

type LoginRow = Selectable<Tables['git_login']>;

/** Logins for git hosts in the database. One that is only reserved is not there yet for its readers. */
export function createGitLoginStore({ db }: Connection): GitLoginStore {
  return {
    async list(holder) {
      const rows = await db
        .selectFrom('git_login')
        .selectAll()
        .where(holderColumn(holder), '=', holder.id)
        .where('key_id', 'is not', null)
        .orderBy('host')
        .execute();
      return rows.map(toLogin);
    },
    async listFor(projectId) {
      const rows = await db.selectFrom('git_login').selectAll().where(countsFor(projectId)).orderBy('host').execute();
      const complete = rows.filter((row) => sealedOf(row) !== undefined);
      return ownFirst(complete, ({ host }) => host).map((row) => ({ ...toLogin(row), sealed: sealedOf(row)! }));
    },
    async reserve(holder, host, at, by) {
      const column = holderColumn(holder);
      await db
        .insertInto('git_login')
        .values({ [column]: holder.id, host, username: '', updated_at: at, updated_by: by })
        .onConflict((conflict) => conflict.columns([column, 'host']).doNothing())
        .execute();
      const row = await db
        .selectFrom('git_login')
        .selectAll()
        .where(column, '=', holder.id)
        .where('host', '=', host)
        .executeTakeFirstOrThrow();
      return toLogin(row);
    },
    async setSealed(id, username, sealed, at, by) {
      await db
        .updateTable('git_login')
        .set({
          username,
          key_id: sealed.keyId,
          wrapped_key: sealed.wrappedKey,
          nonce: sealed.nonce,
          ciphertext: sealed.ciphertext,
          updated_at: at,
          updated_by: by,
        })
        .where('id', '=', id)
        .execute();
    },
    async remove(holder, host) {
      const removed = await db
        .deleteFrom('git_login')
        .where(holderColumn(holder), '=', holder.id)
        .where('host', '=', host)
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

function toLogin(row: LoginRow): GitLogin {
  return {
    id: row.id,
    holder: holderOf(row),
    host: row.host,
    username: row.username,
    updatedAt: new Date(row.updated_at),
    updatedBy: row.updated_by,
  };
}

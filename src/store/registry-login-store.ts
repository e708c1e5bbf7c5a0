import type { Selectable } from 'kysely';
import type { PullRequestOrigin } from '../core/pull-request-origin.ts';
import type { RegistryLogin, RegistryLoginStore } from '../core/registry-login.ts';
import type { Connection } from './connection.ts';
import { countsFor, holderColumn, holderOf, ownFirst, sealedOf } from './held.ts';
import type { Tables } from './tables.ts';

type LoginRow = Selectable<Tables['registry_login']>;

/** Logins of registries in the database. One that is only reserved is not there yet for its readers. */
export function createRegistryLoginStore({ db }: Connection): RegistryLoginStore {
  return {
    async list(holder) {
      const rows = await db
        .selectFrom('registry_login')
        .selectAll()
        .where(holderColumn(holder), '=', holder.id)
        .where('key_id', 'is not', null)
        .orderBy('registry')
        .execute();
      return rows.map(toLogin);
    },
    async listFor(projectId) {
      const rows = await db
        .selectFrom('registry_login')
        .selectAll()
        .where(countsFor(projectId))
        .orderBy('registry')
        .execute();
      const complete = rows.filter((row) => sealedOf(row) !== undefined);
      return ownFirst(complete, ({ registry }) => registry).map((row) => ({ ...toLogin(row), sealed: sealedOf(row)! }));
    },
    async reserve(holder, registry, at, by) {
      const column = holderColumn(holder);
      await db
        .insertInto('registry_login')
        .values({ [column]: holder.id, registry, username: '', updated_at: at, updated_by: by })
        .onConflict((conflict) => conflict.columns([column, 'registry']).doNothing())
        .execute();
      const row = await db
        .selectFrom('registry_login')
        .selectAll()
        .where(column, '=', holder.id)
        .where('registry', '=', registry)
        .executeTakeFirstOrThrow();
      return toLogin(row);
    },
    async setSealed(id, { username, pullRequests }, sealed, at, by) {
      await db
        .updateTable('registry_login')
        .set({
          username,
          pull_requests: pullRequests,
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
    async remove(holder, registry) {
      const removed = await db
        .deleteFrom('registry_login')
        .where(holderColumn(holder), '=', holder.id)
        .where('registry', '=', registry)
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

function toLogin(row: LoginRow): RegistryLogin {
  return {
    id: row.id,
    holder: holderOf(row),
    registry: row.registry,
    username: row.username,
    pullRequests: row.pull_requests as PullRequestOrigin,
    updatedAt: new Date(row.updated_at),
    updatedBy: row.updated_by,
  };
}

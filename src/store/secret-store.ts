import type { Selectable } from 'kysely';
import type { Holder } from '../core/holder.ts';
import type { PullRequestOrigin } from '../core/pull-request-origin.ts';
import type { SecretRecord, SecretStore } from '../core/secret-record.ts';
import type { Connection } from './connection.ts';
import { countsFor, holderColumn, holderOf, ownFirst, sealedOf } from './held.ts';
import { fromJson } from './json-column.ts';
import type { Tables } from './tables.ts';

type SecretRow = Selectable<Tables['secret']>;

/** Sealed secrets in the database. A name that is only reserved is not there yet for its readers. */
export function createSecretStore({ db }: Connection): SecretStore {
  const named = (holder: Holder, name: string) =>
    db
      .selectFrom('secret')
      .selectAll()
      .where(holderColumn(holder), '=', holder.id)
      .where('name', '=', name.toLowerCase());

  return {
    async list(holder) {
      const rows = await db
        .selectFrom('secret')
        .selectAll()
        .where(holderColumn(holder), '=', holder.id)
        .where('key_id', 'is not', null)
        .orderBy('name')
        .execute();
      return rows.map(toRecord);
    },
    async listFor(projectId) {
      const rows = await db.selectFrom('secret').selectAll().where(countsFor(projectId)).orderBy('name').execute();
      const complete = rows.filter((row) => sealedOf(row) !== undefined);
      return ownFirst(complete, ({ name }) => name).map((row) => ({ ...toRecord(row), sealed: sealedOf(row)! }));
    },
    async find(holder, name) {
      const row = await named(holder, name).executeTakeFirst();
      const sealed = row && sealedOf(row);
      return sealed && { ...toRecord(row), sealed };
    },
    async reserve(holder, name, at, by) {
      const column = holderColumn(holder);
      await db
        .insertInto('secret')
        .values({
          [column]: holder.id,
          name: name.toLowerCase(),
          events: '[]',
          created_at: at,
          updated_at: at,
          updated_by: by,
        })
        .onConflict((conflict) => conflict.columns([column, 'name']).doNothing())
        .execute();
      return toRecord(await named(holder, name).executeTakeFirstOrThrow());
    },
    async setSealed(id, sealed, limits, at, by) {
      await db
        .updateTable('secret')
        .set({
          key_id: sealed.keyId,
          wrapped_key: sealed.wrappedKey,
          nonce: sealed.nonce,
          ciphertext: sealed.ciphertext,
          events: JSON.stringify(limits.events),
          branches: JSON.stringify(limits.branches),
          images: JSON.stringify(limits.images),
          pull_requests: limits.pullRequests,
          is_for_plugins_only: limits.isForPluginsOnly,
          updated_at: at,
          updated_by: by,
        })
        .where('id', '=', id)
        .execute();
    },
    async remove(holder, name) {
      const removed = await db
        .deleteFrom('secret')
        .where(holderColumn(holder), '=', holder.id)
        .where('name', '=', name.toLowerCase())
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

function toRecord(row: SecretRow): SecretRecord {
  return {
    id: row.id,
    holder: holderOf(row),
    name: row.name,
    events: fromJson<string[]>(row.events),
    branches: fromJson<string[]>(row.branches),
    images: fromJson<string[]>(row.images),
    pullRequests: row.pull_requests as PullRequestOrigin,
    isForPluginsOnly: row.is_for_plugins_only === 1,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    updatedBy: row.updated_by,
  };
}

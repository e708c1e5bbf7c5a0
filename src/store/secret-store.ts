import type { Selectable } from 'kysely';
import type { SealedSecret, SecretRecord, SecretStore } from '../core/secret-record.ts';
import type { Connection } from './connection.ts';
import { fromJson } from './json-column.ts';
import type { Tables } from './tables.ts';

type SecretRow = Selectable<Tables['secret']>;

/** Sealed secrets in the database. A name that is only reserved is not there yet for its readers. */
export function createSecretStore({ db }: Connection): SecretStore {
  return {
    async list(projectId) {
      const rows = await db
        .selectFrom('secret')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('key_id', 'is not', null)
        .orderBy('name')
        .execute();
      return rows.map(toRecord);
    },
    async find(projectId, name) {
      const row = await db
        .selectFrom('secret')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('name', '=', name.toLowerCase())
        .executeTakeFirst();
      const sealed = row && sealedOf(row);
      return sealed && { ...toRecord(row), sealed };
    },
    async reserve(projectId, name, at, by) {
      await db
        .insertInto('secret')
        .values({
          project_id: projectId,
          name: name.toLowerCase(),
          events: '[]',
          created_at: at,
          updated_at: at,
          updated_by: by,
        })
        .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
        .execute();
      const row = await db
        .selectFrom('secret')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('name', '=', name.toLowerCase())
        .executeTakeFirstOrThrow();
      return toRecord(row);
    },
    async setSealed(id, sealed, events, at, by) {
      await db
        .updateTable('secret')
        .set({
          key_id: sealed.keyId,
          wrapped_key: sealed.wrappedKey,
          nonce: sealed.nonce,
          ciphertext: sealed.ciphertext,
          events: JSON.stringify(events),
          updated_at: at,
          updated_by: by,
        })
        .where('id', '=', id)
        .execute();
    },
    async remove(projectId, name) {
      const removed = await db
        .deleteFrom('secret')
        .where('project_id', '=', projectId)
        .where('name', '=', name.toLowerCase())
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

function toRecord(row: SecretRow): SecretRecord {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    events: fromJson<string[]>(row.events),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    updatedBy: row.updated_by,
  };
}

function sealedOf(row: SecretRow): SealedSecret | undefined {
  const { key_id, wrapped_key, nonce, ciphertext } = row;
  if (key_id === null || !wrapped_key || !nonce || !ciphertext) return undefined;
  return { keyId: key_id, wrappedKey: wrapped_key, nonce, ciphertext };
}

import type { SealedSecret } from '../core/secret-record.ts';
import type { SigningKeyStore } from '../core/signing-key.ts';
import type { Connection } from './connection.ts';

/** Sealed keys of projects in the database. */
export function createSigningKeyStore({ db }: Connection): SigningKeyStore {
  return {
    async find(projectId) {
      const row = await db.selectFrom('signing_key').selectAll().where('project_id', '=', projectId).executeTakeFirst();
      return row && sealedOf(row);
    },
    async create(projectId, sealed, at) {
      const made = await db
        .insertInto('signing_key')
        .values({ project_id: projectId, ...columnsOf(sealed), created_at: at })
        .onConflict((conflict) => conflict.column('project_id').doNothing())
        .returning('project_id')
        .execute();
      return made.length > 0;
    },
    async findImported(projectId) {
      const row = await db
        .selectFrom('imported_key')
        .selectAll()
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return row && { sealed: sealedOf(row), updatedAt: new Date(row.updated_at), updatedBy: row.updated_by };
    },
    async setImported(projectId, { sealed, updatedAt, updatedBy }) {
      const columns = { ...columnsOf(sealed), updated_at: updatedAt, updated_by: updatedBy };
      await db
        .insertInto('imported_key')
        .values({ project_id: projectId, ...columns })
        .onConflict((conflict) => conflict.column('project_id').doUpdateSet(columns))
        .execute();
    },
    async removeImported(projectId) {
      const removed = await db.deleteFrom('imported_key').where('project_id', '=', projectId).executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

interface KeyRow {
  readonly key_id: string;
  readonly wrapped_key: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
}

function sealedOf(row: KeyRow): SealedSecret {
  return {
    keyId: row.key_id,
    wrappedKey: Buffer.from(row.wrapped_key),
    nonce: Buffer.from(row.nonce),
    ciphertext: Buffer.from(row.ciphertext),
  };
}

function columnsOf({ keyId, wrappedKey, nonce, ciphertext }: SealedSecret): KeyRow {
  return { key_id: keyId, wrapped_key: wrappedKey, nonce, ciphertext };
}

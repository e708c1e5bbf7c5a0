import type { SigningKeyStore } from '../core/signing-key.ts';
import type { Connection } from './connection.ts';

/** Sealed keys of projects in the database. */
export function createSigningKeyStore({ db }: Connection): SigningKeyStore {
  return {
    async find(projectId) {
      const row = await db.selectFrom('signing_key').selectAll().where('project_id', '=', projectId).executeTakeFirst();
      return (
        row && {
          keyId: row.key_id,
          wrappedKey: Buffer.from(row.wrapped_key),
          nonce: Buffer.from(row.nonce),
          ciphertext: Buffer.from(row.ciphertext),
        }
      );
    },
    async create(projectId, { keyId, wrappedKey, nonce, ciphertext }, at) {
      const made = await db
        .insertInto('signing_key')
        .values({
          project_id: projectId,
          key_id: keyId,
          wrapped_key: wrappedKey,
          nonce,
          ciphertext,
          created_at: at,
        })
        .onConflict((conflict) => conflict.column('project_id').doNothing())
        .returning('project_id')
        .execute();
      return made.length > 0;
    },
  };
}

import type { Selectable, Updateable } from 'kysely';
import type { IncomingWebhook, IncomingWebhookStore, SenderProof } from '../core/incoming-webhook.ts';
import type { Connection } from './connection.ts';
import { sealedOf } from './held.ts';
import { fromJson, toDate } from './json-column.ts';
import type { Tables } from './tables.ts';

/** Incoming webhooks in the database. One that is only reserved is not there yet for its readers. */
export function createIncomingWebhookStore({ db }: Connection): IncomingWebhookStore {
  return {
    async findByName(projectId, name) {
      const row = await db
        .selectFrom('incoming_webhook')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('name_key', '=', name.toLowerCase())
        .executeTakeFirst();
      const sealed = row && sealedOf(row);
      return sealed && { ...toIncomingWebhook(row), sealed };
    },
    async list(projectId) {
      const rows = await db
        .selectFrom('incoming_webhook')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('key_id', 'is not', null)
        .orderBy('name_key')
        .execute();
      return rows.map(toIncomingWebhook);
    },
    async reserve(webhook) {
      const row = await db
        .insertInto('incoming_webhook')
        .values({
          project_id: webhook.projectId,
          name: webhook.name,
          name_key: webhook.name.toLowerCase(),
          branch: webhook.branch,
          proof: webhook.proof,
          parameters: JSON.stringify(webhook.parameters),
          is_enabled: webhook.isEnabled,
          created_at: webhook.createdAt,
          created_by: webhook.createdBy,
        })
        .onConflict((conflict) => conflict.columns(['project_id', 'name_key']).doNothing())
        .returning('id')
        .executeTakeFirst();
      return row?.id;
    },
    async setSealed(id, { keyId, wrappedKey, nonce, ciphertext }) {
      await db
        .updateTable('incoming_webhook')
        .set({ key_id: keyId, wrapped_key: wrappedKey, nonce, ciphertext })
        .where('id', '=', id)
        .execute();
    },
    async update(id, { branch, proof, parameters, isEnabled, lastAcceptedAt }) {
      const values: Updateable<Tables['incoming_webhook']> = {
        ...(branch === undefined ? {} : { branch }),
        ...(proof === undefined ? {} : { proof }),
        ...(parameters === undefined ? {} : { parameters: JSON.stringify(parameters) }),
        ...(isEnabled === undefined ? {} : { is_enabled: isEnabled }),
        ...(lastAcceptedAt === undefined ? {} : { last_accepted_at: lastAcceptedAt }),
      };
      if (Object.keys(values).length > 0)
        await db.updateTable('incoming_webhook').set(values).where('id', '=', id).execute();
    },
    async remove(id) {
      await db.deleteFrom('incoming_webhook').where('id', '=', id).execute();
    },
  };
}

function toIncomingWebhook(row: Selectable<Tables['incoming_webhook']>): IncomingWebhook {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    branch: row.branch,
    proof: row.proof as SenderProof,
    parameters: fromJson<Record<string, string>>(row.parameters),
    isEnabled: row.is_enabled === 1,
    lastAcceptedAt: toDate(row.last_accepted_at),
    createdAt: new Date(row.created_at),
    createdBy: row.created_by,
  };
}

import type { Selectable, Updateable } from 'kysely';
import type {
  DeliveryFault,
  DeliveryStatus,
  DeliveryTry,
  Webhook,
  WebhookDelivery,
  WebhookEvent,
  WebhookStore,
} from '../core/webhook.ts';
import type { Connection } from './connection.ts';
import { fromCursor, toCursor } from './cursor.ts';
import { holderColumn, holderOf, sealedOf } from './held.ts';
import { fromJson, toDate } from './json-column.ts';
import { prepare } from './prepare.ts';
import type { Tables } from './tables.ts';

/** Webhooks and what they are sent, in the database. */
export function createWebhookStore(connection: Connection): WebhookStore {
  const { db } = connection;
  const insert = prepare<{
    webhookId: number;
    messageId: string;
    sequence: number | undefined;
    event: string;
    body: string;
    status: string;
    nextAt: Date | undefined;
    createdAt: Date;
    fault: string | undefined;
  }>()(connection, (_, value) =>
    db
      .insertInto('webhook_delivery')
      .values({
        webhook_id: value.webhookId,
        message_id: value.messageId,
        sequence: value.sequence,
        event: value.event,
        body: value.body,
        status: value.status,
        tries: 0,
        next_at: value.nextAt,
        created_at: value.createdAt,
        fault: value.fault,
      })
      .onConflict((conflict) => conflict.columns(['webhook_id', 'sequence']).doNothing())
      .returningAll(),
  );

  return {
    async find(id) {
      const row = await db.selectFrom('webhook').selectAll().where('id', '=', id).executeTakeFirst();
      const sealed = row && sealedOf(row);
      return sealed && { ...toWebhook(row), sealed };
    },
    async list(holder) {
      const rows = await db
        .selectFrom('webhook')
        .selectAll()
        .where(holderColumn(holder), '=', holder.id)
        .where('key_id', 'is not', null)
        .orderBy('id')
        .execute();
      return rows.map(toWebhook);
    },
    async listEnabled() {
      const rows = await db
        .selectFrom('webhook')
        .selectAll()
        .where('is_enabled', '=', 1)
        .where('key_id', 'is not', null)
        .orderBy('id')
        .execute();
      return rows.map(toWebhook);
    },
    async reserve(webhook) {
      const { id } = await db
        .insertInto('webhook')
        .values({
          [holderColumn(webhook.holder)]: webhook.holder.id,
          url: webhook.url,
          events: JSON.stringify(webhook.events),
          is_enabled: webhook.isEnabled,
          header_name: webhook.headerName,
          since_sequence: webhook.sinceSequence,
          created_at: webhook.createdAt,
          created_by: webhook.createdBy,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      return id;
    },
    async setSealed(id, { keyId, wrappedKey, nonce, ciphertext }) {
      await db
        .updateTable('webhook')
        .set({ key_id: keyId, wrapped_key: wrappedKey, nonce, ciphertext })
        .where('id', '=', id)
        .execute();
    },
    async update(id, { url, events, isEnabled, disabledReason, headerName, sinceSequence, failingSince }) {
      const values: Updateable<Tables['webhook']> = {
        ...(url === undefined ? {} : { url }),
        ...(events === undefined ? {} : { events: JSON.stringify(events) }),
        ...(isEnabled === undefined ? {} : { is_enabled: isEnabled }),
        ...(disabledReason === undefined ? {} : { disabled_reason: disabledReason }),
        ...(headerName === undefined ? {} : { header_name: headerName }),
        ...(sinceSequence === undefined ? {} : { since_sequence: sinceSequence }),
        ...(failingSince === undefined ? {} : { failing_since: failingSince }),
      };
      if (Object.keys(values).length > 0) await db.updateTable('webhook').set(values).where('id', '=', id).execute();
    },
    async remove(id) {
      await db.deleteFrom('webhook_delivery').where('webhook_id', '=', id).execute();
      await db.deleteFrom('webhook').where('id', '=', id).execute();
    },

    async enqueue({ refusedAs, ...delivery }) {
      const [row] = await insert.run({
        ...delivery,
        sequence: delivery.sequence,
        status: refusedAs === undefined ? 'waiting' : 'failed',
        nextAt: refusedAs === undefined ? delivery.createdAt : undefined,
        fault: refusedAs,
      });
      return row && toDelivery(row);
    },
    async countWaiting(webhookIds) {
      if (webhookIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('webhook_delivery')
        .select((eb) => ['webhook_id', eb.fn.countAll<number>().as('count')])
        .where('webhook_id', 'in', webhookIds)
        .where('next_at', 'is not', null)
        .groupBy('webhook_id')
        .execute();
      return new Map(rows.map(({ webhook_id, count }) => [webhook_id, Number(count)]));
    },
    async findDelivery(webhookId, id) {
      const row = await db
        .selectFrom('webhook_delivery')
        .selectAll()
        .where('id', '=', id)
        .where('webhook_id', '=', webhookId)
        .executeTakeFirst();
      return row && toDelivery(row);
    },
    async listDeliveries(webhookId, { limit, after }) {
      let query = db.selectFrom('webhook_delivery').selectAll().where('webhook_id', '=', webhookId);
      if (after !== undefined) query = query.where('id', '<', fromCursor(after, 1)[0]!);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      return { items: items.map(toDelivery), next: rows.length > limit && last ? toCursor([last.id]) : null };
    },
    async listDueWebhooks(at) {
      const rows = await db
        .selectFrom('webhook_delivery')
        .select('webhook_id')
        .distinct()
        .where('next_at', '<=', at.getTime())
        .execute();
      return rows.map(({ webhook_id }) => webhook_id);
    },
    async listDue(webhookId, at, limit) {
      const rows = await db
        .selectFrom('webhook_delivery')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .where('next_at', '<=', at.getTime())
        .orderBy('next_at')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toDelivery);
    },
    async firstNextAt(at) {
      const row = await db
        .selectFrom('webhook_delivery')
        .select('next_at')
        .where('next_at', '>', at.getTime())
        .orderBy('next_at')
        .limit(1)
        .executeTakeFirst();
      return toDate(row?.next_at ?? null);
    },
    async recordTry(id, { status, tries, nextAt, lastTry }) {
      await db
        .updateTable('webhook_delivery')
        .set({ status, tries, next_at: nextAt ?? null, ...tryColumns(lastTry) })
        .where('id', '=', id)
        .execute();
    },
    async redeliver(id, at) {
      await db
        .updateTable('webhook_delivery')
        .set({ status: 'waiting', tries: 0, next_at: at })
        .where('id', '=', id)
        .execute();
    },
    async giveUpWaiting(webhookId, at) {
      await db
        .updateTable('webhook_delivery')
        .set({ status: 'failed', next_at: null, fault: 'switched-off', message: null, tried_at: at })
        .where('webhook_id', '=', webhookId)
        .where('next_at', 'is not', null)
        .execute();
    },
    async pruneOlder(before, limit) {
      const old = db
        .selectFrom('webhook_delivery')
        .select('id')
        .where('created_at', '<', before.getTime())
        .orderBy('created_at')
        .limit(limit);
      const { numDeletedRows } = await db.deleteFrom('webhook_delivery').where('id', 'in', old).executeTakeFirst();
      return Number(numDeletedRows);
    },
    async pruneBeyond(webhookId, kept, limit) {
      const beyond = db
        .selectFrom('webhook_delivery')
        .select('id')
        .where('webhook_id', '=', webhookId)
        .where('next_at', 'is', null)
        .orderBy('id', 'desc')
        .limit(limit)
        .offset(kept);
      const { numDeletedRows } = await db.deleteFrom('webhook_delivery').where('id', 'in', beyond).executeTakeFirst();
      return Number(numDeletedRows);
    },
    async listWithDeliveries() {
      const rows = await db.selectFrom('webhook_delivery').select('webhook_id').distinct().execute();
      return rows.map(({ webhook_id }) => webhook_id);
    },
  };
}

function tryColumns({ at, durationMs, status, response, fault, message }: DeliveryTry) {
  return {
    tried_at: at,
    duration_ms: durationMs,
    response_status: status ?? null,
    response: response ?? null,
    fault: fault ?? null,
    message: message ?? null,
  };
}

function toWebhook(row: Selectable<Tables['webhook']>): Webhook {
  return {
    id: row.id,
    holder: holderOf(row),
    url: row.url,
    events: fromJson<WebhookEvent[]>(row.events),
    isEnabled: row.is_enabled === 1,
    disabledReason: (row.disabled_reason ?? undefined) as Webhook['disabledReason'],
    headerName: row.header_name ?? undefined,
    sinceSequence: row.since_sequence,
    failingSince: toDate(row.failing_since),
    createdAt: new Date(row.created_at),
    createdBy: row.created_by,
  };
}

function toDelivery(row: Selectable<Tables['webhook_delivery']>): WebhookDelivery {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    messageId: row.message_id,
    event: row.event as WebhookDelivery['event'],
    body: row.body,
    status: row.status as DeliveryStatus,
    tries: row.tries,
    nextAt: toDate(row.next_at),
    createdAt: new Date(row.created_at),
    lastTry: toTry(row),
  };
}

function toTry(row: Selectable<Tables['webhook_delivery']>): DeliveryTry | undefined {
  if (row.tried_at === null && row.fault === null) return undefined;
  return {
    at: new Date(row.tried_at ?? row.created_at),
    durationMs: row.duration_ms ?? 0,
    status: row.response_status ?? undefined,
    response: row.response ?? undefined,
    fault: (row.fault ?? undefined) as DeliveryFault | undefined,
    message: row.message ?? undefined,
  };
}

import type { ExpressionBuilder } from 'kysely';
import type { IdempotencyStore } from '../core/idempotency.ts';
import type { Connection } from './connection.ts';
import type { Tables } from './tables.ts';

type Key = Parameters<IdempotencyStore['settle']>[0];

/**
 * Idempotency keys in the database. A claim belongs to the opened store that made it (`holder`): one that another holder
 * left without an answer comes from a server that died, and may be made again.
 */
export function createIdempotencyStore({ db }: Connection, holder: string): IdempotencyStore {
  const where = (key: Key) => (eb: ExpressionBuilder<Tables, 'idempotency'>) =>
    eb.and([eb('person_id', '=', key.personId), eb('operation', '=', key.operation), eb('key', '=', key.key)]);

  return {
    async claim(key, requestHash, at) {
      const claim = { request_hash: requestHash, holder, at };
      const inserted = await db
        .insertInto('idempotency')
        .values({ person_id: key.personId, operation: key.operation, key: key.key, ...claim })
        .onConflict((conflict) => conflict.columns(['person_id', 'operation', 'key']).doNothing())
        .returning('key')
        .executeTakeFirst();
      if (inserted) return { state: 'new' };

      const row = await db.selectFrom('idempotency').selectAll().where(where(key)).executeTakeFirstOrThrow();
      if (row.status === null && row.holder !== holder) {
        await db.updateTable('idempotency').set(claim).where(where(key)).execute();
        return { state: 'new' };
      }
      if (row.request_hash !== requestHash) return { state: 'different' };
      if (row.status === null) return { state: 'in-flight' };
      return { state: 'same', status: row.status, body: row.body ?? '' };
    },
    async settle(key, status, body) {
      await db.updateTable('idempotency').set({ status, body }).where(where(key)).execute();
    },
    async release(key) {
      await db.deleteFrom('idempotency').where(where(key)).where('status', 'is', null).execute();
    },
    async prune(before) {
      await db
        .deleteFrom('idempotency')
        .where((eb) =>
          eb.or([eb('at', '<', before.getTime()), eb.and([eb('status', 'is', null), eb('holder', '!=', holder)])]),
        )
        .execute();
    },
  };
}

import type { RateLimitStore } from '../core/rate-limit.ts';
import type { Connection } from './connection.ts';

/** Rows of buckets that are full again, and so say nothing, forgotten with each write. */
const forgottenAtOnce = 50;

/** Token buckets in the database: a restart does not fill them. */
export function createRateLimitStore({ db }: Connection): RateLimitStore {
  async function forget(at: Date, limit: number): Promise<number> {
    const removed = await db
      .deleteFrom('rate_limit')
      .where('key', 'in', (full) =>
        full.selectFrom('rate_limit').select('key').where('full_at', '<', at.getTime()).limit(limit),
      )
      .executeTakeFirst();
    return Number(removed.numDeletedRows);
  }

  return {
    async take(key, cost, bucket, at) {
      const row = await db
        .selectFrom('rate_limit')
        .select(['level', 'updated_at'])
        .where('key', '=', key)
        .executeTakeFirst();
      // The clock may have jumped back: then nothing was refilled.
      const elapsedMs = row ? Math.max(0, at.getTime() - row.updated_at) : 0;
      const level = row
        ? Math.min(bucket.capacity, row.level + (elapsedMs / 1_000) * bucket.perSecond)
        : bucket.capacity;
      if (level < cost) {
        // More than the bucket can ever hold is answered with the time of a whole bucket.
        const missing = Math.min(cost, bucket.capacity) - level;
        return { allowed: false, retryAfterMs: Math.max(1, Math.ceil((missing / bucket.perSecond) * 1_000)) };
      }

      const left = level - cost;
      const change = {
        level: left,
        updated_at: at,
        full_at: new Date(at.getTime() + Math.ceil(((bucket.capacity - left) / bucket.perSecond) * 1_000)),
      };
      await db
        .insertInto('rate_limit')
        .values({ key, ...change })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(change))
        .execute();
      await forget(at, forgottenAtOnce);
      return { allowed: true, retryAfterMs: 0 };
    },
    prune: forget,
  };
}

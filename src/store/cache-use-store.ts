import type { CacheUse, CacheUseStore } from '../core/cache.ts';
import type { Connection } from './connection.ts';

/** Keys that are remembered of a project: each change of a lock file makes another. */
const keptKeys = 500;

/** How often keys of caches were asked for, in the database. */
export function createCacheUseStore({ db }: Connection): CacheUseStore {
  return {
    async note(projectId, key, isHit, at) {
      const [hits, misses] = isHit ? [1, 0] : [0, 1];
      await db
        .insertInto('cache_use')
        .values({ project_id: projectId, key, hits, misses, used_at: at })
        .onConflict((conflict) =>
          conflict.columns(['project_id', 'key']).doUpdateSet((row) => ({
            hits: row('cache_use.hits', '+', hits),
            misses: row('cache_use.misses', '+', misses),
            used_at: at,
          })),
        )
        .execute();
      const surplus = await db
        .selectFrom('cache_use')
        .select('key')
        .where('project_id', '=', projectId)
        .orderBy('used_at', 'desc')
        .orderBy('key')
        .limit(keptKeys)
        .offset(keptKeys)
        .execute();
      if (surplus.length === 0) return;
      const keys = surplus.map((row) => row.key);
      await db.deleteFrom('cache_use').where('project_id', '=', projectId).where('key', 'in', keys).execute();
    },
    async list(projectId) {
      const rows = await db
        .selectFrom('cache_use')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('used_at', 'desc')
        .orderBy('key')
        .execute();
      return rows.map(
        (row): CacheUse => ({
          key: row.key,
          hits: Number(row.hits),
          misses: Number(row.misses),
          usedAt: new Date(row.used_at),
        }),
      );
    },
  };
}

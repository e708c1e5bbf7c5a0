import type { CacheView } from '../../api/caches.ts';
import type { CacheEntry, CacheShelf, CacheUse } from '../../core/cache.ts';
import { protectedScope } from '../../core/cache.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder } from '../../core/find-holder.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Feature, OperationHandlers } from '../feature.ts';

export interface CachesDeps {
  readonly store: UnitOfWork;
  readonly shelf: CacheShelf;
  readonly clock: Clock;
}

/** The caches of projects: what there is, how often it was of use, and deleting it. */
export function cachesFeature(deps: CachesDeps): Feature {
  return { name: 'caches', operations: cacheOperations(deps) };
}

function cacheOperations({ store, shelf, clock }: CachesDeps) {
  return {
    async listCaches({ params }) {
      const { holder } = await findHolder(store.read, params);
      const [entries, uses] = await Promise.all([shelf.list(holder.id), store.read.cacheUses.list(holder.id)]);
      const byKey = new Map(uses.map((use) => [use.key, use]));
      return {
        items: entries.map((entry) => cacheView(entry, byKey.get(entry.key))),
        hits: uses.reduce((sum, use) => sum + use.hits, 0),
        misses: uses.reduce((sum, use) => sum + use.misses, 0),
      };
    },

    async deleteCache({ params }, request) {
      const { holder, subject, projectId } = await findHolder(store.read, params);
      const entry = (await shelf.list(holder.id)).find(({ id }) => id === params.cache);
      if (!entry || !(await shelf.remove(holder.id, params.cache)))
        throw new GantryError(
          'CACHE_NOT_FOUND',
          `Cannot delete the cache ${params.cache}: ${subject} has none with this id`,
          {
            details: { cache: params.cache },
          },
        );
      const { actor, remoteAddress, requestId } = request;
      await store.write((stores) =>
        stores.audit.append({
          at: clock.now(),
          actor: actor.kind === 'person' ? actor.person.name : 'anonymous',
          action: 'cache:delete',
          subject,
          remoteAddress,
          requestId,
          details: { key: entry.key, branch: branchOf(entry), sizeBytes: entry.sizeBytes },
          ...(projectId === undefined ? {} : { projectId }),
        }),
      );
    },
  } satisfies OperationHandlers;
}

function cacheView(entry: CacheEntry, use: CacheUse | undefined): CacheView {
  const { id, kind, key, paths, sizeBytes, savedBy, savedAt, usedAt } = entry;
  return {
    id,
    kind,
    key,
    branch: branchOf(entry),
    paths: [...paths],
    sizeBytes,
    savedBy,
    savedAt: savedAt.toISOString(),
    usedAt: usedAt.toISOString(),
    hits: use?.hits ?? 0,
    misses: use?.misses ?? 0,
  };
}

function branchOf({ scope }: CacheEntry): string | null {
  return scope === protectedScope ? null : scope.replace(/^refs\/(?:heads|tags)\//, '');
}

import type { KeptResult, StepResults } from '../runtime.ts';
import type { CacheStore } from './cache-store.ts';

/** Results of steps on this host: they lie beside the caches, under the same limits. */
export function createStepResults({
  store,
  ...options
}: Pick<StepResults, 'surroundings' | 'digestOf' | 'findHindrance'> & { readonly store: CacheStore }): StepResults {
  return {
    ...options,
    find(access, key): KeptResult | undefined {
      const entry = store.findResult(access, key);
      if (!entry?.record.result) return undefined;
      const { origin, parts } = entry.record.result;
      return { origin, parts, release: () => entry.release() };
    },
    latest: (access, label) => store.latestResult(access, label)?.result,
    forget: (access, key) => store.forgetResult(access, key),
  };
}

import type { Images } from '../../../core/image.ts';
import type { KeptResult, StepResults } from '../runtime.ts';
import type { CacheStore } from './cache-store.ts';

/** Results of steps on this host: they lie beside the caches, under the same limits. */
export function createSandboxResults(options: {
  readonly images: Pick<Images, 'digestOf'>;
  readonly store: CacheStore;
}): StepResults {
  const { images, store } = options;
  return {
    // What the sandbox adds is the same for all: another isolation does not make another result.
    surroundings: 'sandbox',
    digestOf: ({ image, pull, credentials, signal }) =>
      images.digestOf(image, { pull, ...(credentials ? { credentials } : {}), ...(signal ? { signal } : {}) }),
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

import type { ImageWish, Runtime } from '../drivers/runtime/runtime.ts';
import type { Logger } from '../lib/logger.ts';

/** A pull is work for disk and network that steps need too. */
const fetchesAtOnce = 2;
const maxWaiting = 256;

/**
 * Fetches images before their steps ask for them, a few at a time. A step whose image is on its way waits for what is left
 * of it; one whose image could not be fetched says so itself.
 */
export class ImageFetcher {
  readonly #logger: Logger;
  readonly #waiting = new Map<string, () => Promise<void>>();
  readonly #stop = new AbortController();
  #running = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What is waiting already is not asked for twice; what is too much is left to its steps. */
  fetch(runtime: Runtime, wishes: readonly ImageWish[]): void {
    if (!runtime.fetchImage || this.#stop.signal.aborted) return;
    for (const wish of wishes) {
      const key = JSON.stringify([runtime.name, wish.image, wish.pull, wish.credentials ?? []]);
      if (wish.pull === 'never' || this.#waiting.has(key)) continue;
      if (this.#waiting.size >= maxWaiting) return;
      this.#waiting.set(key, () => runtime.fetchImage!({ ...wish, signal: this.#stop.signal }));
    }
    this.#next();
  }

  stop(): void {
    this.#waiting.clear();
    this.#stop.abort(new Error('The runner leaves'));
  }

  #next(): void {
    while (this.#running < fetchesAtOnce) {
      const [first] = this.#waiting;
      if (!first) return;
      const [key, fetch] = first;
      this.#waiting.delete(key);
      this.#running += 1;
      fetch()
        .catch((error: unknown) => this.#logger.debug('An image could not be fetched ahead of its step', { error }))
        .finally(() => {
          this.#running -= 1;
          this.#next();
        });
    }
  }
}

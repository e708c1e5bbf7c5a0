import type { Clock } from '../lib/clock.ts';

/**
 * Token buckets in memory: for what costs us little per request but must not be unbounded. Sign-in has buckets of its
 * own in the database, since those must outlive a restart.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #perSecond: number;
  readonly #limitKeys: number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, { units: number; atMs: number }>();

  constructor(clock: Clock, bucket: { capacity: number; perSecond: number }, limitKeys = 10_000) {
    this.#clock = clock;
    this.#capacity = bucket.capacity;
    this.#perSecond = bucket.perSecond;
    this.#limitKeys = limitKeys;
  }

  /** Takes one unit; answers 0, or how long to wait for the next. */
  take(key: string): number {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#buckets.get(key);
    const units = Math.min(
      this.#capacity,
      found ? found.units + ((nowMs - found.atMs) / 1_000) * this.#perSecond : this.#capacity,
    );
    const isAllowed = units >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { units: isAllowed ? units - 1 : units, atMs: nowMs });
    if (this.#buckets.size > this.#limitKeys) {
      // The one unused for longest has refilled the most: forgetting it gives the least away.
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return isAllowed ? 0 : Math.ceil(((1 - units) / this.#perSecond) * 1_000);
  }
}

/** Locks by name: whoever asks for several gets all of them or waits, in the order of asking. */
export class KeyedLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Resolves once all are held; what it answers releases them. Several names are never taken in different orders. */
  async acquire(keys: readonly string[]): Promise<() => void> {
    const releases: (() => void)[] = [];
    for (const key of [...new Set(keys)].sort()) {
      const before = this.#tails.get(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      const tail = (before ?? Promise.resolve()).then(() => promise);
      this.#tails.set(key, tail);
      releases.push(() => {
        resolve();
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
      if (before) await before;
    }
    return () => {
      for (const release of releases) release();
    };
  }

  isHeld(key: string): boolean {
    return this.#tails.has(key);
  }
}

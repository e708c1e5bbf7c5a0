import type { HappeningBus, StoredHappening } from '../core/events.ts';
import type { Logger } from '../lib/logger.ts';

/** The bus, with the end that only the writer holds: it publishes what was committed, in the order of the commits. */
export class HappeningChannel implements HappeningBus {
  readonly #listeners = new Set<(happening: StoredHappening) => void>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  subscribe(listener: (happening: StoredHappening) => void): () => void {
    // Wrapped, so that the same function may subscribe twice and leave once.
    const entry = (happening: StoredHappening): void => listener(happening);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  publish(happening: StoredHappening): void {
    for (const listener of this.#listeners) {
      try {
        listener(happening);
      } catch (error) {
        // It is committed: one listener's failure must not keep it from the others.
        this.#logger.error('A listener of happenings failed', { error, type: happening.happening.type });
      }
    }
  }
}

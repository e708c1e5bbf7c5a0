import type { Logger } from '../../../lib/logger.ts';
import type { Surroundings } from './surroundings.ts';

/** Two jobs may begin at once without waiting. */
const poolSize = 2;

/** Keeps surroundings ready: making some costs more than a step, and no job need wait for it. */
export class SurroundingsPool {
  readonly #make: () => Promise<Surroundings>;
  readonly #logger: Logger;
  readonly #ready: Promise<Surroundings>[] = [];
  #isClosed = false;

  constructor(make: () => Promise<Surroundings>, logger: Logger) {
    this.#make = make;
    this.#logger = logger;
  }

  /** One that is ready, or being made; else one made for the caller. */
  async take(): Promise<Surroundings> {
    const next = this.#ready.shift();
    if (!next) return this.#make();
    // One that could not be made ahead of time says nothing about the next attempt.
    return next.catch(() => this.#make());
  }

  fill(): void {
    while (!this.#isClosed && this.#ready.length < poolSize) {
      const making = this.#make();
      this.#ready.push(making);
      making.catch((error: unknown) => {
        const at = this.#ready.indexOf(making);
        if (at >= 0) void this.#ready.splice(at, 1);
        this.#logger.warn('The surroundings of a job could not be made ready', { error });
      });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ready = await Promise.allSettled(this.#ready.splice(0));
    await Promise.all(ready.flatMap((each) => (each.status === 'fulfilled' ? [each.value.remove()] : [])));
  }
}

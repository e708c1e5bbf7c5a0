import type { Logger } from '../../../lib/logger.ts';
import type { NamespaceHolder } from './namespace-holder.ts';

/** How long after one was taken another is made: not while the job that took it begins. */
const refillAfterMs = { empty: 20, other: 250 };

/** Keeps a few holders with their network ready, so that a job does not wait for their making. */
export class HolderPool {
  readonly #make: () => Promise<NamespaceHolder>;
  readonly #size: number;
  readonly #logger: Logger;
  readonly #ready: NamespaceHolder[] = [];
  readonly #making = new Set<Promise<NamespaceHolder>>();
  #furnish: ((holder: NamespaceHolder) => Promise<void>) | undefined;
  #isFurnishing = false;
  #isClosed = false;

  constructor(options: {
    readonly make: () => Promise<NamespaceHolder>;
    readonly size: number;
    readonly logger: Logger;
  }) {
    this.#make = options.make;
    this.#size = options.size;
    this.#logger = options.logger;
  }

  /** What is to be done with the holder that the next job will get, while nobody waits for it. May be done again. */
  furnishWith(furnish: (holder: NamespaceHolder) => Promise<void>): void {
    this.#furnish = furnish;
  }

  /** A holder of the caller's own; who takes it closes it. Jobs get the furnished one. */
  async take(user: 'job' | 'other' = 'other'): Promise<NamespaceHolder> {
    const ready = user === 'job' ? this.#ready.shift() : this.#ready.pop();
    setTimeout(() => this.fill(), this.#ready.length === 0 ? refillAfterMs.empty : refillAfterMs.other).unref();
    return ready ?? (await this.#make());
  }

  /** Starts to make what is missing, one at a time, and then to furnish. */
  fill(): void {
    if (this.#isClosed || this.#making.size > 0) return;
    if (this.#ready.length >= this.#size) {
      this.#furnishNext();
      return;
    }
    const made = this.#make();
    this.#making.add(made);
    made
      .then((holder) => {
        if (this.#isClosed) return holder.close();
        this.#ready.push(holder);
        void holder.died.then(() => this.#drop(holder));
        this.#making.delete(made);
        this.fill();
        return undefined;
      })
      .catch((error: unknown) => this.#logger.warn('A sandbox could not be made ready ahead', { error }))
      .finally(() => this.#making.delete(made));
  }

  #furnishNext(): void {
    const next = this.#ready[0];
    if (!this.#furnish || !next || this.#isFurnishing) return;
    this.#isFurnishing = true;
    void this.#furnish(next).finally(() => {
      this.#isFurnishing = false;
      // Another one is next by now.
      if (!this.#isClosed && this.#ready[0] !== next) this.#furnishNext();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#making);
    await Promise.all(this.#ready.splice(0).map((holder) => holder.close()));
  }

  #drop(holder: NamespaceHolder): void {
    const index = this.#ready.indexOf(holder);
    if (index >= 0) this.#ready.splice(index, 1);
  }
}

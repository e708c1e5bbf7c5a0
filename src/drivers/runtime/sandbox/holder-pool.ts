import type { Logger } from '../../../lib/logger.ts';
import type { NamespaceHolder } from './namespace-holder.ts';

/** Keeps a few holders with their network ready, so that a job does not wait for their making. */
export class HolderPool {
  readonly #make: () => Promise<NamespaceHolder>;
  readonly #size: number;
  readonly #logger: Logger;
  readonly #ready: NamespaceHolder[] = [];
  readonly #making = new Set<Promise<NamespaceHolder>>();
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

  /** A holder of the caller's own; who takes it closes it. */
  async take(): Promise<NamespaceHolder> {
    const ready = this.#ready.shift();
    // Made anew a moment later, so that the making does not compete with the job's first step.
    setTimeout(() => this.fill(), 20).unref();
    return ready ?? (await this.#make());
  }

  /** Starts to make what is missing, one at a time. */
  fill(): void {
    if (this.#isClosed || this.#making.size > 0 || this.#ready.length >= this.#size) return;
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

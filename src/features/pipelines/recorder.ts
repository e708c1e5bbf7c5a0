import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { ChangeSet, type Landmark } from './change-set.ts';

interface Entry {
  readonly changes: ChangeSet;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Brings decisions into the record, in the order in which they were made: the next is never on disk before the last.
 * What gathers while a commit is under way shares the next one, and changes of many steps become one statement.
 */
export class Recorder {
  readonly #store: UnitOfWork;
  readonly #onFailure: (failed: readonly ChangeSet[], error: unknown) => void;
  #waiting: Entry[] = [];
  #isFlushing = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(store: UnitOfWork, onFailure: (failed: readonly ChangeSet[], error: unknown) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  /** Resolves when the changes are on disk. Rejects when they are not, after `onFailure` was told. */
  record(changes: ChangeSet): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      if (this.#isFlushing) return;
      this.#isFlushing = true;
      // A microtask, not a timer: all that is decided in this tick shares one commit.
      this.#idle = Promise.resolve().then(() => this.#flushAll());
    });
  }

  /** Resolves once nothing waits to be written. */
  async settled(): Promise<void> {
    while (this.#isFlushing) await this.#idle;
  }

  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const sets = batch.map(({ changes }) => changes);
      const landmarks = new Set(sets.flatMap((set) => [...set.landmarks]));
      try {
        await pass(landmarks, 'before');
        // One without changes only waits for those before it.
        if (sets.some((set) => !set.isEmpty)) await this.#store.write((stores) => ChangeSet.write(stores, sets));
        await pass(landmarks, 'after');
      } catch (error) {
        this.#fail(batch, error);
        continue;
      }
      for (const { resolve } of batch) resolve();
    }
    this.#isFlushing = false;
  }

  /** What was decided on top of a change that did not come to be is void as well. */
  #fail(batch: readonly Entry[], error: unknown): void {
    const spoilt = new Set(batch.flatMap(({ changes }) => [...changes.pipelines]));
    const isVoid = ({ changes }: Entry): boolean => [...changes.pipelines].some((pipeline) => spoilt.has(pipeline));
    const failed = [...batch, ...this.#waiting.filter(isVoid)];
    this.#waiting = this.#waiting.filter((entry) => !isVoid(entry));
    this.#onFailure(
      failed.map(({ changes }) => changes),
      error,
    );
    for (const { reject } of failed) reject(error);
  }
}

async function pass(landmarks: ReadonlySet<Landmark>, side: 'before' | 'after'): Promise<void> {
  for (const landmark of landmarks) {
    if (landmark === 'workflow.end' || landmark === 'pipeline.end') {
      if (side === 'before') await failpoint(landmark);
    } else await failpoint(`${landmark}.${side}Commit`);
  }
}

import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { ChangeSet, FencedError, type Landmark } from './change-set.ts';

interface Entry {
  readonly changes: ChangeSet;
  readonly resolve: (isRecorded: boolean) => void;
}

export interface RecorderDeps {
  readonly store: UnitOfWork;
  /** Told of changes that are on disk, before whoever waits for them. */
  readonly onRecorded: (changes: ChangeSet) => void;
  /** Told of all that came to nothing at once, before whoever waits for them. */
  readonly onFailure: (failed: readonly ChangeSet[], error: unknown) => void;
}

/**
 * Brings decisions into the record, in the order in which they were made: the next is never on disk before the last.
 * What gathers while a commit is under way shares the next one, and changes of many steps become one statement.
 */
export class Recorder {
  readonly #deps: RecorderDeps;
  #waiting: Entry[] = [];
  #isFlushing = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
  }

  /** Resolves with whether the changes are on disk; that they are not `onFailure` was told. */
  record(changes: ChangeSet): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ changes, resolve });
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
      const landmarks = new Set(sets.flatMap((set) => set.landmarks));
      try {
        await pass(landmarks, 'before');
        // One without changes only waits for those before it.
        if (sets.some((set) => !set.isEmpty)) await this.#deps.store.write((stores) => ChangeSet.write(stores, sets));
        await pass(landmarks, 'after');
      } catch (error) {
        if (error instanceof FencedError) this.#failFenced(batch, error);
        else this.#fail(batch, error);
        continue;
      }
      for (const { changes, resolve } of batch) {
        this.#deps.onRecorded(changes);
        resolve(true);
      }
    }
    this.#isFlushing = false;
  }

  /** Only the pipelines whose workflows somebody else has taken; all others are tried again as if those had not been. */
  #failFenced(batch: readonly Entry[], error: FencedError): void {
    const isFenced = ({ changes }: Entry): boolean =>
      changes.pipelines.some(({ workflows }) => workflows.some(({ id }) => error.workflowIds.has(id)));
    this.#waiting.unshift(...batch.filter((entry) => !isFenced(entry)));
    this.#fail(batch.filter(isFenced), error);
  }

  /** What was decided on top of a change that did not come to be is void as well. */
  #fail(batch: readonly Entry[], error: unknown): void {
    const spoilt = new Set(batch.flatMap(({ changes }) => changes.pipelines));
    const isVoid = ({ changes }: Entry): boolean => changes.pipelines.some((pipeline) => spoilt.has(pipeline));
    const failed = [...batch, ...this.#waiting.filter(isVoid)];
    this.#waiting = this.#waiting.filter((entry) => !isVoid(entry));
    this.#deps.onFailure(
      failed.map(({ changes }) => changes),
      error,
    );
    for (const { resolve } of failed) resolve(false);
  }
}

async function pass(landmarks: ReadonlySet<Landmark>, side: 'before' | 'after'): Promise<void> {
  for (const landmark of landmarks) {
    if (landmark === 'workflow.end' || landmark === 'pipeline.end') {
      if (side === 'before') await failpoint(landmark);
    } else await failpoint(`${landmark}.${side}Commit`);
  }
}

import type { Outcome } from '../../../core/pipeline.ts';
import type { ReleaseSpec, RunningStep, StagedStep } from '../runtime.ts';
import type { StepCache } from './job-caches.ts';

/** What is done with the cache of a step. */
export type CacheWork = Pick<StepCache, 'restore' | 'save'>;

/** A step whose cache is mounted before it begins, and saved before its outcome is told. */
export class CachedStep implements StagedStep {
  readonly #staged: StagedStep;
  readonly #cache: CacheWork;
  #isOver = false;

  constructor(staged: StagedStep, cache: CacheWork) {
    this.#staged = staged;
    this.#cache = cache;
  }

  get ports(): StagedStep['ports'] {
    return this.#staged.ports;
  }

  release(release: ReleaseSpec): RunningStep {
    if (this.#isOver) throw new TypeError('Cannot release a step with a cache: it was released or discarded before');
    this.#isOver = true;
    const tell = release.onCache ?? (() => {});
    let running: RunningStep | undefined;
    let cancelled: string | undefined;
    const run = async (): Promise<Outcome> => {
      await this.#cache.restore(tell);
      if (cancelled !== undefined) {
        await this.#staged.discard();
        return { kind: 'cancelled', reason: cancelled };
      }
      running = this.#staged.release(release);
      const outcome = await running.outcome;
      if (outcome.kind === 'exited' && outcome.exitCode === 0) await this.#cache.save(tell);
      return outcome;
    };
    const outcome = run().catch(
      (error: unknown): Outcome => ({ kind: 'infrastructure', message: `The step could not begin: ${String(error)}` }),
    );
    return {
      outcome,
      cancel(reason) {
        cancelled ??= reason;
        running?.cancel(reason);
      },
    };
  }

  discard(): Promise<void> {
    this.#isOver = true;
    return this.#staged.discard();
  }
}

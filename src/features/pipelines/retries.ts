import { GantryError } from '../../core/errors.ts';
import type { HappeningBus } from '../../core/events.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Timers } from '../../lib/timers.ts';
import { retryDelayMs } from './change-set.ts';
import type { Engine } from './engine.ts';
import { rerunPipeline } from './rerun-pipeline.ts';

export interface RetriesDeps {
  readonly store: UnitOfWork;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * Runs pipelines again that ended as infrastructure and whose files ask for it (`retry: infra`). That one is to be run
 * again is written with its end, and taken with the rerun: a crash in between neither forgets nor doubles it.
 */
export class Retries {
  readonly #deps: RetriesDeps;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: RetriesDeps) {
    this.#deps = deps;
  }

  /** Looks again once the time of a pipeline that has just ended has come. Answers how to stop. */
  watch(happenings: HappeningBus): () => void {
    const pending = new Set<() => void>();
    const leave = happenings.subscribe(({ happening }) => {
      if (happening.type !== 'pipeline-changed' || happening.status !== 'infrastructure') return;
      const takeBack = this.#deps.timers.after(retryDelayMs, () => {
        pending.delete(takeBack);
        this.runDue(this.#deps.clock.now()).catch((error: unknown) =>
          this.#deps.logger.error('Pipelines could not be run again', { error }),
        );
      });
      pending.add(takeBack);
    });
    return () => {
      leave();
      for (const takeBack of pending) takeBack();
    };
  }

  /** Runs those again whose time had come by then; answers their ids. */
  runDue(by: Date): Promise<readonly number[]> {
    const next = this.#running.then(() => this.#runDue(by));
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** Resolves when none is being run again. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #runDue(by: Date): Promise<readonly number[]> {
    const { store, logger } = this.#deps;
    const again: number[] = [];
    for (const id of await store.read.pipelines.dueRetries(by)) {
      const pipeline = await store.read.pipelines.find(id);
      if (!pipeline) continue;
      try {
        await rerunPipeline(this.#deps, pipeline, { what: 'retry' }, { name: 'Gantry' });
        again.push(id);
        logger.info('A pipeline that nobody’s verdict had ended runs again', { pipeline: id });
      } catch (error) {
        // Somebody runs it again already, or just did.
        if (!(error instanceof GantryError)) throw error;
        // One that cannot be is not asked for again and again.
        if (error.code === 'NOTHING_TO_RERUN') await store.write(({ pipelines }) => pipelines.takeRetry(id));
        logger.info('A pipeline was not run again', { pipeline: id, error });
      }
    }
    return again;
  }
}

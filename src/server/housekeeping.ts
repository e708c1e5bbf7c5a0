import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Feature } from '../features/feature.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

const everyMs = 60 * 60_000;
/** How long a viewer may be away and be told what it missed, and how long a request may be repeated. */
const keptMs = 24 * 3_600_000;

/** Forgets, at the start and every hour, what is kept for a day only: happenings, and answers to repeated requests. */
export function housekeeping({
  store,
  clock,
  logger,
}: {
  readonly store: UnitOfWork;
  readonly clock: Clock;
  readonly logger: Logger;
}): Feature {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  async function tidy(): Promise<void> {
    const before = new Date(clock.now().getTime() - keptMs);
    try {
      await store.write(async (stores) => {
        await stores.happenings.prune(before);
        await stores.idempotency.prune(before);
      });
    } catch (error) {
      logger.warn('What is kept for a day was not tidied; the next hour tries again', { error });
    }
  }

  return {
    name: 'housekeeping',
    async start() {
      await tidy();
      timer = setInterval(() => {
        running = tidy();
      }, everyMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

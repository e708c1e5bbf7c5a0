import type { Stores, UnitOfWork } from '../core/unit-of-work.ts';
import type { Feature } from '../features/feature.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

const everyMs = 60 * 60_000;
/** How long a viewer may be away and be told what it missed, and how long a request may be repeated. */
const keptMs = 24 * 3_600_000;

/** Rows that one transaction forgets of what has run out: whoever writes meanwhile waits for few milliseconds. */
const forgottenAtOnce = 500;

/**
 * Forgets, at the start and every hour, what is kept for a day only (happenings, and answers to repeated requests), and
 * what has run out: sessions that ended, limits that are full again, codes and links that were not used in time. None of
 * it means anything any more: all who read it ask for the time as well.
 */
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
  let isStopping = false;

  async function tidy(): Promise<void> {
    const now = clock.now();
    const before = new Date(now.getTime() - keptMs);
    try {
      await store.write(async (stores) => {
        await stores.happenings.prune(before);
        await stores.idempotency.prune(before);
      });
      await forget((stores) => stores.sessions.prune(now, forgottenAtOnce));
      await forget((stores) => stores.rateLimits.prune(now, forgottenAtOnce));
      await forget((stores) => stores.deviceLogins.prune(now, forgottenAtOnce));
      await forget((stores) => stores.passwordLinks.prune(now, forgottenAtOnce));
      // Kept where logs are kept, it tells later whether the end of the record was cut off (reliability-security 11.8).
      const [last] = await store.read.audit.list({ limit: 1 });
      if (last) logger.info('The audit ends here', { sequence: last.sequence, hash: last.hash });
    } catch (error) {
      logger.warn('What has run out was not forgotten; the next hour tries again', { error });
    }
  }

  /** Batch after batch, each in a transaction of its own, until one finds less than it may take. */
  async function forget(batch: (stores: Stores) => Promise<number>): Promise<void> {
    while (!isStopping && (await store.write(batch)) >= forgottenAtOnce);
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
      isStopping = true;
      clearInterval(timer);
      await running;
    },
  };
}

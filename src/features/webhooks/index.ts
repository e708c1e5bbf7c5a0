import type { Feature } from '../feature.ts';
import type { WebhooksDeps } from './deps.ts';
import { incomingOperations } from './incoming-operations.ts';
import { incomingRoute } from './incoming-route.ts';
import { outgoingOperations } from './outgoing-operations.ts';
import { WebhookFeed } from './webhook-feed.ts';
import { WebhookSender } from './webhook-sender.ts';

/** How long deliveries are kept, and of what is settled how many. */
const keptMs = 14 * 24 * 3_600_000;
const keptSettled = 1_000;
const tidyEveryMs = 3_600_000;
/** Rows that one transaction forgets: whoever writes meanwhile waits for few milliseconds. */
const forgottenAtOnce = 500;

export interface WebhooksFeature extends Feature {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves once nothing is to be told and nothing is under way. */
  settled(): Promise<void>;
  /** Forgets deliveries that are too old or too many; happens by itself every hour. */
  tidy(): Promise<void>;
}

/** Webhooks to other systems about what happens here, and webhooks from other systems that start pipelines. */
export function webhooksFeature(deps: WebhooksDeps): WebhooksFeature {
  const { store, clock, timers, logger } = deps;
  const feed = new WebhookFeed(deps, () => sender.wake());
  const sender: WebhookSender = new WebhookSender(deps, () => {
    feed.reload().catch((error: unknown) => logger.error('Webhooks could not be read', { error }));
  });
  let takeBack = (): void => {};
  let tidying: Promise<void> = Promise.resolve();
  let isStopping = false;

  async function tidy(): Promise<void> {
    await feed.record();
    const before = new Date(clock.now().getTime() - keptMs);
    await forget(() => store.write(({ webhooks }) => webhooks.pruneOlder(before, forgottenAtOnce)));
    for (const id of await store.read.webhooks.listWithDeliveries())
      await forget(() => store.write(({ webhooks }) => webhooks.pruneBeyond(id, keptSettled, forgottenAtOnce)));
  }

  async function forget(batch: () => Promise<number>): Promise<void> {
    while (!isStopping && (await batch()) >= forgottenAtOnce);
  }

  function tidyEachHour(): void {
    takeBack = timers.after(tidyEveryMs, () => {
      tidying = tidy()
        .catch((error: unknown) => {
          logger.warn('Old deliveries of webhooks were not forgotten; the next hour tries again', { error });
        })
        .finally(() => isStopping || tidyEachHour());
    });
  }

  return {
    name: 'webhooks',
    operations: {
      ...outgoingOperations({ ...deps, onChanged: () => feed.reload(), onDue: () => sender.wake() }),
      ...incomingOperations(deps),
    },
    routes: [incomingRoute(deps)],
    async start() {
      await feed.start();
      sender.wake();
      tidyEachHour();
    },
    async stop() {
      isStopping = true;
      takeBack();
      await tidying;
      await feed.stop();
      await feed.record();
      await sender.stop();
    },
    async settled() {
      await feed.settled();
      await sender.settled();
    },
    tidy,
  };
}

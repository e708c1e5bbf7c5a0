import type { Happening, StoredHappening } from '../../core/events.ts';
import type { Project } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { NewDelivery, Webhook } from '../../core/webhook.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { sortableId } from '../../lib/ids.ts';
import type { WebhooksDeps } from './deps.ts';
import { webhookEventOf, webhookMessage } from './webhook-message.ts';

/** Setting with the last happening that webhooks were told of, or had no interest in. */
const toldThrough = 'webhooks.told-through';

/** Deliveries that may wait for one webhook; what comes beyond is kept as not sent. */
export const longestQueue = 10_000;

const happeningsAtOnce = 500;
/** So far the record of what was read may lag behind: reading it again finds nothing to do. */
const longestLag = 1_000;
const againAfterMs = 5_000;

/**
 * Makes deliveries of happenings. These are stored in the transaction of what they tell, so they are read from there, up
 * from the last one that was dealt with: whatever dies in between, each comes to each webhook as one delivery.
 */
export class WebhookFeed {
  readonly #deps: WebhooksDeps;
  readonly #onEnqueued: () => void;
  #hooks: readonly Webhook[] = [];
  #through = 0;
  #recordedThrough = 0;
  #isReading = false;
  #isAgain = false;
  #reading: Promise<void> = Promise.resolve();
  #leave = (): void => {};
  #takeBack = (): void => {};
  #isStopped = false;

  constructor(deps: WebhooksDeps, onEnqueued: () => void) {
    this.#deps = deps;
    this.#onEnqueued = onEnqueued;
  }

  /** Resolves once all that happened before is dealt with. */
  async start(): Promise<void> {
    const { store, happenings } = this.#deps;
    await this.reload();
    const recorded = Number((await store.read.settings.get(toldThrough)) ?? 0);
    const since = this.#hooks.map(({ sinceSequence }) => sinceSequence);
    this.#through =
      since.length === 0 ? await store.read.happenings.lastSequence() : Math.max(recorded, Math.min(...since));
    this.#recordedThrough = recorded;
    this.#leave = happenings.subscribe((happening) => this.#hear(happening));
    await this.#wake();
  }

  /** Webhooks were changed. Resolves once new ones are told of what came since they were made. */
  async reload(): Promise<void> {
    const before = new Map(this.#hooks.map(({ id, sinceSequence }) => [id, sinceSequence]));
    this.#hooks = await this.#deps.store.read.webhooks.listEnabled();
    await this.settled();
    const isNew = this.#hooks.filter(({ id, sinceSequence }) => before.get(id) !== sinceSequence);
    // What came between the commit of a new one and now was not looked at for it.
    const from = Math.min(this.#through, ...isNew.map(({ sinceSequence }) => sinceSequence));
    if (from === this.#through) return;
    this.#through = from;
    await this.#wake();
  }

  /** Notes how far everything is dealt with, so that a start need not look further back. */
  async record(): Promise<void> {
    const through = this.#through;
    if (this.#hooks.length === 0 || through === this.#recordedThrough) return;
    await this.#deps.store.write(({ settings }) => settings.set(toldThrough, String(through)));
    this.#recordedThrough = through;
  }

  /** Resolves once what was heard of is dealt with. */
  async settled(): Promise<void> {
    while (this.#isReading) await this.#reading;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#leave();
    this.#takeBack();
    await this.settled();
  }

  #hear({ sequence, happening }: StoredHappening): void {
    if (this.#isReading) this.#isAgain = true;
    else if (this.#mayMatter(happening)) void this.#wake();
    // Commits are told in their order: all before this one is dealt with.
    else this.#through = sequence;
  }

  #mayMatter(happening: Happening): boolean {
    if (this.#hooks.length === 0) return false;
    const event = webhookEventOf(happening);
    return event !== undefined && this.#hooks.some(({ events }) => events.includes(event));
  }

  #wake(): Promise<void> {
    this.#takeBack();
    this.#isReading = true;
    this.#reading = this.#readAll().catch((error: unknown) => {
      this.#isReading = false;
      this.#deps.logger.error('Webhooks could not be told what happened; it is tried again', { error });
      if (!this.#isStopped) this.#takeBack = this.#deps.timers.after(againAfterMs, () => void this.#wake());
    });
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const { store, logger } = this.#deps;
    for (;;) {
      this.#isAgain = false;
      const batch = await store.read.happenings.since(this.#through, happeningsAtOnce);
      if (!batch) {
        logger.error('What happened while nobody looked is not kept any more: webhooks are not told of it', {
          through: this.#through,
        });
        this.#through = await store.read.happenings.lastSequence();
        continue;
      }
      const last = batch.at(-1);
      if (last) {
        await this.#tell(batch, last.sequence);
        this.#through = last.sequence;
        if (this.#through - this.#recordedThrough >= longestLag) await this.record();
      }
      if (this.#isStopped || (batch.length < happeningsAtOnce && !this.#isAgain)) {
        // In one go with the question: what is heard from here on wakes anew.
        this.#isReading = false;
        return;
      }
    }
  }

  async #tell(batch: readonly StoredHappening[], through: number): Promise<void> {
    const { store, clock } = this.#deps;
    const told = (await Promise.all(batch.map((happening) => this.#deliveriesOf(happening)))).flat();
    if (told.length === 0) return;
    await failpoint('webhook.beforeEnqueue');
    const at = clock.now();
    await store.write(async (stores) => {
      await enqueue(stores, told, at);
      await stores.settings.set(toldThrough, String(through));
    });
    this.#recordedThrough = through;
    await failpoint('webhook.afterEnqueue');
    this.#onEnqueued();
  }

  async #deliveriesOf(stored: StoredHappening): Promise<readonly Omit<NewDelivery, 'createdAt'>[]> {
    const { store, publicUrl } = this.#deps;
    const { happening, sequence } = stored;
    const event = webhookEventOf(happening);
    if (!event || !('projectId' in happening)) return [];
    const interested = this.#hooks.filter((hook) => hook.sinceSequence < sequence && hook.events.includes(event));
    if (interested.length === 0) return [];
    const project = await store.read.projects.find(happening.projectId);
    const hooks = project ? interested.filter((hook) => isAbout(hook, project)) : [];
    if (!project || hooks.length === 0) return [];
    const message = await webhookMessage(store.read, stored, project, publicUrl());
    if (!message) return [];
    const body = JSON.stringify(message);
    return hooks.map(({ id }) => ({ webhookId: id, messageId: newMessageId(stored.at), sequence, event, body }));
  }
}

/** Never a full stop: it stands between the parts of what is signed. */
export function newMessageId(at: Date): string {
  return sortableId('msg', at);
}

function isAbout({ holder }: Webhook, { id, ownerId }: Project): boolean {
  return holder.kind === 'project' ? holder.id === id : holder.id === ownerId;
}

async function enqueue({ webhooks }: Stores, told: readonly Omit<NewDelivery, 'createdAt'>[], at: Date): Promise<void> {
  // One may have been removed, or switched off, since they were listed.
  const enabled = new Set((await webhooks.listEnabled()).map(({ id }) => id));
  const wanted = told.filter(({ webhookId }) => enabled.has(webhookId));
  const waiting = new Map(await webhooks.countWaiting([...new Set(wanted.map(({ webhookId }) => webhookId))]));
  for (const delivery of wanted) {
    const ahead = waiting.get(delivery.webhookId) ?? 0;
    const isFull = ahead >= longestQueue;
    await webhooks.enqueue({ ...delivery, createdAt: at, ...(isFull ? { refusedAs: 'queue-full' } : {}) });
    waiting.set(delivery.webhookId, ahead + 1);
  }
}

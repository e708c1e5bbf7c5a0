import { GantryError } from '../../core/errors.ts';
import { projectSlug } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { type DeliveryTry, pingEvent, type SealedWebhook, type WebhookDelivery } from '../../core/webhook.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { NoAnswer, sendGuarded } from '../../lib/guarded-request.ts';
import { signWebhook } from '../../lib/standard-webhook.ts';
import type { WebhooksDeps } from './deps.ts';
import { nextTryAt } from './retry-schedule.ts';
import { openWebhook } from './sealed-values.ts';

const usualTimeoutMs = 15_000;
const keptBytes = 4_096;
/** Deliveries under way to one webhook; one whose last try failed has one at a time. */
const mostPerWebhook = 4;
const mostInAll = 32;
/** A webhook that failed for so long is switched off. */
const givenUpAfterMs = 5 * 24 * 3_600_000;
const againAfterMs = 5_000;
/** What is under way when the server stops may end within this time; what does not is sent again after the start. */
const stopGraceMs = 2_000;

interface Tried {
  readonly lastTry: DeliveryTry;
  readonly retryAfter: string | undefined;
}

/**
 * Sends what waits, each delivery until it is taken or was tried often enough. What a try came to is written after it: a
 * server that dies in between sends it again, with the same id.
 */
export class WebhookSender {
  readonly #deps: WebhooksDeps;
  readonly #onSwitchedOff: () => void;
  /** Deliveries under way, by webhook. */
  readonly #flights = new Map<number, Map<number, Promise<void>>>();
  readonly #failing = new Set<number>();
  readonly #stopping = new AbortController();
  #isLooking = false;
  #isAgain = false;
  #looking: Promise<void> = Promise.resolve();
  #takeBack = (): void => {};
  #isStopped = false;

  constructor(deps: WebhooksDeps, onSwitchedOff: () => void) {
    this.#deps = deps;
    this.#onSwitchedOff = onSwitchedOff;
  }

  /** Looks for what is to be sent now. */
  wake(): void {
    if (this.#isStopped) return;
    if (this.#isLooking) {
      this.#isAgain = true;
      return;
    }
    this.#takeBack();
    this.#isLooking = true;
    this.#looking = this.#lookAll().catch((error: unknown) => {
      this.#isLooking = false;
      this.#deps.logger.error('What webhooks wait for could not be read; it is tried again', { error });
      if (!this.#isStopped) this.#takeBack = this.#deps.timers.after(againAfterMs, () => this.wake());
    });
  }

  /** Resolves once nothing is under way and nothing is due. */
  async settled(): Promise<void> {
    while (this.#isLooking || this.#underWay > 0) {
      await this.#looking;
      await Promise.all(this.#allFlights());
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#takeBack();
    await this.#looking;
    const isLate = new Promise<void>((resolve) => setTimeout(resolve, stopGraceMs).unref());
    await Promise.race([Promise.all(this.#allFlights()), isLate]);
    this.#stopping.abort();
    await Promise.all(this.#allFlights());
  }

  get #underWay(): number {
    return [...this.#flights.values()].reduce((sum, flights) => sum + flights.size, 0);
  }

  #allFlights(): readonly Promise<void>[] {
    return [...this.#flights.values()].flatMap((flights) => [...flights.values()]);
  }

  async #lookAll(): Promise<void> {
    const { store, clock, timers } = this.#deps;
    do {
      this.#isAgain = false;
      const now = clock.now();
      const due = await store.read.webhooks.listDueWebhooks(now);
      // Those with little under way first: one that hangs does not keep the others waiting.
      const flying = (id: number): number => this.#flights.get(id)?.size ?? 0;
      for (const id of due.toSorted((a, b) => flying(a) - flying(b))) await this.#startDue(id, now);
      const first = await store.read.webhooks.firstNextAt(now);
      this.#takeBack();
      if (first && !this.#isStopped)
        this.#takeBack = timers.after(Math.max(0, first.getTime() - clock.now().getTime()), () => this.wake());
    } while (this.#isAgain && !this.#isStopped);
    // In one go with the question: who wakes from here on starts anew.
    this.#isLooking = false;
  }

  async #startDue(webhookId: number, now: Date): Promise<void> {
    const flights = this.#flights.get(webhookId) ?? new Map<number, Promise<void>>();
    const most = this.#failing.has(webhookId) ? 1 : mostPerWebhook;
    const free = Math.min(most - flights.size, mostInAll - this.#underWay);
    if (free <= 0 || this.#isStopped) return;
    const due = await this.#deps.store.read.webhooks.listDue(webhookId, now, free + flights.size);
    for (const delivery of due.filter(({ id }) => !flights.has(id)).slice(0, free)) {
      this.#flights.set(webhookId, flights);
      const flight = this.#deliver(delivery)
        .catch((error: unknown) => {
          this.#deps.logger.error('A delivery could not be recorded; it is sent again', { error, webhookId });
        })
        .finally(() => {
          flights.delete(delivery.id);
          if (flights.size === 0) this.#flights.delete(webhookId);
          this.wake();
        });
      flights.set(delivery.id, flight);
    }
  }

  async #deliver(delivery: WebhookDelivery): Promise<void> {
    const { store } = this.#deps;
    const webhook = await store.read.webhooks.find(delivery.webhookId);
    if (!webhook) return;
    const tried = await this.#try(webhook, delivery);
    await failpoint('webhook.afterSend');
    // Cut off by us: nobody knows whether it arrived.
    if (this.#stopping.signal.aborted) return;
    const isTaken = isSuccess(tried.lastTry);
    if (isTaken) this.#failing.delete(webhook.id);
    else this.#failing.add(webhook.id);
    const isSwitchedOff = await store.write((stores) => this.#record(stores, delivery, tried));
    if (isSwitchedOff) this.#onSwitchedOff();
  }

  async #try(webhook: SealedWebhook, delivery: WebhookDelivery): Promise<Tried> {
    const { clock, guard, sealer, ca, resolve, timeoutMs = usualTimeoutMs } = this.#deps;
    const at = clock.now();
    const startedMs = clock.monotonicMs();
    const ended = (more: Omit<DeliveryTry, 'at' | 'durationMs'>, retryAfter?: string): Tried => ({
      lastTry: { at, durationMs: Math.round(clock.monotonicMs() - startedMs), ...more },
      retryAfter,
    });
    try {
      const { secret, headerValue } = openWebhook(sealer, webhook);
      const answer = await sendGuarded({
        url: new URL(webhook.url),
        headers: headersOf(webhook, delivery, { at, secret, headerValue }),
        body: delivery.body,
        guard,
        timeoutMs,
        keepBytes: keptBytes,
        ca,
        resolve,
        signal: this.#stopping.signal,
      });
      // Databases keep no NUL in text.
      const response = answer.body.toString('utf8').replaceAll('\0', '\uFFFD');
      return ended({ status: answer.status, response }, answer.retryAfter);
    } catch (error) {
      if (error instanceof NoAnswer) return ended({ fault: error.reason, message: error.message });
      if (error instanceof GantryError) return ended({ fault: 'secret-unreadable', message: error.message });
      throw error;
    }
  }

  /** Writes what a try came to; answers whether the webhook was switched off for it. */
  async #record(stores: Stores, delivery: WebhookDelivery, { lastTry, retryAfter }: Tried): Promise<boolean> {
    const { clock, random = Math.random } = this.#deps;
    const { webhooks } = stores;
    const now = clock.now();
    const tries = delivery.tries + 1;
    const webhook = await webhooks.find(delivery.webhookId);
    if (!webhook) return false;
    const isPing = delivery.event === pingEvent;
    if (isSuccess(lastTry)) {
      await webhooks.recordTry(delivery.id, { status: 'delivered', tries, lastTry });
      if (webhook.failingSince) await webhooks.update(webhook.id, { failingSince: null });
      return false;
    }
    const isGone = lastTry.status === 410;
    const isLast = isPing || isGone || !webhook.isEnabled;
    const nextAt = isLast ? undefined : nextTryAt({ tries, retryAfter, now, random: random() });
    await webhooks.recordTry(delivery.id, { status: nextAt ? 'waiting' : 'failed', tries, nextAt, lastTry });
    if (isPing || !webhook.isEnabled) return false;
    const failingSince = webhook.failingSince ?? now;
    if (!webhook.failingSince) await webhooks.update(webhook.id, { failingSince });
    const isHopeless = now.getTime() - failingSince.getTime() >= givenUpAfterMs;
    if (!isGone && !isHopeless) return false;
    await switchOff(stores, webhook, isGone ? 'gone' : 'failing', now);
    return true;
  }
}

async function switchOff(
  stores: Stores,
  { id, holder, url }: SealedWebhook,
  disabledReason: 'gone' | 'failing',
  at: Date,
): Promise<void> {
  await stores.webhooks.update(id, { isEnabled: false, disabledReason });
  await stores.webhooks.giveUpWaiting(id, at);
  const project = holder.kind === 'project' ? await stores.projects.find(holder.id) : undefined;
  const organisation = holder.kind === 'organisation' ? await stores.organisations.find(holder.id) : undefined;
  await stores.audit.append({
    at,
    actor: 'system',
    action: 'webhook:disable',
    subject: project ? projectSlug(project) : `organisation:${organisation?.name ?? holder.id}`,
    remoteAddress: '',
    requestId: '',
    details: { webhook: id, origin: new URL(url).origin, reason: disabledReason },
    ...(project ? { projectId: project.id } : {}),
  });
}

function headersOf(
  { headerName }: SealedWebhook,
  { messageId, body }: WebhookDelivery,
  values: { readonly at: Date; readonly secret: string; readonly headerValue: string | undefined },
): Record<string, string> {
  const timestamp = Math.floor(values.at.getTime() / 1_000);
  return {
    ...(headerName !== undefined && values.headerValue !== undefined ? { [headerName]: values.headerValue } : {}),
    'Content-Type': 'application/json',
    'User-Agent': 'Gantry-Webhook/1',
    'webhook-id': messageId,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signWebhook(values.secret, messageId, timestamp, body),
  };
}

function isSuccess({ status }: DeliveryTry): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

import type { Holder } from './holder.ts';
import type { Page, PageRequest } from './paging.ts';
import type { SealedSecret } from './secret-record.ts';

/** What a webhook can be told of; `events.ts` has the happenings that they are made of. */
export const webhookEvents = [
  'push',
  'tag',
  'pipeline.started',
  'pipeline.finished',
  'workflow.finished',
  'step.failed',
  'project.created',
  'project.changed',
] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** A test message, which nobody can ask for as an event. */
export const pingEvent = 'ping';

/** How many a project or an organisation may have. */
export const webhooksPerHolder = 20;

/** Tells an address of a project's or an organisation's events: signed POST requests (Standard Webhooks 1.0). */
export interface Webhook {
  readonly id: number;
  readonly holder: Holder;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly isEnabled: boolean;
  /** Why Gantry switched it off by itself: it failed for days, or its receiver said that it is gone. */
  readonly disabledReason?: 'failing' | 'gone' | undefined;
  /** Name of a header that is sent beside; its value is sealed. */
  readonly headerName?: string | undefined;
  /** Happenings up to this one are not told: they were before it was made, or switched on. */
  readonly sinceSequence: number;
  /** When the first try failed after the last that did not. */
  readonly failingSince?: Date | undefined;
  readonly createdAt: Date;
  readonly createdBy: string;
}

/** With what only the server opens: the secret that signs, and the value of the header. */
export type SealedWebhook = Webhook & { readonly sealed: SealedSecret };

export type NewWebhook = Omit<Webhook, 'id' | 'disabledReason' | 'failingSince'>;

/** What changes of a webhook; an absent key stays as it is, `null` clears. */
export interface WebhookChange {
  readonly url?: string | undefined;
  readonly events?: readonly WebhookEvent[] | undefined;
  readonly isEnabled?: boolean | undefined;
  readonly disabledReason?: 'failing' | 'gone' | null | undefined;
  readonly headerName?: string | null | undefined;
  readonly sinceSequence?: number | undefined;
  readonly failingSince?: Date | null | undefined;
}

export const deliveryStatuses = ['waiting', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** Why a delivery got no answer, or was not sent. */
export type DeliveryFault =
  | 'address-refused'
  | 'name-unknown'
  | 'timed-out'
  | 'connection-failed'
  | 'secret-unreadable'
  | 'queue-full'
  | 'switched-off';

/** One message to one webhook: sent at least once, always with the same id. */
export interface WebhookDelivery {
  readonly id: number;
  readonly webhookId: number;
  /** `webhook-id` of every try. */
  readonly messageId: string;
  readonly event: WebhookEvent | typeof pingEvent;
  /** As it is sent. */
  readonly body: string;
  readonly status: DeliveryStatus;
  /** Tries since it was made, or sent anew by hand. */
  readonly tries: number;
  /** When it is tried next; absent once it is settled. */
  readonly nextAt?: Date | undefined;
  readonly createdAt: Date;
  readonly lastTry?: DeliveryTry | undefined;
}

/** How the last try went. */
export interface DeliveryTry {
  readonly at: Date;
  readonly durationMs: number;
  /** HTTP status; absent when there was no answer. */
  readonly status?: number | undefined;
  /** The first 4 KiB of the answer, as text. */
  readonly response?: string | undefined;
  readonly fault?: DeliveryFault | undefined;
  /** What stood in the way, as the network said it. */
  readonly message?: string | undefined;
}

export interface NewDelivery {
  readonly webhookId: number;
  readonly messageId: string;
  /** The happening that it tells of; the same one is never told a webhook twice. Absent for a test. */
  readonly sequence?: number | undefined;
  readonly event: WebhookDelivery['event'];
  readonly body: string;
  readonly createdAt: Date;
  /** Kept although it will not be sent, so that it can be seen and sent by hand. */
  readonly refusedAs?: 'queue-full' | undefined;
}

export interface WebhookStore {
  find(id: number): Promise<SealedWebhook | undefined>;
  /** Those of one holder, oldest first. */
  list(holder: Holder): Promise<readonly Webhook[]>;
  listEnabled(): Promise<readonly Webhook[]>;
  /** A row's id enters what is sealed, so the row comes first; nobody sees it before it is sealed. */
  reserve(webhook: NewWebhook): Promise<number>;
  setSealed(id: number, sealed: SealedSecret): Promise<void>;
  update(id: number, change: WebhookChange): Promise<void>;
  /** With its deliveries. */
  remove(id: number): Promise<void>;

  /** `undefined` when the webhook was told of this happening already. */
  enqueue(delivery: NewDelivery): Promise<WebhookDelivery | undefined>;
  /** How many wait for each of these webhooks. */
  countWaiting(webhookIds: readonly number[]): Promise<ReadonlyMap<number, number>>;
  findDelivery(webhookId: number, id: number): Promise<WebhookDelivery | undefined>;
  /** Newest first. */
  listDeliveries(webhookId: number, page: PageRequest): Promise<Page<WebhookDelivery>>;
  /** Webhooks with a delivery whose time has come. */
  listDueWebhooks(at: Date): Promise<readonly number[]>;
  /** Deliveries of a webhook whose time has come, the longest due first. */
  listDue(webhookId: number, at: Date, limit: number): Promise<readonly WebhookDelivery[]>;
  /** When the first delivery after `at` is due. */
  firstNextAt(at: Date): Promise<Date | undefined>;
  /** What a try came to; `nextAt` when there will be another. Nothing for a delivery that is gone. */
  recordTry(
    id: number,
    result: { readonly status: DeliveryStatus; readonly tries: number; readonly nextAt?: Date | undefined } & {
      readonly lastTry: DeliveryTry;
    },
  ): Promise<void>;
  /** Sends it anew, with its tries counted from the start. */
  redeliver(id: number, at: Date): Promise<void>;
  /** Gives up what waits for a webhook that was switched off. */
  giveUpWaiting(webhookId: number, at: Date): Promise<void>;
  /** Forgets up to `limit` deliveries made before an instant, waiting or not. Answers how many. */
  pruneOlder(before: Date, limit: number): Promise<number>;
  /** Forgets up to `limit` settled deliveries of a webhook beyond the newest `kept`. Answers how many. */
  pruneBeyond(webhookId: number, kept: number, limit: number): Promise<number>;
  /** Every webhook that has deliveries. */
  listWithDeliveries(): Promise<readonly number[]>;
}

import type { NewWebhookBody, WebhookChangeBody } from '../../api/webhooks.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder, type HolderName, type NamedHolder } from '../../core/find-holder.ts';
import type { PageRequest } from '../../core/paging.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { pingEvent, type SealedWebhook, type WebhookDelivery, webhooksPerHolder } from '../../core/webhook.ts';
import { newWebhookSecret } from '../../lib/standard-webhook.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { checkHeader, checkUrl } from './check-webhook.ts';
import type { WebhooksDeps } from './deps.ts';
import { openWebhook, sealWebhook } from './sealed-values.ts';
import { longestQueue, newMessageId } from './webhook-feed.ts';
import { deliveryDetail, deliveryView, webhookView } from './webhook-views.ts';

export interface OutgoingDeps extends WebhooksDeps {
  /** Told after webhooks were changed. */
  readonly onChanged: () => Promise<void>;
  /** Told after something became due. */
  readonly onDue: () => void;
}

type WebhookName = HolderName & { readonly webhook: number };
type DeliveryName = WebhookName & { readonly delivery: number };

/** Operations on the webhooks of projects and organisations. */
export function outgoingOperations(deps: OutgoingDeps) {
  const { store, clock, sealer, guard, onChanged, onDue } = deps;

  async function list(name: HolderName) {
    const { holder } = await findHolder(store.read, name);
    return { items: (await store.read.webhooks.list(holder)).map(webhookView), next: null };
  }

  async function create(name: HolderName, body: NewWebhookBody, request: RequestContext) {
    const url = checkUrl(body.url, guard);
    if (body.header) checkHeader(body.header);
    const named = await findHolder(store.read, name);
    const secret = newWebhookSecret();
    const at = clock.now();
    const created = await store.write(async (stores) => {
      if ((await stores.webhooks.list(named.holder)).length >= webhooksPerHolder)
        throw new GantryError(
          'WEBHOOK_LIMIT',
          `Cannot create a webhook of ${named.subject}: it has ${webhooksPerHolder} already`,
        );
      const id = await stores.webhooks.reserve({
        holder: named.holder,
        url,
        events: [...new Set(body.events)],
        isEnabled: body.isEnabled,
        headerName: body.header?.name,
        sinceSequence: await stores.happenings.lastSequence(),
        createdAt: at,
        createdBy: nameOf(request),
      });
      const values = { secret, headerValue: body.header?.value };
      await stores.webhooks.setSealed(id, await sealWebhook(sealer, stores, { id, holder: named.holder }, values));
      const { events, isEnabled } = body;
      const details = { webhook: id, origin: new URL(url).origin, events, isEnabled };
      await stores.audit.append(auditEntry(request, at, 'webhook:create', named, details));
      return getWebhook(stores, named, id, 'Cannot create the webhook');
    });
    await onChanged();
    return { ...webhookView(created), secret };
  }

  async function update(name: WebhookName, body: WebhookChangeBody, request: RequestContext) {
    const what = `Cannot change the webhook ${name.webhook}`;
    const url = body.url === undefined ? undefined : checkUrl(body.url, guard);
    if (body.header) checkHeader(body.header);
    const named = await findHolder(store.read, name);
    const secret = body.renewSecret ? newWebhookSecret() : null;
    const at = clock.now();
    const changed = await store.write(async (stores) => {
      const before = await getWebhook(stores, named, name.webhook, what);
      const { isEnabled, header } = body;
      const isSwitchedOn = isEnabled === true && !before.isEnabled;
      await stores.webhooks.update(before.id, {
        url,
        events: body.events && [...new Set(body.events)],
        isEnabled,
        headerName: header === undefined ? undefined : (header?.name ?? null),
        // What happened while it was off is not told.
        ...(isSwitchedOn
          ? { disabledReason: null, failingSince: null, sinceSequence: await stores.happenings.lastSequence() }
          : {}),
      });
      if (isEnabled === false && before.isEnabled) await stores.webhooks.giveUpWaiting(before.id, at);
      if (secret !== null || header !== undefined) {
        const values = openWebhook(sealer, before);
        const next = {
          secret: secret ?? values.secret,
          headerValue: header === undefined ? values.headerValue : header?.value,
        };
        await stores.webhooks.setSealed(before.id, await sealWebhook(sealer, stores, before, next));
      }
      const details = {
        webhook: before.id,
        ...(url === undefined ? {} : { origin: new URL(url).origin }),
        ...(body.events ? { events: body.events } : {}),
        ...(isEnabled === undefined ? {} : { isEnabled }),
        ...(header === undefined ? {} : { header: header?.name ?? null }),
        ...(secret === null ? {} : { renewedSecret: true }),
      };
      await stores.audit.append(auditEntry(request, at, 'webhook:update', named, details));
      return getWebhook(stores, named, name.webhook, what);
    });
    await onChanged();
    return { ...webhookView(changed), secret };
  }

  async function remove(name: WebhookName, request: RequestContext): Promise<void> {
    const named = await findHolder(store.read, name);
    const at = clock.now();
    await store.write(async (stores) => {
      const { id, url } = await getWebhook(stores, named, name.webhook, `Cannot remove the webhook ${name.webhook}`);
      await stores.webhooks.remove(id);
      const details = { webhook: id, origin: new URL(url).origin };
      await stores.audit.append(auditEntry(request, at, 'webhook:remove', named, details));
    });
    await onChanged();
  }

  async function test(name: WebhookName, { language }: RequestContext) {
    const what = `Cannot test the webhook ${name.webhook}`;
    const named = await findHolder(store.read, name);
    const at = clock.now();
    const delivery = await store.write(async (stores) => {
      const { id } = await getWebhook(stores, named, name.webhook, what);
      await refuseFullQueue(stores, id, what);
      const message = { type: pingEvent, timestamp: at.toISOString(), data: { webhook: id } };
      const body = JSON.stringify(message);
      const messageId = newMessageId(at);
      return stores.webhooks.enqueue({ webhookId: id, messageId, event: pingEvent, body, createdAt: at });
    });
    if (!delivery) throw new TypeError(`${what}: the delivery was not stored`);
    onDue();
    return deliveryView(delivery, language);
  }

  async function listDeliveries(name: WebhookName, page: PageRequest, { language }: RequestContext) {
    const named = await findHolder(store.read, name);
    const what = `Cannot list the deliveries of the webhook ${name.webhook}`;
    const { id } = await getWebhook(store.read, named, name.webhook, what);
    const { items, next } = await store.read.webhooks.listDeliveries(id, page);
    return { items: items.map((delivery) => deliveryView(delivery, language)), next };
  }

  async function getDelivery(stores: Stores, name: DeliveryName, what: string): Promise<WebhookDelivery> {
    const named = await findHolder(stores, name);
    const { id } = await getWebhook(stores, named, name.webhook, what);
    const delivery = await stores.webhooks.findDelivery(id, name.delivery);
    if (delivery) return delivery;
    throw new GantryError('DELIVERY_NOT_FOUND', `${what}: the webhook ${id} has none such`);
  }

  async function show(name: DeliveryName, { language }: RequestContext) {
    return deliveryDetail(await getDelivery(store.read, name, `Cannot show the delivery ${name.delivery}`), language);
  }

  async function redeliver(name: DeliveryName, { language }: RequestContext) {
    const what = `Cannot send the delivery ${name.delivery} again`;
    const again = await store.write(async (stores) => {
      const delivery = await getDelivery(stores, name, what);
      if (delivery.status !== 'waiting') await refuseFullQueue(stores, name.webhook, what);
      await stores.webhooks.redeliver(delivery.id, clock.now());
      return getDelivery(stores, name, what);
    });
    onDue();
    return deliveryView(again, language);
  }

  return {
    listWebhooks: ({ params }) => list(params),
    createWebhook: ({ params, body }, request) => create(params, body, request),
    updateWebhook: ({ params, body }, request) => update(params, body, request),
    removeWebhook: ({ params }, request) => remove(params, request),
    testWebhook: ({ params }, request) => test(params, request),
    listWebhookDeliveries: ({ params, query }, request) => listDeliveries(params, query, request),
    getWebhookDelivery: ({ params }, request) => show(params, request),
    redeliverWebhook: ({ params }, request) => redeliver(params, request),
    listOrganisationWebhooks: ({ params }) => list(params),
    createOrganisationWebhook: ({ params, body }, request) => create(params, body, request),
    updateOrganisationWebhook: ({ params, body }, request) => update(params, body, request),
    removeOrganisationWebhook: ({ params }, request) => remove(params, request),
    testOrganisationWebhook: ({ params }, request) => test(params, request),
    listOrganisationWebhookDeliveries: ({ params, query }, request) => listDeliveries(params, query, request),
    getOrganisationWebhookDelivery: ({ params }, request) => show(params, request),
    redeliverOrganisationWebhook: ({ params }, request) => redeliver(params, request),
  } satisfies OperationHandlers;
}

/** Throws WEBHOOK_NOT_FOUND, also for one of somebody else. */
async function getWebhook(stores: Stores, named: NamedHolder, id: number, what: string): Promise<SealedWebhook> {
  const webhook = await stores.webhooks.find(id);
  const isTheirs = webhook?.holder.kind === named.holder.kind && webhook.holder.id === named.holder.id;
  if (webhook && isTheirs) return webhook;
  throw new GantryError('WEBHOOK_NOT_FOUND', `${what}: ${named.subject} has none with this number`);
}

async function refuseFullQueue({ webhooks }: Stores, id: number, what: string): Promise<void> {
  if (((await webhooks.countWaiting([id])).get(id) ?? 0) >= longestQueue)
    throw new GantryError('WEBHOOK_LIMIT', `${what}: ${longestQueue} deliveries are waiting`);
}

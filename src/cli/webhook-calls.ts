import { randomUUID } from 'node:crypto';
import type { Client, ClientResult } from '../api/client.ts';
import type { NewWebhookBody, WebhookChangeBody } from '../api/webhooks.ts';
import type { HolderParams } from './holder.ts';

/** The operations on the webhooks of a project, or the same ones for an organisation. */
export interface WebhookCalls {
  list(): Promise<ClientResult<'listWebhooks'>>;
  create(body: NewWebhookBody): Promise<ClientResult<'createWebhook'>>;
  update(webhook: number, body: WebhookChangeBody): Promise<ClientResult<'updateWebhook'>>;
  remove(webhook: number): Promise<void>;
  test(webhook: number): Promise<ClientResult<'testWebhook'>>;
  deliveries(
    webhook: number,
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<ClientResult<'listWebhookDeliveries'>>;
  delivery(webhook: number, delivery: number): Promise<ClientResult<'getWebhookDelivery'>>;
  redeliver(webhook: number, delivery: number): Promise<ClientResult<'redeliverWebhook'>>;
}

export function webhookCalls(client: Client, holder: HolderParams): WebhookCalls {
  if (holder.isOrganisation) {
    const { params } = holder;
    return {
      list: () => client('listOrganisationWebhooks', { params }),
      create: (body) => client('createOrganisationWebhook', { params, body, idempotencyKey: randomUUID() }),
      update: (webhook, body) => client('updateOrganisationWebhook', { params: { ...params, webhook }, body }),
      remove: (webhook) => client('removeOrganisationWebhook', { params: { ...params, webhook } }),
      test: (webhook) =>
        client('testOrganisationWebhook', { params: { ...params, webhook }, idempotencyKey: randomUUID() }),
      deliveries: (webhook, query) =>
        client('listOrganisationWebhookDeliveries', { params: { ...params, webhook }, query }),
      delivery: (webhook, delivery) =>
        client('getOrganisationWebhookDelivery', { params: { ...params, webhook, delivery } }),
      redeliver: (webhook, delivery) =>
        client('redeliverOrganisationWebhook', {
          params: { ...params, webhook, delivery },
          idempotencyKey: randomUUID(),
        }),
    };
  }
  const { params } = holder;
  return {
    list: () => client('listWebhooks', { params }),
    create: (body) => client('createWebhook', { params, body, idempotencyKey: randomUUID() }),
    update: (webhook, body) => client('updateWebhook', { params: { ...params, webhook }, body }),
    remove: (webhook) => client('removeWebhook', { params: { ...params, webhook } }),
    test: (webhook) => client('testWebhook', { params: { ...params, webhook }, idempotencyKey: randomUUID() }),
    deliveries: (webhook, query) => client('listWebhookDeliveries', { params: { ...params, webhook }, query }),
    delivery: (webhook, delivery) => client('getWebhookDelivery', { params: { ...params, webhook, delivery } }),
    redeliver: (webhook, delivery) =>
      client('redeliverWebhook', { params: { ...params, webhook, delivery }, idempotencyKey: randomUUID() }),
  };
}

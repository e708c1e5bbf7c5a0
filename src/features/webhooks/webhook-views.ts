import { deliveryProblem } from '../../api/messages/delivery-problem.ts';
import type { DeliveryDetail, DeliveryView, IncomingWebhookView, WebhookView } from '../../api/webhooks.ts';
import type { IncomingWebhook } from '../../core/incoming-webhook.ts';
import type { Webhook, WebhookDelivery } from '../../core/webhook.ts';

const instant = (at: Date | undefined): string | null => at?.toISOString() ?? null;

export function webhookView(webhook: Webhook): WebhookView {
  return {
    id: webhook.id,
    url: webhook.url,
    events: [...webhook.events],
    isEnabled: webhook.isEnabled,
    disabledReason: webhook.disabledReason ?? null,
    headerName: webhook.headerName ?? null,
    failingSince: instant(webhook.failingSince),
    createdAt: webhook.createdAt.toISOString(),
    createdBy: webhook.createdBy,
  };
}

export function deliveryView(delivery: WebhookDelivery, language: 'en' | 'zh'): DeliveryView {
  const { lastTry } = delivery;
  return {
    id: delivery.id,
    messageId: delivery.messageId,
    event: delivery.event,
    status: delivery.status,
    tries: delivery.tries,
    nextAt: instant(delivery.nextAt),
    createdAt: delivery.createdAt.toISOString(),
    triedAt: instant(lastTry?.at),
    durationMs: lastTry?.durationMs ?? null,
    responseStatus: lastTry?.status ?? null,
    problem: (lastTry && deliveryProblem(lastTry, language)) ?? null,
  };
}

export function deliveryDetail(delivery: WebhookDelivery, language: 'en' | 'zh'): DeliveryDetail {
  return {
    ...deliveryView(delivery, language),
    request: delivery.body,
    response: delivery.lastTry?.response ?? null,
  };
}

/** `slug` and `publicUrl` make its address. */
export function incomingView(hook: IncomingWebhook, slug: string, publicUrl: string): IncomingWebhookView {
  return {
    name: hook.name,
    url: `${publicUrl}/hooks/${slug}/${hook.name}`,
    branch: hook.branch,
    proof: hook.proof,
    parameters: { ...hook.parameters },
    isEnabled: hook.isEnabled,
    lastAcceptedAt: instant(hook.lastAcceptedAt),
    createdAt: hook.createdAt.toISOString(),
    createdBy: hook.createdBy,
  };
}

import type { Holder } from '../../core/holder.ts';
import type { IncomingWebhook, SealedIncomingWebhook } from '../../core/incoming-webhook.ts';
import type { SealedSecret } from '../../core/secret-record.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { ValueSealer } from '../../core/value-sealer.ts';
import type { SealedWebhook } from '../../core/webhook.ts';

/** What of a webhook nobody may read: sealed as one. */
export interface WebhookValues {
  /** `whsec_…` */
  readonly secret: string;
  readonly headerValue?: string | undefined;
}

interface WebhookName {
  readonly id: number;
  readonly holder: Holder;
}

export function sealWebhook(
  sealer: ValueSealer,
  stores: Stores,
  { id, holder }: WebhookName,
  values: WebhookValues,
): Promise<SealedSecret> {
  return sealer.seal(stores, JSON.stringify(values), { kind: 'webhook', id, holder, name: String(id) });
}

/** Throws SECRET_KEY_WRONG. */
export function openWebhook(sealer: ValueSealer, { id, holder, sealed }: SealedWebhook): WebhookValues {
  return JSON.parse(sealer.open(sealed, { kind: 'webhook', id, holder, name: String(id) })) as WebhookValues;
}

export function sealIncoming(
  sealer: ValueSealer,
  stores: Stores,
  hook: Pick<IncomingWebhook, 'id' | 'projectId' | 'name'>,
  secret: string,
): Promise<SealedSecret> {
  return sealer.seal(stores, secret, incomingOwner(hook));
}

/** Throws SECRET_KEY_WRONG. */
export function openIncoming(sealer: ValueSealer, hook: SealedIncomingWebhook): string {
  return sealer.open(hook.sealed, incomingOwner(hook));
}

function incomingOwner({ id, projectId, name }: Pick<IncomingWebhook, 'id' | 'projectId' | 'name'>) {
  return { kind: 'incoming webhook', id, holder: { kind: 'project', id: projectId }, name } as const;
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { GantryError } from '../../core/errors.ts';
import type { SenderProof } from '../../core/incoming-webhook.ts';
import { isSignedWith } from '../../lib/standard-webhook.ts';

/** How far a sender's clock may be off, and how old a request may be (Standard Webhooks 1.0). */
const toleranceMs = 5 * 60_000;

export interface IncomingRequest {
  readonly header: (name: string) => string | undefined;
  readonly body: Buffer;
  readonly now: Date;
}

/**
 * Judges whether a request may start something, and answers its id; none where a sender that only has a token sent none.
 * Throws WEBHOOK_REFUSED, with the same words for a wrong secret as for a webhook that is not there.
 */
export function judgeSender(proof: SenderProof, secret: string, request: IncomingRequest): string | undefined {
  return proof === 'signature' ? judgeSignature(secret, request) : judgeToken(secret, request);
}

function judgeSignature(secret: string, { header, body, now }: IncomingRequest): string {
  const id = readId(header);
  const timestamp = header('webhook-timestamp') ?? '';
  const signatures = header('webhook-signature') ?? '';
  // What is signed is bytes: judged before anybody reads what they mean.
  const isReadable = id !== undefined && /^\d{1,12}$/.test(timestamp);
  if (!isReadable || !isSignedWith(secret, { id, timestamp: Number(timestamp), signatures }, body)) throw refused();
  const offMs = Math.abs(now.getTime() - Number(timestamp) * 1_000);
  if (offMs > toleranceMs)
    throw new GantryError(
      'WEBHOOK_REFUSED',
      `Cannot take the webhook: its timestamp is ${Math.round(offMs / 1_000)} s from the present time, and may be 300`,
    );
  return id;
}

function judgeToken(secret: string, { header }: IncomingRequest): string | undefined {
  const given = createHash('sha256')
    .update(header('x-gantry-token') ?? '')
    .digest();
  if (!timingSafeEqual(given, createHash('sha256').update(secret).digest())) throw refused();
  return readId(header);
}

function readId(header: IncomingRequest['header']): string | undefined {
  const id = header('webhook-id');
  return id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id) ? id : undefined;
}

/** Says nothing about which of these is the case. */
export function refused(): GantryError {
  return new GantryError(
    'WEBHOOK_REFUSED',
    'Cannot take the webhook: there is none at this address, or what shows who sent it is missing or wrong',
  );
}

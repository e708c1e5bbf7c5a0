import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/*
 * Signatures of the Standard Webhooks specification 1.0, symmetric: `v1,` and the base64 of HMAC-SHA256 over
 * `id.timestamp.body`. Several stand in one header with spaces between, while a secret is being replaced.
 */

const secretPrefix = 'whsec_';
const secretBytes = 32;

export function newWebhookSecret(): string {
  return secretPrefix + randomBytes(secretBytes).toString('base64');
}

/** `timestamp` in whole seconds. */
export function signWebhook(secret: string, id: string, timestamp: number, body: string | Buffer): string {
  return `v1,${digest(secret, id, timestamp, body).toString('base64')}`;
}

/** Whether any of the signatures in the header is that of the secret, compared in constant time. */
export function isSignedWith(
  secret: string,
  { id, timestamp, signatures }: { readonly id: string; readonly timestamp: number; readonly signatures: string },
  body: Buffer,
): boolean {
  const expected = digest(secret, id, timestamp, body);
  let isSigned = false;
  for (const signature of signatures.split(' ')) {
    if (!signature.startsWith('v1,')) continue;
    const given = Buffer.from(signature.slice(3), 'base64');
    // No way out of the loop before its end: how long it takes says nothing.
    if (given.length === expected.length && timingSafeEqual(given, expected)) isSigned = true;
  }
  return isSigned;
}

function digest(secret: string, id: string, timestamp: number, body: string | Buffer): Buffer {
  const key = Buffer.from(secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret, 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
}

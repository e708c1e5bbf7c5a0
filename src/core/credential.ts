import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { base62, randomBase62 } from '../lib/ids.ts';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Where a credential comes from: `pat` is made by a person, `ses` is the cookie of a browser, `dev` waits for a person, `job`
 * is given to the steps of a workflow.
 */
export type CredentialKind = 'pat' | 'ses' | 'dev' | 'job';

/** `gty_<kind>_<43 base62 digits = 256 bits>_<checksum>`: recognised by secret scanners, and a slip of the hand by anyone. */
export function newCredential(kind: CredentialKind): string {
  return written(kind, randomBase62());
}

/** The credential of 256 bits that nobody can guess, such as an HMAC: the same bits make the same one. */
export function credentialOf(kind: CredentialKind, bits: Buffer): string {
  return written(kind, base62(bits));
}

function written(kind: CredentialKind, digits: string): string {
  const body = `gty_${kind}_${digits}`;
  return `${body}_${checksum(body)}`;
}

/** Whether the text has the form of a credential and its checksum fits: asked before the database is. */
export function isWellFormedCredential(text: string, kind: CredentialKind): boolean {
  const found = /^(gty_([a-z]{3})_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/.exec(text);
  return found !== null && found[2] === kind && checksum(found[1]!) === found[3];
}

/** What is stored of a credential, in hex. It has 256 random bits, so that a fast hash is enough. */
export function hashOfCredential(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** CRC-32 as six base62 digits. */
function checksum(text: string): string {
  let value = crc32(text);
  let written = '';
  for (let i = 0; i < 6; i += 1) {
    written = digits[value % 62] + written;
    value = Math.floor(value / 62);
  }
  return written;
}

/** A session that nobody used this long has ended. */
export const sessionIdleMs = 12 * 3_600_000;
/** The longest that a session lives. */
export const sessionLifeMs = 30 * 24 * 3_600_000;

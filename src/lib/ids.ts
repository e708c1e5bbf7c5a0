import { randomBytes } from 'node:crypto';

const base62Digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `prefix_01JD…`: 48 bits of time and 80 random bits, so that ids sort by the time they were made. */
export function sortableId(prefix: string, at: Date = new Date()): string {
  let value = BigInt(at.getTime());
  for (const byte of randomBytes(10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < 26; i += 1) {
    text = crockford[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return `${prefix}_${text}`;
}

/** 256 random bits as 43 base62 digits. */
export function randomBase62(bytes = 32): string {
  return base62(randomBytes(bytes));
}

/** Bytes as base62 digits, always as many for as many bytes. */
export function base62(bytes: Buffer): string {
  let value = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (let i = 0; i < Math.ceil((bytes.length * 8) / Math.log2(62)); i += 1) {
    text = base62Digits[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}

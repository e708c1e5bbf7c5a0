import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { OpenedValue } from '../core/encrypted-secret.ts';

const nonceBytes = 12;
const tagBytes = 16;

/** Bytes of a key that values of files are encrypted with: those of its letters (pipelines.md 10.8). */
export const fileKeyBytes = 32;

/** Longer ones are no values of a pipeline file, which has 256 KiB. */
const longestText = 262_144;

/** Base64 of a nonce and of the value under AES-256-GCM, as Drone encrypts for `kind: secret`. */
export function encryptValue(value: string, key: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', keyOf(key), nonce, { authTagLength: tagBytes });
  return Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** What stands in a file, opened with the first of the keys that fits. Lines may be broken anywhere. */
export function openValue(text: string, keys: readonly string[]): OpenedValue {
  const written = text.length > longestText ? '' : text.replace(/\s+/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(written)) return { fault: 'damaged' };
  const bytes = Buffer.from(written, 'base64');
  if (bytes.length <= nonceBytes + tagBytes) return { fault: 'damaged' };
  for (const key of keys) {
    const value = decrypt(bytes, key);
    if (value !== undefined) return { value };
  }
  return { fault: keys.length === 0 ? 'no-key' : 'wrong-key' };
}

/** `undefined` where it is not the key, or the bytes are not what was encrypted: nothing tells these two apart. */
function decrypt(bytes: Buffer, key: string): string | undefined {
  const end = bytes.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', keyOf(key), bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAuthTag(bytes.subarray(end));
  const plain = decipher.update(bytes.subarray(nonceBytes, end));
  try {
    return Buffer.concat([plain, decipher.final()]).toString('utf8');
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function keyOf(key: string): Buffer {
  const bytes = Buffer.from(key, 'utf8');
  if (bytes.length === fileKeyBytes) return bytes;
  throw new TypeError(`Cannot use a key of ${bytes.length} bytes: those of pipeline files have ${fileKeyBytes}`);
}

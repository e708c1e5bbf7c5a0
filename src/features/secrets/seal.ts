import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { GantryError } from '../../core/errors.ts';
import type { SealedSecret } from '../../core/secret-record.ts';
import type { SealedFor } from '../../core/value-sealer.ts';
import type { KeyFile } from './key-file.ts';

const nonceBytes = 12;
const tagBytes = 16;

/** Seals a value under a key of its own, which is wrapped by the key of the file (reliability-security 11.5). */
export function seal(value: string, owner: SealedFor, keyFile: KeyFile): SealedSecret {
  const dataKey = randomBytes(32);
  const nonce = randomBytes(nonceBytes);
  const wrapNonce = randomBytes(nonceBytes);
  return {
    keyId: keyFile.id,
    wrappedKey: Buffer.concat([
      wrapNonce,
      encrypt(dataKey, keyFile.key, wrapNonce, associatedData('data key', owner, keyFile.id)),
    ]),
    nonce,
    ciphertext: encrypt(Buffer.from(value, 'utf8'), dataKey, nonce, associatedData('value', owner, keyFile.id)),
  };
}

/** Throws SECRET_KEY_WRONG when the key file is another one, or the row was tampered with. */
export function unseal(sealed: SealedSecret, owner: SealedFor, keyFile: KeyFile): string {
  if (sealed.keyId !== keyFile.id)
    throw cannotOpen(owner, keyFile, `it was written with the key ${sealed.keyId}, and the file holds ${keyFile.id}`);
  try {
    const wrapNonce = sealed.wrappedKey.subarray(0, nonceBytes);
    const wrapped = sealed.wrappedKey.subarray(nonceBytes);
    const dataKey = decrypt(wrapped, keyFile.key, wrapNonce, associatedData('data key', owner, sealed.keyId));
    return decrypt(sealed.ciphertext, dataKey, sealed.nonce, associatedData('value', owner, sealed.keyId)).toString(
      'utf8',
    );
  } catch (error) {
    throw cannotOpen(owner, keyFile, 'what is stored is damaged', error);
  }
}

function encrypt(plain: Buffer, key: Buffer, nonce: Buffer, data: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(data);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(sealed: Buffer, key: Buffer, nonce: Buffer, data: Buffer): Buffer {
  const end = sealed.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    .setAAD(data)
    .setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
}

/** Each part with its length before it: two lists of parts never make the same bytes (CVE-2026-58426 is of that kind). */
function associatedData(purpose: string, { kind = 'secret', id, holder, name }: SealedFor, keyId: string): Buffer {
  const owner = holder.kind === 'project' ? [] : [holder.kind];
  const parts = [kind, purpose, String(id), ...owner, String(holder.id), name, keyId].map((part) =>
    Buffer.from(part, 'utf8'),
  );
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

function cannotOpen(owner: SealedFor, keyFile: KeyFile, why: string, cause?: unknown): GantryError {
  return new GantryError(
    'SECRET_KEY_WRONG',
    `Cannot open the ${owner.kind ?? 'secret'} "${owner.name}" with ${keyFile.path}: ${why}`,
    {
      cause,
      details: { path: keyFile.path },
    },
  );
}

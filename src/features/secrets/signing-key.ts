import { randomInt } from 'node:crypto';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { SealedFor } from '../../core/value-sealer.ts';
import type { SealingDeps } from './deps.ts';
import { keyIdSetting } from './deps.ts';
import type { KeyFile } from './key-file.ts';
import { seal, unseal } from './seal.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** As Drone's keys are: 32 letters and digits, 190 bits. */
const keyLength = 32;

/** The key that files of the project are signed with; `undefined` when none was ever asked for. Throws SECRET_KEY_WRONG. */
export async function findSigningKey(
  read: UnitOfWork['read'],
  keyFile: () => KeyFile,
  projectId: number,
): Promise<string | undefined> {
  const sealed = await read.signingKeys.find(projectId);
  return sealed && unseal(sealed, sealedFor(projectId), keyFile());
}

/** The same, made when there is none. */
export async function ensureSigningKey({ store, clock, keyFile }: SealingDeps, projectId: number): Promise<string> {
  const known = await findSigningKey(store.read, keyFile, projectId);
  if (known !== undefined) return known;
  const made = Array.from({ length: keyLength }, () => letters[randomInt(letters.length)]).join('');
  const file = keyFile();
  await store.write(async (stores) => {
    await stores.settings.set(keyIdSetting, file.id);
    await stores.signingKeys.create(projectId, seal(made, sealedFor(projectId), file), clock.now());
  });
  // Of two who asked at once one has made it.
  return (await findSigningKey(store.read, keyFile, projectId))!;
}

/** The key that the project brought; `undefined` when it brought none. Throws SECRET_KEY_WRONG. */
export async function findImportedKey(
  read: UnitOfWork['read'],
  keyFile: () => KeyFile,
  projectId: number,
): Promise<string | undefined> {
  const found = await read.signingKeys.findImported(projectId);
  return found && unseal(found.sealed, sealedForImported(projectId), keyFile());
}

/** What a key that a project brought is sealed for. */
export function sealedForImported(projectId: number): SealedFor {
  return { kind: 'imported key', id: projectId, holder: { kind: 'project', id: projectId }, name: 'imported key' };
}

function sealedFor(projectId: number): SealedFor {
  return { kind: 'signing key', id: projectId, holder: { kind: 'project', id: projectId }, name: 'signing key' };
}

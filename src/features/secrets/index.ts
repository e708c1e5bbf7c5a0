import { GantryError } from '../../core/errors.ts';
import type { GitLoginVault } from '../../core/git-login.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { ValueSealer } from '../../core/value-sealer.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Feature } from '../feature.ts';
import { keyIdSetting } from './deps.ts';
import { fileSecretOperations } from './file-secret-operations.ts';
import { gitLoginOperations } from './git-login-operations.ts';
import { type KeyFile, openKeyFile } from './key-file.ts';
import { registryOperations } from './registry-operations.ts';
import { seal, unseal } from './seal.ts';
import { secretOperations } from './secret-operations.ts';
import { signatureOperations } from './signature-operations.ts';
import { createVault } from './vault.ts';

export interface SecretsDeps {
  readonly store: UnitOfWork;
  readonly clock: Clock;
  /** Where the key file is, or will be made. */
  readonly keyFilePath: string;
  readonly dataFolder?: string | undefined;
}

/**
 * Secrets of projects and organisations, logins of registries and for git hosts: sealed in the database, listed by name, given out by
 * the vault. `start` opens the key file, and so refuses to go on without the key that stored values need.
 */
export function secretsFeature(deps: SecretsDeps): Feature & {
  readonly vault: SecretVault & GitLoginVault;
  readonly sealer: ValueSealer;
} {
  const { store, clock, keyFilePath, dataFolder } = deps;
  let opened: KeyFile | undefined;
  const keyFile = (): KeyFile => {
    if (!opened)
      throw new GantryError('SECRET_KEY_WRONG', `Cannot open secrets: the key file ${keyFilePath} was not read yet`, {
        details: { path: keyFilePath },
      });
    return opened;
  };
  const sealing = { store, clock, keyFile };
  return {
    name: 'secrets',
    vault: createVault(store, keyFile),
    sealer: {
      async seal(stores, value, owner) {
        const key = keyFile();
        await stores.settings.set(keyIdSetting, key.id);
        return seal(value, owner, key);
      },
      open: (sealed, owner) => unseal(sealed, owner, keyFile()),
    },
    operations: {
      ...secretOperations(sealing),
      ...registryOperations(sealing),
      ...gitLoginOperations(sealing),
      ...signatureOperations(sealing),
      ...fileSecretOperations(sealing),
    },
    async start() {
      const expectedKeyId = await store.read.settings.get(keyIdSetting);
      opened = openKeyFile(keyFilePath, { dataFolder, expectedKeyId });
    },
  };
}

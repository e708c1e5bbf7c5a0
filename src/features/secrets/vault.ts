import { createHmac } from 'node:crypto';
import type { GitLoginVault, StoredGitLogin } from '../../core/git-login.ts';
import { passwordsOf, type RegistryCredentials } from '../../core/image.ts';
import type { StoredRegistryLogin } from '../../core/registry-login.ts';
import type { StoredSecret } from '../../core/secret-record.ts';
import type { RevealedSecrets, SecretVault } from '../../core/secret-vault.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { SealedFor } from '../../core/value-sealer.ts';
import { openValue } from '../../engine/encrypted-value.ts';
import { refusalOfOrigin, refusalToPipeline, refusalToStep } from '../../engine/secret-limits.ts';
import type { KeyFile } from './key-file.ts';
import { unseal } from './seal.ts';
import { findImportedKey, findSigningKey } from './signing-key.ts';

/** Opens secrets for steps. `keyFile` is asked when one is opened: the server reads it while it starts. */
export function createVault({ read }: UnitOfWork, keyFile: () => KeyFile): SecretVault & GitLoginVault {
  const open = (secret: StoredSecret): string => unseal(secret.sealed, secret, keyFile());
  const openLogin = (login: StoredRegistryLogin): string => unseal(login.sealed, sealedForRegistry(login), keyFile());

  const credentialsOf = (login: StoredRegistryLogin): RegistryCredentials => ({
    registry: login.registry,
    username: login.username,
    password: openLogin(login),
  });

  const openGitLogin = (login: StoredGitLogin): string => unseal(login.sealed, sealedForGit(login), keyFile());

  return {
    async list(projectId) {
      return (await read.secrets.listFor(projectId)).map(
        ({ name, events, pullRequests, branches, images, isForPluginsOnly }) => ({
          name,
          events,
          pullRequests,
          branches,
          images,
          isForPluginsOnly,
        }),
      );
    },
    async reveal(projectId, use) {
      const secrets = (await read.secrets.listFor(projectId)).filter((secret) => !refusalToPipeline(secret, use));
      return revealed(secrets, new Map(secrets.map((secret) => [secret.name, open(secret)])));
    },
    async maskValues(projectId) {
      const [secrets, logins, gitLogins] = await Promise.all([
        read.secrets.listFor(projectId),
        read.registryLogins.listFor(projectId),
        read.gitLogins.listFor(projectId),
      ]);
      return [...secrets.map(open), ...passwordsOf(logins.map(credentialsOf)), ...gitLogins.map(openGitLogin)];
    },
    signingKey: (projectId) => findSigningKey(read, keyFile, projectId),
    importedKey: (projectId) => findImportedKey(read, keyFile, projectId),
    async openEncrypted(projectId, texts) {
      if (texts.length === 0) return [];
      const [own, imported] = await Promise.all([
        findSigningKey(read, keyFile, projectId),
        findImportedKey(read, keyFile, projectId),
      ]);
      const keys = [own, imported].filter((key) => key !== undefined);
      return texts.map((text) => openValue(text, keys));
    },
    keyFor: (purpose) => createHmac('sha256', keyFile().key).update(`key for ${purpose}`).digest(),
    async listLogins(projectId) {
      const logins = await read.registryLogins.listFor(projectId);
      return logins.map(({ registry, pullRequests }) => ({ registry, pullRequests }));
    },
    async registries(projectId, use) {
      const logins = await read.registryLogins.listFor(projectId);
      return logins.filter(({ pullRequests }) => !refusalOfOrigin(pullRequests, use)).map(credentialsOf);
    },
    async gitLogins(projectId) {
      const logins = await read.gitLogins.listFor(projectId);
      return logins.map((login) => ({ host: login.host, username: login.username, password: openGitLogin(login) }));
    },
  };
}

/** What the password of a registry's login is sealed for. */
export function sealedForRegistry({
  id,
  holder,
  registry,
}: Pick<StoredRegistryLogin, 'id' | 'holder' | 'registry'>): SealedFor {
  return { kind: 'registry password', id, holder, name: registry };
}

/** What the password for a git host is sealed for. */
export function sealedForGit({ id, holder, host }: Pick<StoredGitLogin, 'id' | 'holder' | 'host'>): SealedFor {
  return { kind: 'git password', id, holder, name: host };
}

function revealed(secrets: readonly StoredSecret[], values: ReadonlyMap<string, string>): RevealedSecrets {
  const depends = secrets.some(({ images, isForPluginsOnly }) => images.length > 0 || isForPluginsOnly);
  return {
    forStep: (step) =>
      depends
        ? new Map(
            secrets
              .filter((secret) => !refusalToStep(secret, step))
              .map(({ name }) => [name, values.get(name) ?? ''] as const),
          )
        : values,
  };
}

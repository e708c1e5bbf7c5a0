import type { ImportedKeyView } from '../../api/file-secrets.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder, type HolderName, type NamedHolder } from '../../core/find-holder.ts';
import type { ImportedKey } from '../../core/signing-key.ts';
import { encryptValue, fileKeyBytes } from '../../engine/encrypted-value.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers } from '../feature.ts';
import { keyIdSetting, type SealingDeps } from './deps.ts';
import { seal } from './seal.ts';
import { ensureSigningKey, sealedForImported } from './signing-key.ts';

/** The operations of `api/file-secrets.ts`: values go in, keys never come out. */
export function fileSecretOperations(deps: SealingDeps) {
  const { store, clock, keyFile } = deps;

  async function findProject(name: HolderName): Promise<NamedHolder & { readonly projectId: number }> {
    const named = await findHolder(store.read, name);
    const { projectId } = named;
    if (projectId !== undefined) return { ...named, projectId };
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot use the keys of ${named.subject}: it is no project`);
  }

  return {
    async encryptValue({ params, body }, request) {
      const named = await findProject(params);
      const data = encryptValue(body.value, await ensureSigningKey(deps, named.projectId));
      // What was encrypted is nobody's to read here: that it was done is.
      const entry = auditEntry(request, clock.now(), 'pipeline-file:encrypt', named, {});
      await store.write((stores) => stores.audit.append(entry));
      return { data };
    },
    async getImportedKey({ params }) {
      const { projectId } = await findProject(params);
      return importedKeyView(await store.read.signingKeys.findImported(projectId));
    },
    async setImportedKey({ params, body }, request) {
      const named = await findProject(params);
      const { projectId } = named;
      const key = checkKey(body.key);
      const file = keyFile();
      const at = clock.now();
      const imported: ImportedKey = {
        sealed: seal(key, sealedForImported(projectId), file),
        updatedAt: at,
        updatedBy: nameOf(request),
      };
      await store.write(async (stores) => {
        const before = await stores.signingKeys.findImported(projectId);
        await stores.settings.set(keyIdSetting, file.id);
        await stores.signingKeys.setImported(projectId, imported);
        const action = before ? 'imported-key:replace' : 'imported-key:create';
        await stores.audit.append(auditEntry(request, at, action, named, {}));
      });
      return importedKeyView(imported);
    },
    async removeImportedKey({ params }, request) {
      const named = await findProject(params);
      const at = clock.now();
      await store.write(async (stores) => {
        if (!(await stores.signingKeys.removeImported(named.projectId)))
          throw new GantryError(
            'SECRET_NOT_FOUND',
            `Cannot forget the key that ${named.subject} brought: it brought none`,
            {
              details: { name: 'imported key' },
            },
          );
        await stores.audit.append(auditEntry(request, at, 'imported-key:remove', named, {}));
      });
    },
  } satisfies OperationHandlers;
}

/** The key without what a file or a terminal adds to its end. The message does not repeat it. */
function checkKey(given: string): string {
  const key = given.trim();
  const bytes = Buffer.byteLength(key);
  if (bytes === fileKeyBytes && /^[\x21-\x7e]+$/.test(key)) return key;
  throw new GantryError(
    'REQUEST_INVALID',
    `Cannot use the key: it has ${bytes} bytes, and the secret of a Drone repository has ${fileKeyBytes} letters, digits and signs`,
  );
}

function importedKeyView(imported: ImportedKey | undefined): ImportedKeyView {
  return { updatedAt: imported?.updatedAt.toISOString() ?? null, updatedBy: imported?.updatedBy ?? null };
}

import type { SecretView } from '../../api/projects.ts';
import type { NewAuditEntry } from '../../core/audit.ts';
import { GantryError } from '../../core/errors.ts';
import type { SecretRecord } from '../../core/secret-record.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Feature, OperationHandlers, RequestContext } from '../feature.ts';
import { type KeyFile, openKeyFile } from './key-file.ts';
import { seal } from './seal.ts';
import { createVault } from './vault.ts';

export interface SecretsDeps {
  readonly store: UnitOfWork;
  readonly clock: Clock;
  /** Where the key file is, or will be made. */
  readonly keyFilePath: string;
  readonly dataFolder?: string | undefined;
}

/** Setting with the id of the key that secrets are sealed with; set with the first secret. */
const keyIdSetting = 'secret-key-id';

/** Masking shorter values would black out half of every log. */
const shortestMasked = 4;

/**
 * Secrets of projects: sealed in the database, listed by name, given to steps by the vault.
 * `start` opens the key file, and so refuses to go on without the key that stored secrets need.
 */
export function secretsFeature(deps: SecretsDeps): Feature & { readonly vault: SecretVault } {
  const { store, keyFilePath, dataFolder } = deps;
  let opened: KeyFile | undefined;
  const keyFile = (): KeyFile => {
    if (!opened)
      throw new GantryError('SECRET_KEY_WRONG', `Cannot open secrets: the key file ${keyFilePath} was not read yet`, {
        details: { path: keyFilePath },
      });
    return opened;
  };
  return {
    name: 'secrets',
    vault: createVault(store, keyFile),
    operations: secretOperations(deps, keyFile),
    async start() {
      const expectedKeyId = await store.read.settings.get(keyIdSetting);
      opened = openKeyFile(keyFilePath, { dataFolder, expectedKeyId });
    },
  };
}

function secretOperations({ store, clock }: SecretsDeps, keyFile: () => KeyFile) {
  async function projectId({ owner, project }: { owner: string; project: string }): Promise<number> {
    const found = await store.read.projects.findBySlug(owner, project);
    if (found) return found.id;
    const slug = `${owner}/${project}`;
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot find the project "${slug}": there is none that you may see`, {
      details: { project: slug },
    });
  }

  return {
    async listSecrets({ params }) {
      const secrets = await store.read.secrets.list(await projectId(params));
      return { items: secrets.map(secretView), next: null };
    },

    async setSecret({ params, body: { value, events } }, request) {
      const name = checkName(params.name);
      const project = await projectId(params);
      const at = clock.now();
      const by = nameOf(request);
      const key = keyFile();
      const record = await store.write(async (stores) => {
        const isNew = (await stores.secrets.find(project, name)) === undefined;
        const reserved = await stores.secrets.reserve(project, name, at, by);
        await stores.secrets.setSealed(reserved.id, seal(value, reserved, key), [...new Set(events)], at, by);
        await stores.settings.set(keyIdSetting, key.id);
        await stores.audit.append(
          entry(request, at, isNew ? 'secret:create' : 'secret:replace', params, project, { name, events }),
        );
        await failpoint('secret.beforeCommit');
        return { ...reserved, events: [...new Set(events)], updatedAt: at, updatedBy: by };
      });
      await failpoint('secret.afterCommit');
      return { ...secretView(record), warning: warningFor(value, request.language) };
    },

    async removeSecret({ params }, request) {
      const name = params.name.toLowerCase();
      const project = await projectId(params);
      const at = clock.now();
      await store.write(async (stores) => {
        if (!(await stores.secrets.remove(project, name)))
          throw new GantryError('SECRET_NOT_FOUND', `Cannot remove the secret "${name}": the project has none such`, {
            details: { name },
          });
        await stores.audit.append(entry(request, at, 'secret:remove', params, project, { name }));
      });
    },
  } satisfies OperationHandlers;
}

/** The name as it is stored. */
function checkName(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/.test(name))
    throw new GantryError('SECRET_NAME_INVALID', `Cannot name a secret "${name}": it does not follow the rules`, {
      details: { name },
    });
  return name.toLowerCase();
}

function nameOf({ actor }: RequestContext): string {
  return actor.kind === 'person' ? actor.person.name : 'anonymous';
}

/** The value is never among the details. */
function entry(
  request: RequestContext,
  at: Date,
  action: string,
  { owner, project }: { readonly owner: string; readonly project: string },
  projectId: number,
  details: Readonly<Record<string, unknown>>,
): NewAuditEntry {
  return {
    at,
    actor: nameOf(request),
    action,
    subject: `${owner}/${project}`,
    remoteAddress: request.remoteAddress,
    requestId: request.requestId,
    details,
    projectId,
  };
}

function warningFor(value: string, language: 'en' | 'zh'): string | null {
  if (value.trim().length >= shortestMasked) return null;
  return language === 'zh'
    ? `这个值少于 ${shortestMasked} 个字符，日志中不会遮盖它。`
    : `The value has fewer than ${shortestMasked} characters: logs do not mask it.`;
}

function secretView(record: SecretRecord): SecretView {
  return {
    name: record.name,
    events: [...record.events],
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    updatedBy: record.updatedBy,
  };
}

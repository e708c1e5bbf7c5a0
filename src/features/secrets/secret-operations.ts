import type { SecretBody, SecretView } from '../../api/secrets.ts';
import { GantryError } from '../../core/errors.ts';
import { eventKinds } from '../../core/event.ts';
import { findHolder, type HolderName } from '../../core/find-holder.ts';
import type { SecretLimits, SecretRecord } from '../../core/secret-record.ts';
import { findGlobFault } from '../../engine/glob.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import type { SealingDeps } from './deps.ts';
import { keyIdSetting } from './deps.ts';
import { seal } from './seal.ts';

/** Pull requests bring commands of whoever made them: a secret is given to those only where somebody says so. */
const usualEvents = eventKinds.filter((kind) => kind !== 'pull_request');

/** Masking shorter values would black out half of every log. */
const shortestMasked = 4;

/** Operations on the secrets of projects and organisations. */
export function secretOperations({ store, clock, keyFile }: SealingDeps) {
  async function list(name: HolderName) {
    const { holder } = await findHolder(store.read, name);
    return { items: (await store.read.secrets.list(holder)).map(secretView), next: null };
  }

  async function set(params: HolderName & { readonly name: string }, body: SecretBody, request: RequestContext) {
    const name = checkName(params.name);
    checkGlobs(name, body);
    const { value } = body;
    const named = await findHolder(store.read, params);
    const at = clock.now();
    const by = nameOf(request);
    const key = keyFile();
    const record = await store.write(async (stores) => {
      const before = await stores.secrets.find(named.holder, name);
      const limits = limitsOf(name, body, before);
      if (value === undefined && !before)
        throw new GantryError('REQUEST_INVALID', `Cannot create the secret "${name}": it has no value`);
      const reserved = await stores.secrets.reserve(named.holder, name, at, by);
      const sealed = value === undefined ? before!.sealed : seal(value, reserved, key);
      await stores.secrets.setSealed(reserved.id, sealed, limits, at, by);
      await stores.settings.set(keyIdSetting, key.id);
      const action = value === undefined ? 'secret:limit' : before ? 'secret:replace' : 'secret:create';
      await stores.audit.append(auditEntry(request, at, action, named, { name, ...limits }));
      await failpoint('secret.beforeCommit');
      return { ...reserved, ...limits, updatedAt: at, updatedBy: by };
    });
    await failpoint('secret.afterCommit');
    return { ...secretView(record), warning: value === undefined ? null : warningFor(value, request.language) };
  }

  async function remove(params: HolderName & { readonly name: string }, request: RequestContext) {
    const name = params.name.toLowerCase();
    const named = await findHolder(store.read, params);
    const at = clock.now();
    await store.write(async (stores) => {
      if (!(await stores.secrets.remove(named.holder, name)))
        throw new GantryError(
          'SECRET_NOT_FOUND',
          `Cannot remove the secret "${name}": the ${named.holder.kind} has none such`,
          { details: { name } },
        );
      await stores.audit.append(auditEntry(request, at, 'secret:remove', named, { name }));
    });
  }

  return {
    listSecrets: ({ params }) => list(params),
    setSecret: ({ params, body }, request) => set(params, body, request),
    removeSecret: ({ params }, request) => remove(params, request),
    listOrganisationSecrets: ({ params }) => list(params),
    setOrganisationSecret: ({ params, body }, request) => set(params, body, request),
    removeOrganisationSecret: ({ params }, request) => remove(params, request),
  } satisfies OperationHandlers;
}

/** What a request does not name stays: whoever replaces a value does not widen who gets it. */
function limitsOf(name: string, body: SecretBody, before: SecretLimits | undefined): SecretLimits {
  return {
    ...eventsOf(name, body, before),
    branches: [...new Set(body.branches ?? before?.branches ?? [])],
    images: [...new Set(body.images ?? before?.images ?? [])],
    isForPluginsOnly: body.isForPluginsOnly ?? before?.isForPluginsOnly ?? false,
  };
}

/** Events and pull requests say the same of pull requests: what a request names of one decides the other. */
function eventsOf(
  name: string,
  body: SecretBody,
  before: SecretLimits | undefined,
): Pick<SecretLimits, 'events' | 'pullRequests'> {
  const named = body.events ?? before?.events ?? usualEvents;
  const isNamed = named.includes('pull_request');
  const usual = isNamed ? (before && before.pullRequests !== 'none' ? before.pullRequests : 'project') : 'none';
  const pullRequests = body.pullRequests ?? usual;
  if (pullRequests === 'none' && body.events?.includes('pull_request'))
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot limit the secret "${name}": its events have pull requests, and "pullRequests" has none`,
    );
  const others = named.filter((event) => event !== 'pull_request');
  const events = [...new Set(pullRequests === 'none' ? others : isNamed ? named : [...others, 'pull_request'])];
  if (events.length > 0) return { events, pullRequests };
  throw new GantryError('REQUEST_INVALID', `Cannot limit the secret "${name}": no event is left that may have it`);
}

function checkGlobs(name: string, { branches = [], images = [] }: SecretBody): void {
  for (const pattern of [...branches, ...images]) {
    const fault = findGlobFault(pattern, 'woodpecker');
    if (fault !== undefined)
      throw new GantryError('REQUEST_INVALID', `Cannot limit the secret "${name}" to "${pattern}": ${fault}`);
  }
}

/** The name as it is stored. */
function checkName(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,99}$/.test(name))
    throw new GantryError('SECRET_NAME_INVALID', `Cannot name a secret "${name}": it does not follow the rules`, {
      details: { name },
    });
  return name.toLowerCase();
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
    branches: [...record.branches],
    images: [...record.images],
    isForPluginsOnly: record.isForPluginsOnly,
    pullRequests: record.pullRequests,
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    updatedBy: record.updatedBy,
  };
}

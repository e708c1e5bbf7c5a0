import type { RegistryBody, RegistryView } from '../../api/secrets.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder, type HolderName } from '../../core/find-holder.ts';
import type { RegistryLogin } from '../../core/registry-login.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { keyIdSetting, type SealingDeps } from './deps.ts';
import { seal } from './seal.ts';
import { sealedForRegistry } from './vault.ts';

/** So many a holder may have: all of them that fit go to a runner with each workflow. */
const maxLogins = 50;

/** Operations on the logins with which images are pulled. */
export function registryOperations({ store, clock, keyFile }: SealingDeps) {
  async function list(name: HolderName) {
    const { holder } = await findHolder(store.read, name);
    return { items: (await store.read.registryLogins.list(holder)).map(registryView), next: null };
  }

  async function set(
    params: HolderName & { readonly registry: string },
    { username, password, pullRequests: wanted }: RegistryBody,
    request: RequestContext,
  ) {
    const registry = checkRegistry(params.registry);
    const named = await findHolder(store.read, params);
    const at = clock.now();
    const by = nameOf(request);
    const key = keyFile();
    return store.write(async (stores) => {
      const present = await stores.registryLogins.list(named.holder);
      const before = present.find((login) => login.registry === registry);
      const isNew = !before;
      const pullRequests = wanted ?? before?.pullRequests ?? 'project';
      if (isNew && present.length >= maxLogins)
        throw new GantryError('REQUEST_INVALID', `Cannot add the registry ${registry}: ${maxLogins} are there already`);
      const reserved = await stores.registryLogins.reserve(named.holder, registry, at, by);
      const sealed = seal(password, sealedForRegistry(reserved), key);
      await stores.registryLogins.setSealed(reserved.id, { username, pullRequests }, sealed, at, by);
      await stores.settings.set(keyIdSetting, key.id);
      const action = isNew ? 'registry:create' : 'registry:replace';
      await stores.audit.append(auditEntry(request, at, action, named, { registry, username, pullRequests }));
      return registryView({ ...reserved, username, pullRequests, updatedAt: at, updatedBy: by });
    });
  }

  async function remove(params: HolderName & { readonly registry: string }, request: RequestContext) {
    const registry = checkRegistry(params.registry);
    const named = await findHolder(store.read, params);
    const at = clock.now();
    await store.write(async (stores) => {
      if (!(await stores.registryLogins.remove(named.holder, registry)))
        throw new GantryError(
          'REGISTRY_NOT_FOUND',
          `Cannot remove the login of ${registry}: the ${named.holder.kind} has none for it`,
          { details: { registry } },
        );
      await stores.audit.append(auditEntry(request, at, 'registry:remove', named, { registry }));
    });
  }

  return {
    listRegistries: ({ params }) => list(params),
    setRegistry: ({ params, body }, request) => set(params, body, request),
    removeRegistry: ({ params }, request) => remove(params, request),
    listOrganisationRegistries: ({ params }) => list(params),
    setOrganisationRegistry: ({ params, body }, request) => set(params, body, request),
    removeOrganisationRegistry: ({ params }, request) => remove(params, request),
  } satisfies OperationHandlers;
}

/** The host as it is stored, with its port where it has one. */
function checkRegistry(registry: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/i.test(registry))
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot keep a login for "${registry}": a registry is a host such as registry.example.com:5000, without a path`,
    );
  const host = registry.toLowerCase();
  // The names under which Docker's own tools know it.
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

function registryView({ registry, username, pullRequests, updatedAt, updatedBy }: RegistryLogin): RegistryView {
  return { registry, username, pullRequests, updatedAt: updatedAt.toISOString(), updatedBy };
}

import type { GitLoginView } from '../../api/secrets.ts';
import { GantryError } from '../../core/errors.ts';
import { findHolder, type HolderName } from '../../core/find-holder.ts';
import type { GitLogin } from '../../core/git-login.ts';
import { auditEntry, nameOf } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { keyIdSetting, type SealingDeps } from './deps.ts';
import { seal } from './seal.ts';
import { sealedForGit } from './vault.ts';

/** So many a holder may have. */
const maxLogins = 50;

/** Operations on the logins with which checkouts fetch from other hosts. */
export function gitLoginOperations({ store, clock, keyFile }: SealingDeps) {
  async function list(name: HolderName) {
    const { holder } = await findHolder(store.read, name);
    return { items: (await store.read.gitLogins.list(holder)).map(gitLoginView), next: null };
  }

  async function set(
    params: HolderName & { readonly host: string },
    { username, password }: { readonly username: string; readonly password: string },
    request: RequestContext,
  ) {
    const host = checkHost(params.host);
    if (/[\r\n\0]/.test(username + password))
      throw new GantryError('REQUEST_INVALID', 'Cannot keep the login: name and password are of one line each');
    const named = await findHolder(store.read, params);
    const at = clock.now();
    const by = nameOf(request);
    const key = keyFile();
    return store.write(async (stores) => {
      const present = await stores.gitLogins.list(named.holder);
      const isNew = !present.some((login) => login.host === host);
      if (isNew && present.length >= maxLogins)
        throw new GantryError('REQUEST_INVALID', `Cannot add a login for ${host}: ${maxLogins} are there already`);
      const reserved = await stores.gitLogins.reserve(named.holder, host, at, by);
      await stores.gitLogins.setSealed(reserved.id, username, seal(password, sealedForGit(reserved), key), at, by);
      await stores.settings.set(keyIdSetting, key.id);
      const action = isNew ? 'git-login:create' : 'git-login:replace';
      await stores.audit.append(auditEntry(request, at, action, named, { host, username }));
      return gitLoginView({ ...reserved, username, updatedAt: at, updatedBy: by });
    });
  }

  async function remove(params: HolderName & { readonly host: string }, request: RequestContext) {
    const host = checkHost(params.host);
    const named = await findHolder(store.read, params);
    const at = clock.now();
    await store.write(async (stores) => {
      if (!(await stores.gitLogins.remove(named.holder, host)))
        throw new GantryError(
          'GIT_LOGIN_NOT_FOUND',
          `Cannot remove the login for ${host}: the ${named.holder.kind} has none for it`,
          { details: { host } },
        );
      await stores.audit.append(auditEntry(request, at, 'git-login:remove', named, { host }));
    });
  }

  return {
    listGitLogins: ({ params }) => list(params),
    setGitLogin: ({ params, body }, request) => set(params, body, request),
    removeGitLogin: ({ params }, request) => remove(params, request),
    listOrganisationGitLogins: ({ params }) => list(params),
    setOrganisationGitLogin: ({ params, body }, request) => set(params, body, request),
    removeOrganisationGitLogin: ({ params }, request) => remove(params, request),
  } satisfies OperationHandlers;
}

/** The host as it is stored, with its port where it has one; the port of HTTPS is none. */
function checkHost(host: string): string {
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/i.test(host))
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot keep a login for "${host}": write a host such as git.example.com, or git.example.com:8443, without a path`,
    );
  return host.toLowerCase().replace(/:443$/, '');
}

function gitLoginView({ host, username, updatedAt, updatedBy }: GitLogin): GitLoginView {
  return { host, username, updatedAt: updatedAt.toISOString(), updatedBy };
}

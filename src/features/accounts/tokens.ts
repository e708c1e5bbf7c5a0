import type { TokenView } from '../../api/accounts.ts';
import { hashOfCredential, newCredential } from '../../core/credential.ts';
import { GantryError } from '../../core/errors.ts';
import { can, includesScope, type Scope } from '../../core/permission.ts';
import type { Person } from '../../core/person.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Token } from '../../core/token.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { sortableId } from '../../lib/ids.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { auditEntry, type Doer, systemDoer } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getSignedIn, type SignedIn } from './person-view.ts';

const dayMs = 24 * 3_600_000;

export interface TokenWish {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Ids of the projects it is limited to; absent = all that its person may reach. */
  readonly projectIds?: readonly number[] | undefined;
  /** `null` = until it is revoked. */
  readonly expiresInDays: number | null;
}

/** Creates a token for a person. The secret is answered this once; the database has its hash. */
export async function createTokenFor(
  { store, clock }: Pick<AccountsDeps, 'store' | 'clock'>,
  person: Person,
  wish: TokenWish,
  doer: Doer = systemDoer,
): Promise<{ readonly token: Token; readonly secret: string }> {
  const at = clock.now();
  const made = await store.write(async (stores) => {
    const added = await addToken(stores, person, wish, at, doer);
    await failpoint('token.beforeCommit');
    return added;
  });
  await failpoint('token.afterCommit');
  return made;
}

/** As `createTokenFor`, within the transaction of `stores`. */
export async function addToken(
  stores: Stores,
  person: Person,
  wish: TokenWish,
  at: Date,
  doer: Doer,
): Promise<{ readonly token: Token; readonly secret: string }> {
  const secret = newCredential('pat');
  const token: Token = {
    id: sortableId('tok', at),
    personId: person.id,
    name: wish.name,
    prefix: secret.slice(0, 12),
    scopes: [...new Set(wish.scopes)],
    projectIds: wish.projectIds,
    createdAt: at,
    expiresAt: wish.expiresInDays === null ? undefined : new Date(at.getTime() + wish.expiresInDays * dayMs),
  };
  await stores.tokens.create({ ...token, sha256: hashOfCredential(secret) });
  const { name, scopes, projectIds, expiresAt } = token;
  await stores.audit.append(
    auditEntry(doer, at, 'token:create', `person:${person.name}`, {
      token: token.id,
      name,
      scopes,
      projectIds,
      expiresAt,
    }),
  );
  return { token, secret };
}

export function tokenOperations(deps: AccountsDeps) {
  const { store, clock } = deps;

  /** The projects of these names; throws PROJECT_NOT_FOUND for one that the asker may not see. */
  async function findProjects(slugs: readonly string[], request: RequestContext): Promise<readonly number[]> {
    const found: number[] = [];
    for (const slug of new Set(slugs)) {
      const [owner = '', name = '', ...rest] = slug.split('/');
      const project = rest.length === 0 ? await store.read.projects.findBySlug(owner, name) : undefined;
      if (!project || !(await request.may('project:read', { on: 'project', owner, name })))
        throw new GantryError(
          'PROJECT_NOT_FOUND',
          `Cannot limit the token to "${slug}": there is no such project that you may see`,
          {
            details: { project: slug },
          },
        );
      found.push(project.id);
    }
    return found;
  }

  /** What the person of a token is shown of it: its projects by the names that they have now. */
  async function tokenView(token: Token, person: Person): Promise<TokenView> {
    return {
      id: token.id,
      name: token.name,
      prefix: token.prefix,
      scopes: [...token.scopes],
      projects: token.projectIds ? await slugsOf(token.projectIds, person) : null,
      createdAt: token.createdAt.toISOString(),
      expiresAt: token.expiresAt?.toISOString() ?? null,
      lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
    };
  }

  /** Without those that the person may no longer see: a name is part of what was taken away. */
  async function slugsOf(ids: readonly number[], person: Person): Promise<string[]> {
    const slugs: string[] = [];
    for (const id of ids) {
      const project = await store.read.projects.find(id);
      if (project && (await maySee(person, project))) slugs.push(projectSlug(project));
    }
    return slugs;
  }

  async function maySee(person: Person, project: Project): Promise<boolean> {
    const whole: SignedIn = { kind: 'person', person, via: 'session', credentialId: '', scopes: ['*'] };
    return can(whole, 'project:read', {
      on: 'project',
      id: project.id,
      slug: projectSlug(project),
      visibility: project.visibility,
      isArchived: project.archivedAt !== undefined,
      role: await store.read.projects.roleOf(project.id, person.id),
    }).allowed;
  }

  return {
    async listTokens(_input, request) {
      const me = getSignedIn(request.actor);
      const items: TokenView[] = [];
      for (const token of await store.read.tokens.list(me.person.id)) items.push(await tokenView(token, me.person));
      return { items, next: null };
    },

    async createToken({ body }, request) {
      const me = getSignedIn(request.actor);
      const missing = body.scopes.find((scope) => !mayPassOn(me, scope));
      if (missing !== undefined)
        throw new GantryError(
          'SCOPE_MISSING',
          `Cannot create a token for ${missing}: the token you ask with lacks it`,
          {
            details: { needs: missing },
          },
        );
      const { name, scopes, expiresInDays } = body;
      const projectIds = body.projects && (await findProjects(body.projects, request));
      const { token, secret } = await createTokenFor(
        deps,
        me.person,
        { name, scopes, projectIds, expiresInDays },
        request,
      );
      return { ...(await tokenView(token, me.person)), secret };
    },

    async revokeToken({ params: { id } }, request) {
      const me = getSignedIn(request.actor);
      const at = clock.now();
      await store.write(async (stores) => {
        const token = await stores.tokens.find(id);
        if (token?.personId !== me.person.id)
          throw new GantryError('TOKEN_NOT_FOUND', 'Cannot revoke the token: you have none with this id');
        await stores.tokens.remove(id);
        await stores.audit.append(
          auditEntry(request, at, 'token:revoke', `person:${me.person.name}`, { token: id, name: token.name }),
        );
        await stores.happenings.append([{ type: 'access-changed', personId: me.person.id }], at);
      });
    },
  } satisfies OperationHandlers;
}

/** A token gives no more than it has. */
export function mayPassOn({ scopes }: SignedIn, scope: Scope): boolean {
  return scope === '*' ? scopes.includes('*') : includesScope(scopes, scope);
}

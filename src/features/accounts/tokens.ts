import { hashOfCredential, newCredential } from '../../core/credential.ts';
import { GantryError } from '../../core/errors.ts';
import { includesScope, type Scope } from '../../core/permission.ts';
import type { Person } from '../../core/person.ts';
import { projectSlug } from '../../core/project.ts';
import type { Token } from '../../core/token.ts';
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
  /** `owner/name`s it is limited to; absent = all that its person may reach. */
  readonly projects?: readonly string[] | undefined;
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
  const secret = newCredential('pat');
  const token: Token = {
    id: sortableId('tok', at),
    personId: person.id,
    name: wish.name,
    prefix: secret.slice(0, 12),
    scopes: [...new Set(wish.scopes)],
    projects: wish.projects,
    createdAt: at,
    expiresAt: wish.expiresInDays === null ? undefined : new Date(at.getTime() + wish.expiresInDays * dayMs),
  };
  await store.write(async (stores) => {
    await stores.tokens.create({ ...token, sha256: hashOfCredential(secret) });
    const { name, scopes, projects, expiresAt } = token;
    await stores.audit.append(
      auditEntry(doer, at, 'token:create', `person:${person.name}`, {
        token: token.id,
        name,
        scopes,
        projects,
        expiresAt,
      }),
    );
    await failpoint('token.beforeCommit');
  });
  await failpoint('token.afterCommit');
  return { token, secret };
}

export function tokenOperations(deps: AccountsDeps) {
  const { store, clock } = deps;

  /** The slugs as their projects have them; throws PROJECT_NOT_FOUND for one that the asker may not see. */
  async function findProjects(slugs: readonly string[], request: RequestContext): Promise<readonly string[]> {
    const found: string[] = [];
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
      found.push(projectSlug(project));
    }
    return found;
  }

  return {
    async listTokens(_input, request) {
      const me = getSignedIn(request.actor);
      return { items: (await store.read.tokens.list(me.person.id)).map(tokenView), next: null };
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
      const projects = body.projects && (await findProjects(body.projects, request));
      const { token, secret } = await createTokenFor(deps, me.person, { ...body, projects }, request);
      return { ...tokenView(token), secret };
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
function mayPassOn({ scopes }: SignedIn, scope: Scope): boolean {
  return scope === '*' ? scopes.includes('*') : includesScope(scopes, scope);
}

function tokenView(token: Token) {
  return {
    id: token.id,
    name: token.name,
    prefix: token.prefix,
    scopes: [...token.scopes],
    projects: token.projects ? [...token.projects] : null,
    createdAt: token.createdAt.toISOString(),
    expiresAt: token.expiresAt?.toISOString() ?? null,
    lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
  };
}

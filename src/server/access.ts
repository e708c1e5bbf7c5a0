import { hashOfCredential, isWellFormedCredential, sessionIdleMs } from '../core/credential.ts';
import { GantryError } from '../core/errors.ts';
import type { HappeningBus } from '../core/events.ts';
import { type Action, type Actor, actions, can, type Decision, type Resource, type Role } from '../core/permission.ts';
import type { Project } from '../core/project.ts';
import { projectSlug } from '../core/project.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { ResourceName } from '../features/feature.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

/** How long what the database said of rights may be believed, in milliseconds. Changes within this process count at once. */
const believedMs = 2_000;
const limitEntries = 10_000;
/** `last used` is for people to see which token lies idle: a minute is fine enough, and one write per request is not. */
const markUsedEveryMs = 60_000;

export const anonymous: Actor = { kind: 'anonymous' };

/** A credential that was shown and is valid. */
export interface Identity {
  readonly actor: Exclude<Actor, { kind: 'anonymous' }>;
  /** SHA-256 of the credential, by which it is found again. */
  readonly hash: string;
  readonly expiresAt: Date | undefined;
}

export interface Access {
  /** The person, or the running workflow, behind a token. Throws TOKEN_INVALID, with the same words whatever is wrong with it. */
  identifyToken(secret: string): Promise<Identity>;
  /** The person behind a session's cookie; `undefined` when it has ended. */
  identifySession(secret: string): Promise<Identity | undefined>;
  /** The same identity as it stands now: `undefined` once the credential is gone. */
  renew(identity: Identity): Promise<Identity | undefined>;
  /** The one question of every route of every transport. Throws what the asker may know of the refusal. */
  authorize(actor: Actor, action: Action, name: ResourceName): Promise<void>;
  may(actor: Actor, action: Action, name: ResourceName): Promise<boolean>;
  /** As `may`, for a project by its id: what the event stream asks for each event. */
  mayInProject(actor: Actor, action: Action, projectId: number): Promise<boolean>;
}

/** Knows the credentials of workflows that run, by their hash. */
export type FindJob = (hash: string) => Extract<Actor, { kind: 'job' }> | undefined;

interface AccessDeps {
  readonly store: UnitOfWork;
  readonly findJob: FindJob;
  readonly happenings: HappeningBus;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createAccess({ store, findJob, happenings, clock, logger }: AccessDeps): Access {
  const identities = new Believed<Identity>(clock);
  const projects = new Believed<Project>(clock);
  const roles = new Believed<{ readonly role: Role | undefined }>(clock);
  happenings.subscribe(({ happening }) => {
    switch (happening.type) {
      case 'access-changed':
      case 'members-changed':
      case 'project-changed':
        for (const cache of [identities, projects, roles]) cache.forget();
        break;
      default:
    }
  });

  async function identify(hash: string, via: 'session' | 'token'): Promise<Identity | undefined> {
    const identity = await identities.get(`${via}:${hash}`, async () => {
      const found = via === 'token' ? await findToken(hash) : await findSession(hash);
      if (!found) return undefined;
      const person = await store.read.people.find(found.personId);
      if (!person || person.disabledAt) return undefined;
      if (clock.now().getTime() - (found.lastUsedAt?.getTime() ?? 0) >= markUsedEveryMs)
        markUsed(via, found.id, person.id);
      return {
        actor: {
          kind: 'person',
          person,
          via,
          credentialId: found.id,
          scopes: found.scopes,
          projectIds: found.projectIds,
        },
        hash,
        expiresAt: found.expiresAt,
      };
    });
    return identity?.expiresAt && identity.expiresAt <= clock.now() ? undefined : identity;
  }

  function identifyJob(hash: string): Identity | undefined {
    const actor = findJob(hash);
    return actor && { actor, hash, expiresAt: undefined };
  }

  async function findToken(hash: string) {
    return store.read.tokens.findByHash(hash);
  }

  async function findSession(hash: string) {
    const session = await store.read.sessions.findByHash(hash);
    if (!session) return undefined;
    const idleUntil = session.lastUsedAt.getTime() + sessionIdleMs;
    const expiresAt = new Date(Math.min(session.expiresAt.getTime(), idleUntil));
    return { ...session, scopes: ['*'] as const, projectIds: undefined, expiresAt };
  }

  function markUsed(via: 'session' | 'token', id: string, personId: number): void {
    const at = clock.now();
    store
      .write(async (stores) => {
        await (via === 'token' ? stores.tokens.markUsed(id, at) : stores.sessions.markUsed(id, at));
        await stores.people.markSeen(personId, at);
      })
      .catch((error: unknown) => logger.warn('The last use of a credential was not noted', { error }));
  }

  function projectNamed(owner: string, name: string): Promise<Project | undefined> {
    return projects.get(`${owner}/${name}`.toLowerCase(), () => store.read.projects.findBySlug(owner, name));
  }

  async function roleIn(key: string, find: () => Promise<Role | undefined>): Promise<Role | undefined> {
    return (await roles.get(key, async () => ({ role: await find() })))?.role;
  }

  async function resourceOfProject(actor: Actor, project: Project): Promise<Resource> {
    return {
      on: 'project',
      id: project.id,
      slug: projectSlug(project),
      visibility: project.visibility,
      isArchived: project.archivedAt !== undefined,
      role:
        actor.kind !== 'person'
          ? undefined
          : await roleIn(`project:${project.id}:${actor.person.id}`, () =>
              store.read.projects.roleOf(project.id, actor.person.id),
            ),
    };
  }

  /** `undefined` when nothing has this name. */
  async function resourceNamed(actor: Actor, name: ResourceName): Promise<Resource | undefined> {
    if (name.on === 'project') {
      const project = await projectNamed(name.owner, name.name);
      return project && resourceOfProject(actor, project);
    }
    if (name.on !== 'owner') return name;
    if (actor.kind !== 'person') return { on: 'owner', name: name.name, role: undefined };
    const owner =
      (await store.read.organisations.findByName(name.name)) ?? (await store.read.people.findByName(name.name));
    return (
      owner && {
        on: 'owner',
        name: owner.name,
        role: await roleIn(`owner:${owner.id}:${actor.person.id}`, () =>
          store.read.projects.roleForOwner(owner.id, actor.person.id),
        ),
      }
    );
  }

  async function decide(actor: Actor, action: Action, name: ResourceName): Promise<Decision> {
    const resource = await resourceNamed(actor, name);
    return resource ? can(actor, action, resource) : { allowed: false, because: 'invisible', needs: 'its existence' };
  }

  return {
    async identifyToken(secret) {
      const hash = hashOfCredential(secret);
      const identity = isWellFormedCredential(secret, 'job')
        ? identifyJob(hash)
        : isWellFormedCredential(secret, 'pat')
          ? await identify(hash, 'token')
          : undefined;
      if (!identity)
        throw new GantryError('TOKEN_INVALID', 'Cannot sign in with this token: it is mistyped, expired or revoked');
      return identity;
    },
    async identifySession(secret) {
      return isWellFormedCredential(secret, 'ses') ? identify(hashOfCredential(secret), 'session') : undefined;
    },
    renew: async ({ actor, hash }) => (actor.kind === 'job' ? identifyJob(hash) : identify(hash, actor.via)),
    async authorize(actor, action, name) {
      const decision = await decide(actor, action, name);
      if (!decision.allowed) throw refusal(decision, action, name);
    },
    async may(actor, action, name) {
      return (await decide(actor, action, name)).allowed;
    },
    async mayInProject(actor, action, projectId) {
      const project = await projects.get(`#${projectId}`, () => store.read.projects.find(projectId));
      return project !== undefined && can(actor, action, await resourceOfProject(actor, project)).allowed;
    },
  };
}

/** The refusal in the words that the asker may hear. */
function refusal(decision: Exclude<Decision, { allowed: true }>, action: Action, name: ResourceName): GantryError {
  const { needs } = decision;
  const on = name.on === 'project' ? ` on ${name.owner}/${name.name}` : name.on === 'owner' ? ` on ${name.name}` : '';
  switch (decision.because) {
    case 'sign-in':
      return new GantryError('SIGN_IN_REQUIRED', `Cannot do ${action}${on}: nobody is signed in`);
    case 'disabled':
      return new GantryError('SIGN_IN_REQUIRED', `Cannot do ${action}${on}: the account is disabled`);
    case 'scope':
      return new GantryError('SCOPE_MISSING', `Cannot do ${action}${on}: the token lacks ${needs}`, {
        details: { action, needs },
      });
    case 'role':
    case 'site-admin':
      return new GantryError('ACCESS_DENIED', `Cannot do ${action}${on}: it needs ${needs}`, {
        details: { action, needs },
      });
    case 'archived':
      return new GantryError('PROJECT_ARCHIVED', `Cannot do ${action}${on}: the project is archived`, {
        details: name.on === 'project' ? { project: `${name.owner}/${name.name}` } : {},
      });
    case 'invisible':
      return notFound(name);
  }
}

/** The same words for what is not there and for what must not be seen. */
function notFound(name: ResourceName): GantryError {
  if (name.on === 'project') {
    const project = `${name.owner}/${name.name}`;
    return new GantryError(
      'PROJECT_NOT_FOUND',
      `Cannot find the project "${project}": there is none that you may see`,
      {
        details: { project },
      },
    );
  }
  const named = name.on === 'owner' ? name.name : '';
  return new GantryError('ORGANISATION_NOT_FOUND', `Cannot find "${named}": no person or organisation has this name`, {
    details: { name: named },
  });
}

/** The actions that look at `resource.on`, checked where routes are mounted. */
export function isAbout(action: Action, on: ResourceName['on']): boolean {
  return actions[action].on === on;
}

/** Values from the database, believed for a short while, and forgotten at once when something changed. */
class Believed<T> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: T; readonly untilMs: number }>();
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `undefined` is not kept: what was just made is found at once. */
  async get(key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const found = this.#entries.get(key);
    if (found && found.untilMs > this.#clock.monotonicMs()) return found.value;
    const changesBefore = this.#changes;
    const untilMs = this.#clock.monotonicMs() + believedMs;
    const value = await read();
    // What changed while we were reading may not be in the answer: use it, do not keep it.
    if (value !== undefined && changesBefore === this.#changes) {
      if (this.#entries.size >= limitEntries) this.#entries.clear();
      this.#entries.set(key, { value, untilMs });
    }
    return value;
  }

  forget(): void {
    this.#changes += 1;
    this.#entries.clear();
  }
}

import type { Person } from './person.ts';
import type { Visibility } from './visibility.ts';

/** What a person may do in a project or organisation; each role includes those before it. */
export const roles = ['read', 'triage', 'write', 'maintain', 'admin', 'owner'] as const;
export type Role = (typeof roles)[number];

export const scopeResources = ['account', 'project', 'code', 'pipeline', 'secret', 'site'] as const;
export const scopeLevels = ['read', 'write', 'admin'] as const;
/** What a token may be used for: `code:write` includes `code:read`. `*` is everything its person may do. */
export type Scope = `${(typeof scopeResources)[number]}:${(typeof scopeLevels)[number]}` | '*';

interface ActionRule {
  /** What the action is about, and so what `can` must be given. */
  readonly on: 'project' | 'owner' | 'self' | 'site' | 'anyone';
  readonly scope: Exclude<Scope, '*'>;
  /** The least role; on a project, `read` is also given by its visibility. */
  readonly role?: Role;
  /** Whether the action changes the project, and is refused once it is archived. */
  readonly changes?: true;
}

/**
 * Every action of every transport. A route names one of them, or the server does not start.
 * `self` = one's own account · `site` = site admins · `anyone` = no sign-in needed.
 */
export const actions = {
  'site:visit': { on: 'anyone', scope: 'account:read' },
  'site:administer': { on: 'site', scope: 'site:admin' },
  'account:read': { on: 'self', scope: 'account:read' },
  'account:write': { on: 'self', scope: 'account:write' },
  'token:manage': { on: 'self', scope: 'account:admin' },
  'organisation:create': { on: 'self', scope: 'account:write' },
  'organisation:read': { on: 'owner', scope: 'account:read', role: 'read' },
  'organisation:manage': { on: 'owner', scope: 'account:admin', role: 'owner' },
  'project:list': { on: 'anyone', scope: 'project:read' },
  'project:create': { on: 'owner', scope: 'project:write', role: 'maintain' },
  'project:read': { on: 'project', scope: 'project:read', role: 'read' },
  'project:configure': { on: 'project', scope: 'project:admin', role: 'admin' },
  'member:read': { on: 'project', scope: 'project:read', role: 'read' },
  'member:manage': { on: 'project', scope: 'project:admin', role: 'admin' },
  'audit:read': { on: 'project', scope: 'project:read', role: 'admin' },
  'code:read': { on: 'project', scope: 'code:read', role: 'read' },
  'code:write': { on: 'project', scope: 'code:write', role: 'write', changes: true },
  'code:force': { on: 'project', scope: 'code:write', role: 'maintain', changes: true },
  'pipeline:read': { on: 'project', scope: 'pipeline:read', role: 'read' },
  'pipeline:run': { on: 'project', scope: 'pipeline:write', role: 'write', changes: true },
  'pipeline:approve': { on: 'project', scope: 'pipeline:write', role: 'maintain', changes: true },
  'pull-request:read': { on: 'project', scope: 'code:read', role: 'read' },
  'pull-request:create': { on: 'project', scope: 'code:write', role: 'read', changes: true },
  'pull-request:write': { on: 'project', scope: 'code:write', role: 'read', changes: true },
  'artifact:read': { on: 'project', scope: 'pipeline:read', role: 'read' },
  'artifact:delete': { on: 'project', scope: 'pipeline:write', role: 'write', changes: true },
  'cache:read': { on: 'project', scope: 'pipeline:read', role: 'read' },
  'cache:delete': { on: 'project', scope: 'pipeline:write', role: 'write', changes: true },
  'cron:read': { on: 'project', scope: 'pipeline:read', role: 'read' },
  'cron:write': { on: 'project', scope: 'pipeline:write', role: 'maintain', changes: true },
  'secret:read': { on: 'project', scope: 'secret:read', role: 'maintain' },
  'secret:write': { on: 'project', scope: 'secret:write', role: 'maintain', changes: true },
  'organisation-secret:read': { on: 'owner', scope: 'secret:read', role: 'maintain' },
  'organisation-secret:write': { on: 'owner', scope: 'secret:write', role: 'maintain' },
  'webhook:read': { on: 'project', scope: 'project:read', role: 'maintain' },
  'webhook:write': { on: 'project', scope: 'project:admin', role: 'maintain', changes: true },
  'organisation-webhook:read': { on: 'owner', scope: 'project:read', role: 'maintain' },
  'organisation-webhook:write': { on: 'owner', scope: 'project:admin', role: 'maintain' },
  'variable:read': { on: 'project', scope: 'project:read', role: 'write' },
  'variable:write': { on: 'project', scope: 'project:write', role: 'maintain', changes: true },
  'organisation-variable:read': { on: 'owner', scope: 'project:read', role: 'write' },
  'organisation-variable:write': { on: 'owner', scope: 'project:write', role: 'maintain' },
} as const satisfies Record<string, ActionRule>;

export type Action = keyof typeof actions;

/** Who asks. A session and a token of one person differ only in scopes. */
export type Actor =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'person';
      readonly person: Person;
      readonly via: 'session' | 'token';
      /** Row id of the session or token, for the record and for sign-out. */
      readonly credentialId: string;
      readonly scopes: readonly Scope[];
      /** Ids of the projects the token is limited to: a name may be given anew. Absent = all. */
      readonly projectIds?: readonly number[] | undefined;
    }
  | {
      /** A step of a pipeline that runs: it may read the code of its own project, and what everybody may. */
      readonly kind: 'job';
      readonly projectId: number;
      readonly pipelineNumber: number;
    };

/** What is asked about, with the role that the actor has there (looked up by the caller, highest of all grants). */
export type Resource =
  | { readonly on: 'anyone' | 'self' | 'site' }
  | { readonly on: 'owner'; readonly name: string; readonly role: Role | undefined }
  | {
      readonly on: 'project';
      readonly id: number;
      /** `owner/name`. */
      readonly slug: string;
      readonly visibility: Visibility;
      readonly isArchived: boolean;
      readonly role: Role | undefined;
    };

export type Decision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** `invisible` is answered as "not found": whoever may not see a thing does not learn that it exists. */
      readonly because: 'sign-in' | 'scope' | 'role' | 'site-admin' | 'invisible' | 'archived' | 'disabled';
      readonly needs: string;
    };

export function isAtLeast(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(needed);
}

/** Whether the scopes include the one needed: a higher level of the same resource, or `*`. */
export function includesScope(scopes: readonly Scope[], needed: Exclude<Scope, '*'>): boolean {
  const [resource, level] = needed.split(':') as [string, (typeof scopeLevels)[number]];
  return scopes.some((scope) => {
    if (scope === '*') return true;
    const [has, at] = scope.split(':') as [string, (typeof scopeLevels)[number]];
    return has === resource && scopeLevels.indexOf(at) >= scopeLevels.indexOf(level);
  });
}

/**
 * The one rule of who may do what; every route of every transport passes it.
 * Denies by default, and never says more about an invisible project than that it is not there.
 */
export function can(actor: Actor, action: Action, resource: Resource): Decision {
  const rule: ActionRule = actions[action];
  if (rule.on !== resource.on)
    throw new TypeError(`Cannot ask for ${action} on a ${resource.on}: it is about a ${rule.on}`);
  const no = (because: Exclude<Decision, { allowed: true }>['because'], needs: string): Decision => ({
    allowed: false,
    because,
    needs,
  });

  if (actor.kind === 'job') {
    const isOwnCode = action === 'code:read' && resource.on === 'project' && resource.id === actor.projectId;
    return isOwnCode ? { allowed: true } : can({ kind: 'anonymous' }, action, resource);
  }
  if (actor.kind === 'person' && actor.person.disabledAt) return no('disabled', 'an account that is not disabled');

  if (resource.on === 'project') {
    const role = effectiveRole(actor, resource);
    if (!isAtLeast(role, 'read')) return no('invisible', 'the role "read"');
    if (actor.kind === 'person' && actor.projectIds && !actor.projectIds.includes(resource.id))
      return no('invisible', `a token for ${resource.slug}`);
    if (actor.kind === 'person' && !includesScope(actor.scopes, rule.scope)) return no('scope', rule.scope);
    if (!isAtLeast(role, rule.role ?? 'read'))
      return actor.kind === 'anonymous' ? no('sign-in', 'a sign-in') : no('role', `the role "${rule.role}"`);
    return rule.changes && resource.isArchived ? no('archived', 'a project that is not archived') : { allowed: true };
  }

  if (actor.kind === 'anonymous') return resource.on === 'anyone' ? { allowed: true } : no('sign-in', 'a sign-in');
  if (!includesScope(actor.scopes, rule.scope)) {
    // A token of any scope may visit what needs no sign-in at all.
    return resource.on === 'anyone' ? { allowed: true } : no('scope', rule.scope);
  }
  // A token limited to projects is not one for the account, for owners or for the site.
  if (actor.projectIds && resource.on !== 'anyone') return no('scope', 'a token that is not limited to projects');
  if (resource.on === 'site' && !actor.person.isSiteAdmin) return no('site-admin', 'a site admin');
  if (resource.on === 'owner' && !actor.person.isSiteAdmin && !isAtLeast(resource.role, rule.role ?? 'read'))
    return no('role', `the role "${rule.role}" in ${resource.name}`);
  return { allowed: true };
}

/** The granted role, or `read` from the project's visibility; a site admin is owner everywhere. */
function effectiveRole(actor: Actor, project: Extract<Resource, { on: 'project' }>): Role | undefined {
  if (actor.kind === 'person' && actor.person.isSiteAdmin) return 'owner';
  if (actor.kind === 'person' && project.role) return project.role;
  if (project.visibility === 'public') return 'read';
  return actor.kind === 'person' && project.visibility === 'internal' ? 'read' : undefined;
}

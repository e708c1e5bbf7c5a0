import { describe, expect, it } from 'vitest';
import {
  type Action,
  type Actor,
  actions,
  can,
  includesScope,
  type Resource,
  type Role,
  roles,
  type Scope,
} from './permission.ts';
import type { Person } from './person.ts';
import { type Visibility, visibilities } from './visibility.ts';

const mei: Person = {
  id: 1,
  name: 'mei',
  displayName: '',
  email: '',
  isSiteAdmin: false,
  createdAt: new Date('2026-01-01T00:00:00Z'),
};

const anonymous: Actor = { kind: 'anonymous' };

function actor(
  options: { scopes?: readonly Scope[]; projectIds?: readonly number[]; person?: Partial<Person> } = {},
): Actor {
  return {
    kind: 'person',
    person: { ...mei, ...options.person },
    via: 'token',
    credentialId: 'tok_1',
    scopes: options.scopes ?? ['*'],
    projectIds: options.projectIds,
  };
}

function project(visibility: Visibility, role?: Role, isArchived = false): Resource {
  return { on: 'project', id: 7, slug: 'shop/web', visibility, isArchived, role };
}

const verdict = (who: Actor, action: Action, on: Resource): string => {
  const decision = can(who, action, on);
  return decision.allowed ? 'yes' : decision.because;
};

const projectActions = (Object.keys(actions) as Action[]).filter((action) => actions[action].on === 'project');

describe('can', () => {
  it('lets a job read the code of its own project, whatever its visibility, and else what anybody may', () => {
    const job: Actor = { kind: 'job', projectId: 7, pipelineNumber: 12 };
    const other: Actor = { kind: 'job', projectId: 8, pipelineNumber: 12 };
    expect(projectActions.filter((action) => verdict(job, action, project('private')) === 'yes')).toEqual([
      'code:read',
    ]);
    expect(projectActions.filter((action) => verdict(other, action, project('internal')) === 'yes')).toEqual([]);
    expect(verdict(other, 'code:read', project('public'))).toBe('yes');
    expect(verdict(job, 'code:write', project('public'))).toBe('sign-in');
    expect(verdict(job, 'account:read', { on: 'self' })).toBe('sign-in');
    expect(verdict(job, 'site:administer', { on: 'site' })).toBe('sign-in');
    expect(verdict(job, 'project:list', { on: 'anyone' })).toBe('yes');
  });

  it.each([
    // visibility, role, action, anonymous, signed in
    ['public', undefined, 'code:read', 'yes', 'yes'],
    ['public', undefined, 'pipeline:read', 'yes', 'yes'],
    ['public', undefined, 'code:write', 'sign-in', 'role'],
    ['public', undefined, 'secret:read', 'sign-in', 'role'],
    ['internal', undefined, 'code:read', 'invisible', 'yes'],
    ['internal', undefined, 'code:write', 'invisible', 'role'],
    ['private', undefined, 'code:read', 'invisible', 'invisible'],
    ['private', undefined, 'code:write', 'invisible', 'invisible'],
    ['private', 'read', 'code:read', 'invisible', 'yes'],
    ['private', 'triage', 'code:write', 'invisible', 'role'],
    ['private', 'write', 'code:write', 'invisible', 'yes'],
    ['private', 'write', 'code:force', 'invisible', 'role'],
    ['private', 'write', 'secret:read', 'invisible', 'role'],
    ['private', 'write', 'pipeline:run', 'invisible', 'yes'],
    ['private', 'maintain', 'code:force', 'invisible', 'yes'],
    ['private', 'maintain', 'secret:write', 'invisible', 'yes'],
    ['private', 'maintain', 'member:manage', 'invisible', 'role'],
    ['private', 'admin', 'member:manage', 'invisible', 'yes'],
    ['private', 'admin', 'project:configure', 'invisible', 'yes'],
  ] as const)(
    'on a %s project with role %s, %s: anonymous %s, signed in %s',
    (visibility, role, action, nobody, somebody) => {
      expect(verdict(anonymous, action, project(visibility))).toBe(nobody);
      expect(verdict(actor(), action, project(visibility, role))).toBe(somebody);
    },
  );

  it('gives every role all that the roles below it have', () => {
    for (const action of projectActions) {
      for (const visibility of visibilities) {
        const allowed = [undefined, ...roles].map((role) => can(actor(), action, project(visibility, role)).allowed);
        expect(allowed, `${action} ${visibility}`).toEqual(allowed.toSorted((a, b) => Number(a) - Number(b)));
      }
    }
  });

  it('never gives a scope more than its person has, and never without the scope', () => {
    for (const action of projectActions) {
      for (const role of [undefined, ...roles]) {
        const full = can(actor(), action, project('private', role)).allowed;
        const needed = actions[action].scope;
        for (const scope of [
          'account:admin',
          'project:admin',
          'code:admin',
          'pipeline:admin',
          'secret:admin',
          'site:admin',
        ] as const) {
          const { allowed } = can(actor({ scopes: [scope] }), action, project('private', role));
          expect(allowed, `${action} ${role} ${scope}`).toBe(full && includesScope([scope], needed));
        }
        expect(can(actor({ scopes: [] }), action, project('public', role)).allowed).toBe(false);
      }
    }
  });

  it('does not say "scope" or "role" about what must not be seen', () => {
    for (const action of projectActions) {
      expect(verdict(actor({ scopes: [] }), action, project('private'))).toBe('invisible');
      expect(verdict(actor({ projectIds: [8] }), action, project('private', 'owner'))).toBe('invisible');
    }
  });

  it('keeps a token that is limited to projects out of everything else', () => {
    const limited = actor({ projectIds: [7], person: { isSiteAdmin: true } });
    expect(verdict(limited, 'code:write', project('private', 'write'))).toBe('yes');
    // The name of a project may be given to another one.
    expect(verdict(limited, 'code:read', { ...project('public'), id: 9 } as Resource)).toBe('invisible');
    expect(verdict(actor({ projectIds: [] }), 'code:read', project('public'))).toBe('invisible');
    expect(verdict(limited, 'account:read', { on: 'self' })).toBe('scope');
    expect(verdict(limited, 'token:manage', { on: 'self' })).toBe('scope');
    expect(verdict(limited, 'site:administer', { on: 'site' })).toBe('scope');
    expect(verdict(limited, 'project:create', { on: 'owner', name: 'shop', role: 'owner' })).toBe('scope');
    expect(verdict(limited, 'project:list', { on: 'anyone' })).toBe('yes');
  });

  it('lets a site admin do everything, with a token that says so', () => {
    const admin = { isSiteAdmin: true };
    for (const action of projectActions)
      expect(verdict(actor({ person: admin }), action, project('private'))).toBe('yes');
    expect(verdict(actor({ person: admin }), 'site:administer', { on: 'site' })).toBe('yes');
    expect(verdict(actor({ person: admin, scopes: ['site:admin'] }), 'site:administer', { on: 'site' })).toBe('yes');
    expect(verdict(actor({ person: admin, scopes: ['code:admin'] }), 'site:administer', { on: 'site' })).toBe('scope');
    expect(verdict(actor(), 'site:administer', { on: 'site' })).toBe('site-admin');
  });

  it('lets a disabled person do nothing at all', () => {
    const who = actor({ person: { disabledAt: new Date(), isSiteAdmin: true } });
    for (const action of Object.keys(actions) as Action[]) {
      const { on } = actions[action];
      const resource: Resource =
        on === 'project' ? project('public', 'owner') : on === 'owner' ? { on, name: 'shop', role: 'owner' } : { on };
      expect(verdict(who, action, resource), action).toBe('disabled');
    }
  });

  it('changes nothing in an archived project but its settings', () => {
    const archived = project('private', 'owner', true);
    const refused = projectActions.filter((action) => verdict(actor(), action, archived) === 'archived');
    expect(refused).toEqual([
      'code:write',
      'code:force',
      'pipeline:run',
      'pipeline:approve',
      'pull-request:create',
      'pull-request:write',
      'artifact:delete',
      'cache:delete',
      'cron:write',
      'secret:write',
      'webhook:write',
      'variable:write',
    ]);
    expect(verdict(actor(), 'project:configure', archived)).toBe('yes');
  });

  it('asks strangers to sign in for what is not for everyone', () => {
    expect(verdict(anonymous, 'site:visit', { on: 'anyone' })).toBe('yes');
    expect(verdict(anonymous, 'account:read', { on: 'self' })).toBe('sign-in');
    expect(verdict(anonymous, 'site:administer', { on: 'site' })).toBe('sign-in');
    expect(verdict(anonymous, 'project:create', { on: 'owner', name: 'shop', role: undefined })).toBe('sign-in');
  });

  it('looks at the role that one has for an owner', () => {
    const onOwner = (role: Role | undefined): Resource => ({ on: 'owner', name: 'shop', role });
    expect([undefined, ...roles].map((role) => verdict(actor(), 'project:create', onOwner(role)))).toEqual([
      'role',
      'role',
      'role',
      'role',
      'yes',
      'yes',
      'yes',
    ]);
    expect(verdict(actor(), 'organisation:manage', onOwner('admin'))).toBe('role');
    expect(verdict(actor(), 'organisation:manage', onOwner('owner'))).toBe('yes');
    expect(verdict(actor({ person: { isSiteAdmin: true } }), 'organisation:manage', onOwner(undefined))).toBe('yes');
  });

  it('refuses to be asked about another kind of thing', () => {
    expect(() => can(actor(), 'code:read', { on: 'self' })).toThrow('it is about a project');
  });
});

describe('includesScope', () => {
  it.each([
    [['code:write'], 'code:read', true],
    [['code:read'], 'code:write', false],
    [['code:admin'], 'code:write', true],
    [['project:admin'], 'code:read', false],
    [['*'], 'site:admin', true],
    [[], 'code:read', false],
    [['pipeline:read', 'code:read'], 'code:read', true],
  ] as const)('of %o for %s is %s', (scopes, needed, answer) => {
    expect(includesScope(scopes, needed)).toBe(answer);
  });
});

import { z } from 'zod';
import { roles, scopeLevels, scopeResources } from '../core/permission.ts';
import { instant, listOf, type Operation } from './operation.ts';

export const Role = z.enum(roles);
export const Scope = z.union([z.literal('*'), z.templateLiteral([z.enum(scopeResources), ':', z.enum(scopeLevels)])]);

export const PersonView = z
  .object({
    name: z.string(),
    displayName: z.string(),
    email: z.string(),
    isSiteAdmin: z.boolean(),
    isDisabled: z.boolean(),
    createdAt: instant,
    lastSeenAt: instant.nullable().meta({ description: 'To a minute; null = never, or not for you to see' }),
  })
  .meta({ id: 'Person' });
export type PersonView = z.infer<typeof PersonView>;

export const TokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string(),
    scopes: z.array(Scope),
    projects: z.array(z.string()).nullable().meta({
      description:
        'The projects it is limited to, by their present names, without those that you may no longer see; null = all',
    }),
    createdAt: instant,
    expiresAt: instant.nullable(),
    lastUsedAt: instant.nullable(),
  })
  .meta({ id: 'Token' });
export type TokenView = z.infer<typeof TokenView>;

const SessionView = z
  .object({
    id: z.string(),
    isThis: z.boolean(),
    userAgent: z.string(),
    remoteAddress: z.string(),
    createdAt: instant,
    lastUsedAt: instant,
  })
  .meta({ id: 'Session' });

const OrganisationView = z
  .object({ name: z.string(), displayName: z.string(), createdAt: instant })
  .meta({ id: 'Organisation' });

const MemberView = z.object({ name: z.string(), role: Role });

const AuditView = z
  .object({
    sequence: z.int(),
    at: instant,
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    remoteAddress: z.string(),
    requestId: z.string(),
    details: z.record(z.string(), z.unknown()),
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' });

const PasswordLink = z.object({ url: z.string(), expiresAt: instant }).meta({ id: 'PasswordLink' });

const name = z.string().min(1).max(63);
const password = z.string().min(1).max(1_000);
const noLongerThan = (max: number) => z.string().max(max);

/** Which records are asked for. */
export const AuditQuery = z.object({
  actor: noLongerThan(63).optional(),
  action: noLongerThan(60).optional().meta({ description: 'An action, or what actions begin with: `secret`' }),
  refused: z.enum(['true']).optional().meta({ description: 'Only what was refused' }),
  from: z.iso.datetime({ offset: true }).optional().meta({ description: 'At or after this instant' }),
  to: z.iso.datetime({ offset: true }).optional().meta({ description: 'Before this instant' }),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  after: noLongerThan(20).optional(),
});
export type AuditQuery = z.output<typeof AuditQuery>;

export const accountOperations = {
  getInstance: {
    method: 'get',
    path: '/api/v1/instance',
    summary: 'What this Gantry is, and whether it still has to be set up',
    action: 'site:visit',
    status: 200,
    ok: z.object({ version: z.string(), needsSetup: z.boolean() }),
    errors: [],
  },
  setUp: {
    method: 'post',
    path: '/api/v1/setup',
    summary: 'Create the first admin with the one-time key of the set-up link, and sign in',
    action: 'site:visit',
    body: z.object({
      key: noLongerThan(200),
      name,
      displayName: noLongerThan(100).optional(),
      email: noLongerThan(200).optional(),
      password,
    }),
    status: 201,
    ok: PersonView,
    errors: ['SETUP_DONE', 'SETUP_LINK_INVALID', 'NAME_INVALID', 'NAME_RESERVED', 'PASSWORD_WEAK'],
  },
  signIn: {
    method: 'post',
    path: '/api/v1/session',
    summary: 'Sign in with name and password; sets the session cookie',
    action: 'site:visit',
    body: z.object({ name, password }),
    status: 201,
    ok: PersonView,
    errors: ['CREDENTIALS_INVALID', 'RATE_LIMITED'],
  },
  signOut: {
    method: 'delete',
    path: '/api/v1/session',
    summary: 'Sign out of this session',
    action: 'account:read',
    status: 204,
    errors: [],
  },
  getMe: {
    method: 'get',
    path: '/api/v1/me',
    summary: 'Who I am, and by which credential',
    action: 'account:read',
    status: 200,
    ok: PersonView.extend({ via: z.enum(['session', 'token']), scopes: z.array(Scope) }).meta({ id: 'Me' }),
    errors: [],
  },
  updateMe: {
    method: 'patch',
    path: '/api/v1/me',
    summary: 'Change my name as shown, my address or my password',
    action: 'account:write',
    body: z.object({
      displayName: noLongerThan(100).optional(),
      email: noLongerThan(200).optional(),
      password: z.object({ current: password, next: password }).optional(),
    }),
    status: 200,
    ok: PersonView,
    errors: ['CREDENTIALS_INVALID', 'PASSWORD_WEAK', 'RATE_LIMITED'],
  },
  listSessions: {
    method: 'get',
    path: '/api/v1/me/sessions',
    summary: 'Where I am signed in',
    action: 'account:read',
    status: 200,
    ok: listOf(SessionView),
    errors: [],
  },
  endSession: {
    method: 'delete',
    path: '/api/v1/me/sessions/{id}',
    summary: 'Sign out elsewhere',
    action: 'account:write',
    params: z.object({ id: z.string() }),
    status: 204,
    errors: ['SESSION_NOT_FOUND'],
  },
  listTokens: {
    method: 'get',
    path: '/api/v1/me/tokens',
    summary: 'My tokens',
    action: 'account:read',
    status: 200,
    ok: listOf(TokenView),
    errors: [],
  },
  createToken: {
    method: 'post',
    path: '/api/v1/me/tokens',
    summary: 'Create a token; its secret is shown this once',
    action: 'token:manage',
    body: z.object({
      name: z.string().min(1).max(100),
      scopes: z.array(Scope).min(1),
      projects: z.array(z.string()).max(100).optional(),
      expiresInDays: z.int().min(1).max(3650).nullable().default(90),
    }),
    status: 201,
    ok: TokenView.extend({ secret: z.string() }).meta({ id: 'NewToken' }),
    errors: ['SCOPE_MISSING', 'PROJECT_NOT_FOUND'],
  },
  revokeToken: {
    method: 'delete',
    path: '/api/v1/me/tokens/{id}',
    summary: 'Revoke a token',
    action: 'token:manage',
    params: z.object({ id: z.string() }),
    status: 204,
    errors: ['TOKEN_NOT_FOUND'],
  },
  listPeople: {
    method: 'get',
    path: '/api/v1/people',
    summary: 'Everybody who has an account',
    action: 'account:read',
    status: 200,
    ok: listOf(PersonView),
    errors: [],
  },
  createPerson: {
    method: 'post',
    path: '/api/v1/people',
    summary: 'Create an account, with a password or else with a one-time link to choose one',
    action: 'site:administer',
    body: z.object({
      name,
      displayName: noLongerThan(100).optional(),
      email: noLongerThan(200).optional(),
      password: password.optional().meta({ description: 'Absent: the answer has a link to choose one' }),
      isSiteAdmin: z.boolean().default(false),
    }),
    status: 201,
    ok: PersonView.extend({ link: PasswordLink.nullable() }).meta({ id: 'NewPerson' }),
    errors: ['PERSON_EXISTS', 'NAME_INVALID', 'NAME_RESERVED', 'PASSWORD_WEAK'],
  },
  updatePerson: {
    method: 'patch',
    path: '/api/v1/people/{name}',
    summary: 'Disable an account, set its password, or make it an admin',
    action: 'site:administer',
    params: z.object({ name }),
    body: z.object({
      isDisabled: z.boolean().optional(),
      isSiteAdmin: z.boolean().optional(),
      password: password.optional(),
    }),
    status: 200,
    ok: PersonView,
    errors: ['PERSON_NOT_FOUND', 'LAST_OWNER', 'PASSWORD_WEAK'],
  },
  createPasswordLink: {
    method: 'post',
    path: '/api/v1/people/{name}/password-link',
    summary: 'Draw a one-time link with which a person chooses a new password; earlier links end',
    action: 'site:administer',
    params: z.object({ name }),
    status: 201,
    ok: PasswordLink,
    errors: ['PERSON_NOT_FOUND'],
  },
  usePasswordLink: {
    method: 'post',
    path: '/api/v1/password-links',
    summary: 'Choose a password with the key of a one-time link, and sign in',
    action: 'site:visit',
    body: z.object({ key: noLongerThan(200), password }),
    status: 201,
    ok: PersonView,
    errors: ['PASSWORD_LINK_INVALID', 'PASSWORD_WEAK', 'RATE_LIMITED'],
  },
  startDeviceLogin: {
    method: 'post',
    path: '/api/v1/device-logins',
    summary: 'Begin the login of a program: two codes, and the page where a person approves it (RFC 8628)',
    action: 'site:visit',
    body: z.object({
      host: z.string().min(1).max(100).meta({ description: 'Where the program runs; the token gets this name' }),
      scopes: z.array(Scope).min(1).max(30).default(['*']),
      expiresInDays: z.int().min(1).max(3650).nullable().default(90),
    }),
    status: 201,
    ok: z
      .object({
        deviceCode: z.string().meta({ description: 'For the program alone: it fetches the token' }),
        userCode: z.string().meta({ description: 'For the person: they compare it on the page' }),
        verificationUri: z.string(),
        verificationUriComplete: z.string(),
        expiresIn: z.int().meta({ description: 'seconds' }),
        interval: z.int().meta({ description: 'seconds between two questions' }),
      })
      .meta({ id: 'DeviceLogin' }),
    errors: ['RATE_LIMITED', 'SERVER_BUSY'],
  },
  pollDeviceLogin: {
    method: 'post',
    path: '/api/v1/device-logins/token',
    summary: 'Ask whether the login was approved; the token is answered once',
    action: 'site:visit',
    body: z.object({ deviceCode: noLongerThan(100) }),
    status: 200,
    ok: z.object({
      state: z.enum(['pending', 'slow-down', 'approved']),
      interval: z.int().nullable().meta({ description: 'seconds until the next question' }),
      secret: z.string().nullable().meta({ description: 'The token, once it is approved' }),
      person: z.string().nullable().meta({ description: 'Who approved it' }),
    }),
    errors: ['DEVICE_CODE_INVALID', 'DEVICE_LOGIN_REFUSED'],
  },
  findDeviceLogin: {
    method: 'post',
    path: '/api/v1/device-logins/find',
    summary: 'What a program that shows this code asks for',
    action: 'token:manage',
    body: z.object({ userCode: noLongerThan(40) }),
    status: 200,
    ok: z.object({
      userCode: z.string(),
      host: z.string(),
      remoteAddress: z.string(),
      scopes: z.array(Scope),
      expiresInDays: z.int().nullable(),
      createdAt: instant,
      expiresAt: instant,
    }),
    errors: ['DEVICE_CODE_INVALID', 'RATE_LIMITED'],
  },
  decideDeviceLogin: {
    method: 'post',
    path: '/api/v1/device-logins/decision',
    summary: 'Approve or refuse the login of the program that shows this code',
    action: 'token:manage',
    body: z.object({ userCode: noLongerThan(40), decision: z.enum(['approve', 'refuse']) }),
    status: 204,
    errors: ['DEVICE_CODE_INVALID', 'SCOPE_MISSING', 'RATE_LIMITED'],
  },
  listOrganisations: {
    method: 'get',
    path: '/api/v1/organisations',
    summary: 'Organisations',
    action: 'account:read',
    status: 200,
    ok: listOf(OrganisationView),
    errors: [],
  },
  createOrganisation: {
    method: 'post',
    path: '/api/v1/organisations',
    summary: 'Create an organisation, with oneself as its owner',
    action: 'organisation:create',
    body: z.object({ name, displayName: noLongerThan(100).optional() }),
    status: 201,
    ok: OrganisationView,
    errors: ['PERSON_EXISTS', 'NAME_INVALID', 'NAME_RESERVED'],
  },
  listOrganisationMembers: {
    method: 'get',
    path: '/api/v1/organisations/{owner}/members',
    summary: 'Who belongs to an organisation',
    action: 'organisation:read',
    params: z.object({ owner: name }),
    status: 200,
    ok: listOf(MemberView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  setOrganisationMember: {
    method: 'put',
    path: '/api/v1/organisations/{owner}/members/{name}',
    summary: 'Give a person a role in an organisation',
    action: 'organisation:manage',
    params: z.object({ owner: name, name }),
    body: z.object({ role: Role }),
    status: 200,
    ok: MemberView,
    errors: ['ORGANISATION_NOT_FOUND', 'PERSON_NOT_FOUND', 'LAST_OWNER'],
  },
  removeOrganisationMember: {
    method: 'delete',
    path: '/api/v1/organisations/{owner}/members/{name}',
    summary: 'Take a person out of an organisation',
    action: 'organisation:manage',
    params: z.object({ owner: name, name }),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'MEMBER_NOT_FOUND', 'LAST_OWNER'],
  },
  listAudit: {
    method: 'get',
    path: '/api/v1/audit',
    summary: 'The record of who changed rights, secrets and settings, newest first',
    action: 'site:administer',
    query: AuditQuery.extend({
      project: noLongerThan(130).optional().meta({ description: 'owner/name' }),
    }),
    status: 200,
    ok: listOf(AuditView).extend({
      isUnbroken: z.boolean().meta({
        description:
          'Whether every record that was followed so far follows from the one before; verifyAudit follows all',
      }),
      followedTo: z.int().meta({ description: 'The last record that the chain was followed to so far' }),
    }),
    errors: [],
  },
  verifyAudit: {
    method: 'get',
    path: '/api/v1/audit/chain',
    summary: 'Follow the chain of the record from its first entry to its last',
    action: 'site:administer',
    status: 200,
    ok: z.object({
      isUnbroken: z.boolean(),
      brokenAt: z.int().nullable().meta({ description: 'The first record that does not follow from the one before' }),
      records: z.int().meta({ description: 'How many records follow from each other' }),
      hash: z.string().meta({ description: 'Hash of the last of them: kept elsewhere, it proves the record later' }),
    }),
    errors: [],
  },
  listProjectAudit: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/audit',
    summary: 'Who changed rights, secrets and settings of a project, and who was refused; newest first',
    action: 'audit:read',
    params: z.object({ owner: name, project: name }),
    query: AuditQuery,
    status: 200,
    ok: listOf(AuditView.omit({ remoteAddress: true }).meta({ id: 'ProjectAuditEntry' })),
    errors: ['PROJECT_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;

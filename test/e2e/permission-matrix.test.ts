import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../../src/api/operation.ts';
import { type OperationId, operations } from '../../src/api/operations.ts';
import { type Action, actions, type Role, roles, type Scope, scopeLevels } from '../../src/core/permission.ts';
import type { Person } from '../../src/core/person.ts';
import type { Project } from '../../src/core/project.ts';
import { type Visibility, visibilities } from '../../src/core/visibility.ts';
import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import { accountsFeature, createPasswords } from '../../src/features/accounts/index.ts';
import { codeFeature } from '../../src/features/code/index.ts';
import type { RawRoute } from '../../src/features/feature.ts';
import { badgeRoutes } from '../../src/features/pipelines/badge/badge-routes.ts';
import { logRoutes } from '../../src/features/pipelines/logs/log-routes.ts';
import { webhooksFeature } from '../../src/features/webhooks/index.ts';
import { AddressGuard } from '../../src/lib/address-guard.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { systemTimers } from '../../src/lib/timers.ts';
import { basic, bearer, cookie, HandLogBus, openServerWorld, type ServerWorld } from '../support/server-world.ts';

/**
 * Every route × every way to sign in × every role × every visibility × every kind of scope. Behind each route stands a
 * probe, so that an answer tells what the shell decided; what it should decide is computed here, from the table of
 * actions alone and by other code than the product's.
 */

interface Route {
  readonly name: string;
  readonly method: string;
  /** With `$project` and `$team` for what the matrix puts there. */
  readonly path: string;
  readonly body?: unknown;
  readonly action: Action;
  readonly isGit: boolean;
}

/** A valid body for every operation that takes one, so that nothing but permission decides. */
const bodies: { readonly [Id in OperationId]?: unknown } = {
  setUp: { key: 'x', name: 'x', password: 'x' },
  signIn: { name: 'x', password: 'x' },
  updateMe: {},
  createToken: { name: 'x', scopes: ['*'] },
  createPerson: { name: 'x', password: 'x' },
  updatePerson: {},
  usePasswordLink: { key: 'x', password: 'x' },
  startDeviceLogin: { host: 'x' },
  pollDeviceLogin: { deviceCode: 'x' },
  findDeviceLogin: { userCode: 'x' },
  decideDeviceLogin: { userCode: 'x', decision: 'approve' },
  createOrganisation: { name: 'x' },
  setOrganisationMember: { role: 'read' },
  createProject: { owner: 'team', name: 'x' },
  updateProject: {},
  commitFiles: { branch: 'main', base: null, message: 'x', files: [{ path: 'x', text: 'x' }] },
  setMember: { role: 'read' },
  setSecret: { value: 'x' },
  setOrganisationSecret: { value: 'x' },
  setRegistry: { username: 'x', password: 'x' },
  setOrganisationRegistry: { username: 'x', password: 'x' },
  setGitLogin: { username: 'x', password: 'x' },
  setOrganisationGitLogin: { username: 'x', password: 'x' },
  signPipelineFile: { text: 'x' },
  encryptValue: { value: 'x' },
  setImportedKey: { key: 'k'.repeat(32) },
  openPullRequest: { sourceBranch: 'x' },
  updatePullRequest: {},
  decideApproval: { decision: 'approve', head: '0'.repeat(40), configuration: '0'.repeat(64) },
  updatePipelineSettings: {},
  setVariable: { value: 'x' },
  setOrganisationVariable: { value: 'x' },
  startPipeline: {},
  promotePipeline: { target: 'production' },
  rerunPipeline: {},
  createCron: { name: 'x', expression: '@daily' },
  updateCron: {},
  previewCron: { expression: '@daily' },
  createWebhook: { url: 'https://example.org/hook' },
  updateWebhook: {},
  createOrganisationWebhook: { url: 'https://example.org/hook' },
  updateOrganisationWebhook: {},
  createIncomingWebhook: { name: 'x' },
  updateIncomingWebhook: {},
  lintPipelineFile: { text: '' },
  previewPipeline: { files: [{ path: '.gantry.yml', text: '' }] },
};

const queries: { readonly [Id in OperationId]?: string } = { getFile: '?path=README.md' };

const operationRoutes: readonly Route[] = (Object.entries(operations) as [OperationId, Operation][]).map(
  ([id, operation]) => ({
    name: id,
    method: operation.method.toUpperCase(),
    path:
      operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
        if (name === 'project') return '$project';
        if (name === 'owner') return operation.path.includes('{project}') ? 'shop' : 'team';
        // Whatever its schema takes: a name, or else a number.
        return operation.params?.shape[name]?.safeParse('x').success === false ? '1' : 'x';
      }) + (queries[id] ?? ''),
    body: operation.body ? bodies[id] : undefined,
    action: operation.action,
    isGit: false,
  }),
);

type Verdict = 'reached' | 'sign-in' | 'forbidden' | 'hidden' | 'archived';

interface Asker {
  readonly name: string;
  readonly person?: Person;
  readonly role: Role | undefined;
  readonly isSiteAdmin: boolean;
}

interface Credential {
  readonly name: string;
  readonly transport: 'session' | 'bearer' | 'basic' | 'none';
  /** `undefined` = everything its person may do. */
  readonly scope: Scope | undefined;
  readonly limitedTo: 'all' | 'this' | 'another';
}

/** The verdict, from the table of actions. */
function expectedVerdict(action: Action, asker: Asker, credential: Credential, visibility: Visibility): Verdict {
  const rule: { on: string; scope: string; role?: Role } = actions[action];
  const isStranger = credential.transport === 'none';
  const [resource, level] = rule.scope.split(':') as [string, (typeof scopeLevels)[number]];
  const [hasResource, hasLevel] = (credential.scope ?? '*').split(':') as [string, (typeof scopeLevels)[number]];
  const hasScope =
    credential.scope === undefined ||
    (hasResource === resource && scopeLevels.indexOf(hasLevel) >= scopeLevels.indexOf(level));
  const rank = asker.isSiteAdmin ? roles.length : asker.role === undefined ? -1 : roles.indexOf(asker.role);
  const needed = roles.indexOf(rule.role ?? 'read');

  if (rule.on === 'anyone') return 'reached';
  if (rule.on === 'project') {
    const sees = visibility === 'public' || (!isStranger && (visibility === 'internal' || rank >= 0));
    if (!sees || credential.limitedTo === 'another') return 'hidden';
    if (isStranger) return needed === 0 ? 'reached' : 'sign-in';
    return hasScope && Math.max(rank, 0) >= needed ? 'reached' : 'forbidden';
  }
  if (isStranger) return 'sign-in';
  if (!hasScope || credential.limitedTo !== 'all') return 'forbidden';
  if (rule.on === 'site') return asker.isSiteAdmin ? 'reached' : 'forbidden';
  if (rule.on === 'owner') return rank >= needed ? 'reached' : 'forbidden';
  return 'reached';
}

/** Git clients are asked for a password where a person with one might see more. */
function statusFor(verdict: Verdict, route: Route, isStranger: boolean): number {
  switch (verdict) {
    case 'reached':
      return 503;
    case 'sign-in':
      return 401;
    case 'forbidden':
      return 403;
    case 'hidden':
      return route.isGit && isStranger ? 401 : 404;
    case 'archived':
      return 422;
  }
}

let world: ServerWorld;
let folder: string;
let routes: readonly Route[];
const askers: Asker[] = [];
const secrets = new Map<string, string>();
const projects = new Map<string, Project>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-matrix-'));
  // The real routes with their real policies; only what they would do is left out.
  const real = await openServerWorld();
  const deps = {
    unitOfWork: real.store,
    happenings: real.store.happenings,
    clock: real.clock,
    logger: silentLogger,
    dataFolder: folder,
    publicUrl: () => '',
  };
  const logs = { store: real.store, logs: new FilesystemLogs(join(folder, 'logs')), logBus: new HandLogBus() };
  const accounts = { store: real.store, clock: real.clock, passwords: createPasswords(), publicUrl: '', version: '' };
  const noSealing = (): never => {
    throw new TypeError('Nothing is sealed here');
  };
  const webhooks = {
    store: real.store,
    happenings: real.store.happenings,
    repository: { resolve: () => Promise.resolve(undefined) },
    sealer: { seal: noSealing, open: noSealing },
    planNow: () => Promise.resolve({ pipeline: undefined }),
    clock: real.clock,
    timers: systemTimers,
    logger: silentLogger,
    publicUrl: () => '',
    guard: new AddressGuard(),
  };
  const rawRoutes = [
    ...(codeFeature(deps).routes ?? []),
    ...logRoutes(logs),
    ...badgeRoutes({ store: real.store }),
    ...(accountsFeature(accounts).routes ?? []),
    ...(webhooksFeature(webhooks).routes ?? []),
  ];
  await real.close();
  world = await openServerWorld({
    isProbeOnly: true,
    routes: rawRoutes.map((route) => ({ ...route, handle: () => new Response('reached', { status: 503 }) })),
  });
  routes = [...operationRoutes, ...rawRoutes.flatMap(describeRaw)];

  const team = await world.organisation('team');
  await world.organisation('shop');
  for (const visibility of visibilities)
    projects.set(visibility, await world.project('shop', visibility, { visibility }));
  const another = await world.project('shop', 'another');
  const make = async (name: string, role: Role | undefined, isSiteAdmin = false): Promise<void> => {
    const person = await world.person(name, { isSiteAdmin });
    for (const project of projects.values()) await world.setRole(project, person, role);
    if (role) await world.store.write((stores) => stores.organisations.setRole(team, person.id, role));
    askers.push({ name, person, role, isSiteAdmin });
  };
  await make('foreigner', undefined);
  for (const role of roles) await make(role, role);
  await make('root', undefined, true);
  projects.set('another', another);
});

afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The routes of git and logs at an address, and what each of them needs. */
function describeRaw(route: RawRoute): Route[] {
  const isGit = route.path.includes('.git');
  const at = (query = ''): string =>
    route.path
      .replace(/\{.*?\}(?=\/|$)/g, '')
      .replace(':owner', 'shop')
      .replace(':project', isGit ? '$project.git' : '$project')
      .replace(/:\w+/g, '1')
      .replace('*', 'HEAD') + query;
  return (route.path.endsWith('/info/refs') ? ['?service=git-upload-pack', '?service=git-receive-pack'] : ['']).map(
    (query) => {
      const url = new URL(`http://gantry.test${at(query)}`);
      const { action } = route.policy({ params: { owner: 'shop', project: 'x.git' }, url });
      return {
        name: `${route.method} ${route.path}${query}`,
        method: route.method,
        path: at(query),
        action,
        isGit: route.challenge === 'basic',
      };
    },
  );
}

async function secretOf(
  person: Person,
  { transport, scope, limitedTo }: Credential,
  visibility: Visibility,
): Promise<string> {
  const limit = limitedTo === 'all' ? undefined : limitedTo === 'this' ? visibility : limitedTo;
  const key = [person.id, transport === 'session', scope, limit].join();
  let secret = secrets.get(key);
  if (secret === undefined) {
    secret =
      transport === 'session'
        ? await world.session(person)
        : await world.token(person, [scope ?? '*'], limit === undefined ? undefined : [projects.get(limit)!]);
    secrets.set(key, secret);
  }
  return secret;
}

async function headersFor(
  asker: Asker,
  credential: Credential,
  visibility: Visibility,
): Promise<Record<string, string>> {
  if (credential.transport === 'none' || !asker.person) return {};
  const secret = await secretOf(asker.person, credential, visibility);
  switch (credential.transport) {
    case 'session':
      return cookie(secret);
    case 'bearer':
      return bearer(secret);
    case 'basic':
      return basic(secret, asker.name);
  }
}

function ask(route: Route, visibility: string, headers: Record<string, string>): Promise<Response> {
  return world.request(route.path.replace('$project', visibility), {
    method: route.method,
    ...(route.body === undefined ? {} : { body: JSON.stringify(route.body) }),
    headers: { ...headers, ...(route.body === undefined ? {} : { 'Content-Type': 'application/json' }) },
  });
}

/** Everything, exactly what is needed, one level less, everything of another resource; and limits to projects. */
function credentialsFor(action: Action): Credential[] {
  const needed = actions[action].scope;
  const [resource, level] = needed.split(':') as [string, (typeof scopeLevels)[number]];
  const lower = scopeLevels[scopeLevels.indexOf(level) - 1];
  const scopes: (Scope | undefined)[] = [
    undefined,
    needed,
    ...(lower ? [`${resource}:${lower}` as Scope] : []),
    resource === 'project' ? 'code:admin' : 'project:admin',
  ];
  const transports = ['bearer', 'basic'] as const;
  return [
    { name: 'session', transport: 'session', scope: undefined, limitedTo: 'all' },
    ...transports.flatMap((transport) => [
      ...scopes.map((scope): Credential => ({ name: `${transport} ${scope}`, transport, scope, limitedTo: 'all' })),
      { name: `${transport} for this project`, transport, scope: undefined, limitedTo: 'this' } as const,
      { name: `${transport} for another project`, transport, scope: undefined, limitedTo: 'another' } as const,
    ]),
  ];
}

describe('every route', () => {
  it('has a valid body here when it takes one', () => {
    for (const [id, operation] of Object.entries(operations) as [OperationId, Operation][])
      if (operation.body) expect(operation.body.safeParse(bodies[id]).success, id).toBe(true);
  });

  it('decides by the table of actions, whoever asks and however they sign in', async () => {
    const wrong: string[] = [];
    let asked = 0;
    for (const route of routes) {
      for (const visibility of visibilities) {
        const cases: (readonly [Asker, Credential])[] = [
          [
            { name: 'stranger', role: undefined, isSiteAdmin: false },
            { name: 'nothing', transport: 'none', scope: undefined, limitedTo: 'all' },
          ],
          ...askers.flatMap((asker) => credentialsFor(route.action).map((credential) => [asker, credential] as const)),
        ];
        for (const [asker, credential] of cases) {
          const response = await ask(route, visibility, await headersFor(asker, credential, visibility));
          asked += 1;
          const verdict = expectedVerdict(route.action, asker, credential, visibility);
          const expected = statusFor(verdict, route, credential.transport === 'none');
          if (response.status !== expected)
            wrong.push(
              `${route.name} on ${visibility} by ${asker.name} with ${credential.name}: ${response.status}, not ${expected}`,
            );
        }
        // Buckets are for people, not for matrices.
        world.clock.advance(500);
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(asked).toBeGreaterThan(10_000);
  }, 300_000);

  it('answers strangers and foreigners the same, whether a private project is there or not', async () => {
    const foreigner = askers.find(({ name }) => name === 'foreigner')!;
    const all: Credential = { name: 'bearer', transport: 'bearer', scope: undefined, limitedTo: 'all' };
    for (const route of routes.filter(({ path }) => path.includes('$project'))) {
      for (const headers of [{}, await headersFor(foreigner, all, 'private')]) {
        const [hidden, missing] = await Promise.all([ask(route, 'private', headers), ask(route, 'missing', headers)]);
        const text = async (response: Response): Promise<string> =>
          (await response.text()).replaceAll(/private|missing/g, '…').replace(/req_\w+/g, 'req');
        expect(hidden!.status, route.name).toBe(missing!.status);
        expect(await text(hidden!), route.name).toBe(await text(missing!));
      }
    }
  });

  it.each([
    ';x',
    ';.json',
    '/',
    '/.',
    '//',
    '%2f',
    '%2F..',
    '%5c',
    '%00',
    '%0d%0a',
    '%252f',
    '.json',
    '/%2e%2e',
    '?jsp=/api/v1/instance;.json',
  ])('opens to nobody by adding %s to its path', async (suffix) => {
    const before = world.reached.length;
    const closed = routes.filter(({ action, path }) => actions[action].on !== 'anyone' && !path.includes('?'));
    for (const route of closed) {
      const path = route.path.replace('$project', 'private') + suffix;
      const raw = { incoming: { url: path, socket: { remoteAddress: '192.0.2.1' } } };
      const { status } = await world.app.request(`http://gantry.test${path}`, { method: route.method }, raw);
      expect([400, 401, 404], `${route.method} ${path}`).toContain(status);
    }
    world.clock.advance(10_000);
    expect(world.reached.slice(before)).toEqual([]);
  });

  it('that changes something is refused to pages of other sites, for every credential a browser sends on its own', async () => {
    const root = askers.find(({ isSiteAdmin }) => isSiteAdmin)!;
    const unsafe = routes.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
    for (const route of unsafe) {
      for (const transport of ['session', 'basic', 'none'] as const) {
        const credential: Credential = { name: transport, transport, scope: undefined, limitedTo: 'all' };
        const headers = await headersFor(root, credential, 'private');
        for (const foreign of [
          { Origin: 'https://evil.example' },
          { Origin: 'null' },
          { 'Sec-Fetch-Site': 'cross-site' },
        ])
          expect(
            (await ask(route, 'private', { ...headers, ...(foreign as Record<string, string>) })).status,
            route.name,
          ).toBe(403);
      }
      world.clock.advance(1_000);
    }
  });

  it('changes nothing by GET: what changes is POST, PUT, PATCH or DELETE', () => {
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      // A page of references for a push is read by GET, under the right to push.
      if (route.path.includes('service=git-receive-pack')) continue;
      expect(route.action, route.name).toMatch(/:(read|list|visit|administer)$/);
    }
  });
});

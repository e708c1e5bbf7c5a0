import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import type { Person } from '../../core/person.ts';
import type { Project } from '../../core/project.ts';

let world: ServerWorld;
let mei: Person;
let web: Project;
let headers: Record<string, string>;

beforeEach(async () => {
  world = await openServerWorld();
  mei = await world.person('mei');
  web = await world.project('mei', 'web');
  headers = bearer(await world.token(mei));
});
afterEach(() => world.close());

function send(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Response> {
  return world.request(`/api/v1/${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers, ...more },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe('settings of pipelines', () => {
  const path = 'projects/mei/web/pipeline-settings';

  it('let only a site admin say what steps may have of their hosts, and write down who did', async () => {
    for (const change of [{ trusts: ['security'] }, { forbidsSandbox: true }]) {
      const refused = await send('PATCH', path, change);
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({
        code: 'ACCESS_DENIED',
        detail: expect.stringMatching(/only a site admin/) as string,
      });
    }
    // What stays as it is may be sent by whoever may change the others.
    expect((await send('PATCH', path, { trusts: [], forbidsSandbox: false, unavailable: 'skip' })).status).toBe(200);
    headers = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
    const changed = await send('PATCH', path, { trusts: ['volumes', 'security'], forbidsSandbox: true });
    expect(await changed.json()).toMatchObject({
      trusts: ['volumes', 'security'],
      forbidsSandbox: true,
      unavailable: 'skip',
    });
    const [entry] = await world.store.read.audit.list({ limit: 1 });
    expect(entry).toMatchObject({
      actor: 'root',
      details: { trusts: { before: [], after: ['volumes', 'security'] } },
    });
  });

  it('are read, changed one by one and recorded with what they were', async () => {
    expect(await (await send('GET', path)).json()).toEqual({
      path: null,
      disabledEvents: [],
      supersedingEvents: [],
      evaluatesDronePaths: false,
      toleratesFilteredSteps: false,
      ignoresCaches: false,
      runsBuildersAsContainers: false,
      stepTimeoutMs: 3_600_000,
      timeoutMs: null,
      promotionRules: [],
      pullRequestApproval: 'outsiders',
      ignoresForks: false,
      usesTargetFile: false,
      requiresSignature: false,
      unavailable: 'wait',
      trusts: [],
      forbidsSandbox: false,
    });
    await send('PATCH', path, { path: 'ci/build.yml', timeoutMs: 7_200_000, stepTimeoutMs: 60_000 });
    const promotionRules = [{ target: 'prod*', role: 'admin' }];
    const response = await send('PATCH', path, { disabledEvents: ['tag', 'tag'], promotionRules, timeoutMs: null });
    expect(await response.json()).toMatchObject({
      path: 'ci/build.yml',
      disabledEvents: ['tag'],
      stepTimeoutMs: 60_000,
      timeoutMs: null,
      promotionRules,
    });
    expect(await (await send('PATCH', path, { path: null })).json()).toMatchObject({ path: null });
    const audit = await world.store.read.audit.list({ limit: 2 });
    expect(audit.map(({ action, details }) => [action, details])).toEqual([
      ['project:configure', { path: { before: 'ci/build.yml', after: null } }],
      [
        'project:configure',
        {
          disabledEvents: { before: [], after: ['tag'] },
          timeoutMs: { before: 7_200_000, after: null },
          promotionRules: { before: [], after: promotionRules },
        },
      ],
    ]);
  });

  it.each([
    { path: '/ci.yml' },
    { path: '../ci.yml' },
    { path: 'ci//build.yml' },
    { path: 'ci' },
    { path: 'a\\b.yml' },
    { path: '' },
    { timeoutMs: 1 },
    { disabledEvents: ['lunch'] },
    { supersedingEvents: ['promote'] },
    { promotionRules: [{ target: '[x', role: 'admin' }] },
    { promotionRules: [{ target: 'x', role: 'king' }] },
  ])('are not %o', async (body) => {
    expect((await send('PATCH', path, body)).status).toBe(400);
    expect((await world.store.read.projects.find(web.id))?.pipelines.path).toBeUndefined();
  });

  it('are not changed over those that somebody else has changed meanwhile', async () => {
    const etag = (await send('GET', path)).headers.get('etag') ?? '';
    expect((await send('PATCH', path, { path: 'a.yml' }, { 'If-Match': etag })).status).toBe(200);
    expect((await send('PATCH', path, { path: 'b.yml' }, { 'If-Match': etag })).status).toBe(412);
  });

  it('are an admin’s to change and everybody’s to read', async () => {
    const li = await world.person('li');
    await world.setRole(web, li, 'maintain');
    headers = bearer(await world.token(li));
    expect((await send('GET', path)).status).toBe(200);
    expect((await send('PATCH', path, { path: 'a.yml' })).status).toBe(403);
  });
});

describe('variables', () => {
  const path = 'projects/mei/web/variables';

  it('are set, listed with their values and removed, each with its entry in the audit log', async () => {
    expect((await send('PUT', `${path}/REGION`, { value: 'cn' })).status).toBe(200);
    expect((await send('PUT', `${path}/REGION`, { value: 'eu' })).status).toBe(200);
    expect(await (await send('GET', path)).json()).toMatchObject({
      items: [{ name: 'REGION', value: 'eu', updatedBy: 'mei' }],
    });
    expect((await send('DELETE', `${path}/REGION`)).status).toBe(204);
    expect((await send('DELETE', `${path}/REGION`)).status).toBe(404);
    const audit = await world.store.read.audit.list({ limit: 3 });
    expect(audit.map(({ action, details }) => [action, details])).toEqual([
      ['variable:remove', { name: 'REGION' }],
      ['variable:set', { name: 'REGION', old: 'cn', new: 'eu' }],
      ['variable:set', { name: 'REGION', old: null, new: 'cn' }],
    ]);
  });

  it.each(['1X', 'a-b', 'DRONE_BRANCH', 'CI', 'ci_commit_sha', 'GANTRY_REF', 'x'.repeat(101)])(
    'are not named %s',
    async (name) => {
      expect((await send('PUT', `${path}/${name}`, { value: 'x' })).status).toBe(400);
    },
  );

  it('are not more than a hundred, and none holds a NUL', async () => {
    const holder = { kind: 'project', id: web.id } as const;
    await world.store.write(async ({ variables }) => {
      for (let at = 0; at < 100; at += 1)
        await variables.set(holder, { name: `V${at}`, value: '', updatedAt: world.clock.now(), updatedBy: 'mei' });
    });
    expect((await send('PUT', `${path}/V100`, { value: 'x' })).status).toBe(400);
    expect((await send('PUT', `${path}/V99`, { value: 'x' })).status).toBe(200);
    expect((await send('PUT', `${path}/V99`, { value: 'a\0b' })).status).toBe(400);
  });

  it('of an organisation count for its projects', async () => {
    const team = await world.organisation('team');
    await world.store.write(({ organisations }) => organisations.setRole(team, mei.id, 'maintain'));
    const site = await world.project('team', 'site');
    expect((await send('PUT', 'organisations/team/variables/REGION', { value: 'cn' })).status).toBe(200);
    expect(await world.store.read.variables.valuesFor(site.id)).toEqual({ REGION: 'cn' });
    expect((await send('PUT', 'organisations/mei/variables/REGION', { value: 'cn' })).status).toBe(404);
  });
});

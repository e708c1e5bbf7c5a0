import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  basic,
  bearer,
  cookie,
  heldClock,
  jsonBody,
  openServerWorld,
  type ServerWorld,
} from '../../test/support/server-world.ts';
import type { Actor } from '../core/permission.ts';
import type { Person } from '../core/person.ts';
import type { RawRoute } from '../features/feature.ts';
import { silentLogger } from '../lib/logger.ts';
import { RefusalRecord } from './refusal-record.ts';

let world: ServerWorld;
let record: RefusalRecord;

beforeEach(async () => {
  world = await openServerWorld({ clock: heldClock() });
  record = new RefusalRecord({ store: world.store, clock: world.clock, logger: silentLogger });
});
afterEach(async () => {
  await record.close();
  await world.close();
});

const actorOf = (person: Person): Actor => ({
  kind: 'person',
  person,
  via: 'token',
  credentialId: 'tok_1',
  scopes: ['*'],
});

function refuse(actor: Actor, subject = 'shop/web', remoteAddress = '192.0.2.7'): Promise<void> {
  return record.note({
    actor,
    action: 'secret:write:refused',
    subject,
    remoteAddress,
    requestId: 'req_1',
    details: { code: 'ACCESS_DENIED' },
  });
}

async function written() {
  const entries = await world.store.read.audit.list({ limit: 500 });
  return entries
    .toReversed()
    .map(({ actor, action, subject, details }) => ({ what: `${actor} ${action} ${subject}`, ...details }));
}

describe('RefusalRecord', () => {
  it('writes the first at once, counts the same within a minute, and writes the count after it', async () => {
    const eve = actorOf(await world.person('eve'));
    for (let i = 0; i < 40; i += 1) await refuse(eve);
    await refuse(eve, 'shop/api');
    expect(await written()).toEqual([
      { what: 'eve secret:write:refused shop/web', code: 'ACCESS_DENIED' },
      { what: 'eve secret:write:refused shop/api', code: 'ACCESS_DENIED' },
    ]);
    world.clock.advance(59_999);
    await record.flush();
    expect(await written()).toHaveLength(2);
    world.clock.advance(1);
    await record.flush();
    expect((await written()).slice(2)).toEqual([
      {
        what: 'eve secret:write:refused shop/web',
        code: 'ACCESS_DENIED',
        repeated: 39,
        since: '2026-11-25T12:00:00.000Z',
      },
    ]);
    await refuse(eve);
    expect(await written()).toHaveLength(4);
    expect(await world.store.read.audit.verify()).toBeUndefined();
  });

  it('lets nobody fill the disk: what is too much is told as one number', async () => {
    const eve = actorOf(await world.person('eve'));
    const mei = actorOf(await world.person('mei'));
    for (let i = 0; i < 500; i += 1) await refuse(eve, `shop/guess-${i}`);
    expect(await written()).toHaveLength(30);
    // Another person's refusals are still seen.
    await refuse(mei);
    expect((await written()).at(-1)).toMatchObject({ what: 'mei secret:write:refused shop/web' });
    world.clock.advance(60_000);
    await record.flush();
    expect((await written()).at(-1)).toEqual({ what: 'system refusals:suppressed site', count: 470, actors: ['eve'] });
    expect(await written()).toHaveLength(32);
  });

  it('bounds all strangers together, whatever names they type and from wherever, and signed-in people apart', async () => {
    const stranger: Actor = { kind: 'anonymous' };
    for (let network = 0; network < 30; network += 1)
      for (let i = 0; i < 20; i += 1) await refuse(stranger, `person:${i}`, `198.51.100.${network}`);
    expect(await written()).toHaveLength(300);
    await refuse(actorOf(await world.person('mei')));
    expect(await written()).toHaveLength(301);
    await refuse(stranger, 'x'.repeat(5_000), '203.0.113.1');
    for (const { subject } of await world.store.read.audit.list({ limit: 500 }))
      expect(subject.length).toBeLessThanOrEqual(200);
  });

  it('loses no count when the server stops', async () => {
    const eve = actorOf(await world.person('eve'));
    await refuse(eve);
    await refuse(eve);
    await record.close();
    expect((await written()).at(-1)).toMatchObject({ repeated: 1 });
  });
});

describe('the server', () => {
  const set = (path: string, body: unknown, headers: Record<string, string>, method = 'PUT') =>
    world.request(path, {
      method,
      body: jsonBody(body).body as string,
      headers: { ...headers, 'Content-Type': 'application/json' },
    });

  it('records what a signed-in person or a token is refused, under the project that it is about', async () => {
    await world.organisation('shop');
    const web = await world.project('shop', 'web');
    const eve = await world.person('eve');
    const li = await world.person('li');
    await world.setRole(web, li, 'write');
    const asEve = cookie(await world.session(eve));
    const asLi = bearer(await world.token(li, ['code:read']));

    expect((await set('/api/v1/projects/shop/web/secrets/key', { value: 's3cr3t-value' }, asEve)).status).toBe(404);
    expect((await set('/api/v1/projects/shop/web/secrets/key', { value: 's3cr3t-value' }, asLi)).status).toBe(403);
    expect((await set('/api/v1/people/eve', { isSiteAdmin: true }, asEve, 'PATCH')).status).toBe(403);
    expect((await world.request('/api/v1/me/tokens/tok_of_another', { method: 'DELETE', headers: asEve })).status).toBe(
      404,
    );
    const entries = (await world.store.read.audit.list({ limit: 10 })).toReversed();
    expect(entries.map(({ actor, action, subject }) => `${actor} ${action} ${subject}`).slice(-4)).toEqual([
      'eve secret:write:refused shop/web',
      'li secret:write:refused shop/web',
      'eve site:administer:refused person:eve',
      'eve token:manage:refused person:eve',
    ]);
    expect(entries.at(-3)).toMatchObject({
      projectId: web.id,
      remoteAddress: '192.0.2.1',
      details: { code: 'SCOPE_MISSING', operation: 'setSecret', via: 'token', params: { name: 'key' } },
    });
    expect(JSON.stringify(entries)).not.toContain('s3cr3t-value');
    expect(await world.store.read.audit.verify()).toBeUndefined();
  });

  it('records a refused push, and no refused fetch', async () => {
    const route = (path: string, action: 'code:read' | 'code:write'): RawRoute => ({
      method: 'GET',
      path: `/:owner/:project/${path}`,
      summary: path,
      challenge: 'basic',
      policy: ({ params }) => ({
        action,
        resource: { on: 'project', owner: params['owner'] ?? '', name: params['project'] ?? '' },
      }),
      handle: () => new Response('reached'),
    });
    const git = await openServerWorld({ routes: [route('fetch', 'code:read'), route('push', 'code:write')] });
    onTestFinished(() => git.close());
    await git.organisation('shop');
    const web = await git.project('shop', 'web');
    const li = await git.person('li');
    await git.setRole(web, li, 'read');
    const asLi = basic(await git.token(li));
    const asEve = basic(await git.token(await git.person('eve')));
    for (const headers of [asLi, asEve, {}])
      for (const path of ['fetch', 'push']) await git.request(`/shop/web/${path}`, { headers });
    const refused = (await git.store.read.audit.list({ limit: 10, isRefused: true })).toReversed();
    expect(refused.map(({ actor, action, subject }) => `${actor} ${action} ${subject}`)).toEqual([
      'li code:write:refused shop/web',
      'eve code:write:refused shop/web',
    ]);
    expect(refused[0]).toMatchObject({ projectId: web.id, details: { route: 'GET /:owner/:project/push' } });
  });

  it('records nothing of reading, and nothing of strangers', async () => {
    await world.organisation('shop');
    await world.project('shop', 'web');
    const eve = await world.person('eve');
    const before = (await world.store.read.audit.list({ limit: 100 })).length;
    const asEve = bearer(await world.token(eve));
    const made = (await world.store.read.audit.list({ limit: 100 })).length;
    expect(made).toBe(before + 1);
    expect((await world.request('/api/v1/projects/shop/web', { headers: asEve })).status).toBe(404);
    expect((await set('/api/v1/projects/shop/web/secrets/key', { value: 'x' }, {})).status).toBe(404);
    expect(await world.store.read.audit.list({ limit: 100 })).toHaveLength(made);
  });

  it('refuses all the same when the refusal cannot be recorded', async () => {
    const eve = await world.person('eve');
    const asEve = cookie(await world.session(eve));
    expect((await world.request('/api/v1/me', { headers: asEve })).status).toBe(200);
    await record.close();
    const broken = new RefusalRecord({
      store: { ...world.store, write: () => Promise.reject(new Error('disk full')) },
      clock: world.clock,
      logger: silentLogger,
    });
    await expect(
      broken.note({
        actor: actorOf(eve),
        action: 'secret:write:refused',
        subject: 'shop/web',
        remoteAddress: '::1',
        requestId: 'r',
        details: {},
      }),
    ).resolves.toBeUndefined();
    await broken.close();
  });
});

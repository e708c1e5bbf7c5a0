import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';

let world: ServerWorld;
let admin: Record<string, string>;
const password = 'correct horse battery';

beforeEach(async () => {
  world = await openServerWorld();
  admin = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
});
afterEach(() => world.close());

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await world.request(`/api/v1${path}`, {
    method,
    ...(body === undefined ? {} : { body: jsonBody(body).body as string }),
    headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
  });
  const text = await response.text();
  const session = /^gantry=([^;]+)/.exec(response.headers.get('set-cookie') ?? '')?.[1];
  return { status: response.status, session, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}

const keyOf = (link: unknown): string => new URL((link as { url: string }).url).hash.slice(1);
const choose = (key: string, word = password) => send('POST', '/password-links', { key, password: word });

describe('a one-time link', () => {
  it('lets a new person choose a password that nobody else knows, and signs them in, once', async () => {
    const made = await send('POST', '/people', { name: 'mei' }, admin);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: 'mei',
      link: { url: expect.stringMatching(/^http:\/\/gantry\.test\/welcome\?name=mei#\w{43}$/) },
    });
    const key = keyOf(made.body['link']);
    expect((await send('POST', '/session', { name: 'mei', password: '-' })).status).toBe(401);

    expect((await choose(key, 'short')).body).toMatchObject({ code: 'PASSWORD_WEAK' });
    const chosen = await choose(key);
    expect(chosen.status).toBe(201);
    expect((await send('GET', '/me', undefined, cookie(chosen.session!))).body).toMatchObject({ name: 'mei' });
    expect((await send('POST', '/session', { name: 'mei', password })).status).toBe(201);
    expect((await choose(key, 'another password')).body).toMatchObject({ code: 'PASSWORD_LINK_INVALID' });
    const record = (await world.store.read.audit.list({ limit: 10 })).map((one) => `${one.action} ${one.subject}`);
    expect(record).toEqual([
      'password:choose:refused site',
      'sign-in:accepted person:mei',
      'password:choose person:mei',
      'sign-in:refused person:mei',
      'person:create person:mei',
      'token:create person:root',
    ]);
  });

  it('is used by one of two who try at once', async () => {
    const key = keyOf((await send('POST', '/people', { name: 'mei' }, admin)).body['link']);
    const both = await Promise.all([choose(key, 'the first password'), choose(key, 'the other password')]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403]);
  });

  it('replaces a lost password, ends sessions, and is replaced by the next link', async () => {
    const mei = await world.person('mei', { password });
    const session = cookie(await world.session(mei));
    const first = await send('POST', '/people/mei/password-link', undefined, admin);
    const second = await send('POST', '/people/mei/password-link', undefined, admin);
    expect((await choose(keyOf(first.body))).body).toMatchObject({ code: 'PASSWORD_LINK_INVALID' });
    expect((await send('GET', '/me', undefined, session)).status).toBe(200);
    expect((await choose(keyOf(second.body), 'something longer')).status).toBe(201);
    expect((await send('GET', '/me', undefined, session)).status).toBe(401);
    expect((await send('POST', '/session', { name: 'mei', password })).status).toBe(401);
  });

  it('opens nothing after three days, for a disabled account, or once an admin set a password', async () => {
    const link = async (name: string) => keyOf((await send('POST', '/people', { name }, admin)).body['link']);
    const [late, disabled, set] = [await link('late'), await link('disabled'), await link('set')];
    await send('PATCH', '/people/disabled', { isDisabled: true }, admin);
    await send('PATCH', '/people/disabled', { isDisabled: false }, admin);
    await send('PATCH', '/people/set', { password }, admin);
    for (const key of [disabled, set, 'guessed'])
      expect((await choose(key)).body).toMatchObject({ code: 'PASSWORD_LINK_INVALID' });
    const refused = await world.store.read.audit.list({ limit: 1, isRefused: true });
    expect(refused).toMatchObject([{ actor: 'anonymous', action: 'password:choose:refused', subject: 'site' }]);
    world.clock.advance(3 * 24 * 3_600_000);
    expect((await choose(late)).body).toMatchObject({ code: 'PASSWORD_LINK_INVALID' });
  });

  it('is drawn by site admins alone', async () => {
    const eve = bearer(await world.token(await world.person('eve')));
    expect((await send('POST', '/people/root/password-link', undefined, eve)).status).toBe(403);
    expect((await send('POST', '/people/nobody/password-link', undefined, admin)).body).toMatchObject({
      code: 'PERSON_NOT_FOUND',
    });
  });
});

describe('people', () => {
  it('are seen from their first sign-in on', async () => {
    await world.person('mei', { password });
    await send('POST', '/session', { name: 'mei', password });
    expect((await world.store.read.people.findByName('mei'))?.lastSeenAt).toEqual(world.clock.now());
  });

  it('show to site admins and to themselves when they were last seen', async () => {
    const mei = await world.person('mei');
    const session = cookie(await world.session(mei));
    world.clock.advance(3_600_000);
    await send('GET', '/me', undefined, session);
    await world.store.write(async () => {});
    world.clock.advance(10_000);
    const seenBy = async (headers: Record<string, string>) => {
      const { items } = (await send('GET', '/people', undefined, headers)).body as { items: Record<string, unknown>[] };
      return items.find(({ name }) => name === 'mei')!['lastSeenAt'];
    };
    expect(await seenBy(admin)).toBe('2026-11-25T13:00:00.000Z');
    expect(await seenBy(session)).toBe('2026-11-25T13:00:00.000Z');
    expect(await seenBy(bearer(await world.token(await world.person('eve'))))).toBeNull();
  });
});

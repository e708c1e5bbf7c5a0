import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  bearer,
  cookie,
  heldClock,
  jsonBody,
  openServerWorld,
  type ServerWorld,
} from '../../../test/support/server-world.ts';
import { createFirstAdmin, createPasswords, ensureSetupKey } from './index.ts';

let world: ServerWorld;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-accounts-'));
  world = await openServerWorld();
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

type Answer = Record<string, unknown> & { readonly items: readonly Record<string, unknown>[] };

async function send(
  method: string,
  path: string,
  body?: unknown,
  options: { readonly headers?: Record<string, string>; readonly from?: string } = {},
): Promise<{ status: number; body: Answer; headers: Headers }> {
  const init = body === undefined ? {} : jsonBody(body);
  const response = await world.request(path, {
    method,
    ...init,
    headers: { ...(init.headers as Record<string, string>), ...options.headers },
    ...(options.from === undefined ? {} : { from: options.from }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Answer, headers: response.headers };
}

const sessionOf = (headers: Headers): string => /^gantry=([^;]+)/.exec(headers.get('set-cookie') ?? '')?.[1] ?? '';
const password = 'correct horse battery';

async function auditActions(): Promise<string[]> {
  return (await world.store.read.audit.list({ limit: 100 })).map(
    ({ actor, action, subject }) => `${actor} ${action} ${subject}`,
  );
}

describe('setting up', () => {
  it('makes the first admin with the key of the newest link, once', async () => {
    expect((await send('GET', '/api/v1/instance')).body).toMatchObject({ needsSetup: true });
    const older = await ensureSetupKey(world);
    const key = await ensureSetupKey(world);
    const me = { name: 'mei', password };
    expect((await send('POST', '/api/v1/setup', { key: older, ...me })).body).toMatchObject({
      code: 'SETUP_LINK_INVALID',
    });
    const made = await send('POST', '/api/v1/setup', { key, ...me });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ name: 'mei', isSiteAdmin: true });
    const mine = await send('GET', '/api/v1/me', undefined, { headers: cookie(sessionOf(made.headers)) });
    expect(mine.body).toMatchObject({ name: 'mei', via: 'session' });

    expect((await send('POST', '/api/v1/setup', { key, name: 'eve', password })).body).toMatchObject({
      code: 'SETUP_DONE',
    });
    expect(await ensureSetupKey(world)).toBeUndefined();
    expect((await send('GET', '/api/v1/instance')).body).toMatchObject({ needsSetup: false });
    expect(await auditActions()).toEqual(['anonymous site:set-up person:mei', 'anonymous site:set-up:refused site']);
  });

  it('makes one admin of two that race with the same key', async () => {
    const key = await ensureSetupKey(world);
    const both = await Promise.all(
      ['mei', 'eve'].map((name) => send('POST', '/api/v1/setup', { key, name, password })),
    );
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    expect(await world.store.read.people.count()).toBe(1);
  });

  it('accepts no known name and password on a fresh server', async () => {
    await ensureSetupKey(world);
    for (const [name, word] of [
      ['admin', 'admin'],
      ['root', 'root'],
      ['gantry', 'gantry'],
      ['admin', 'password'],
      ['admin', 'Harbor12345'],
    ])
      expect((await send('POST', '/api/v1/session', { name, password: word })).status).toBe(401);
  });

  it('draws a password for whoever sets up on the command line', async () => {
    const passwords = createPasswords({ logN: 4, blockSize: 1, parallelism: 1 });
    const { person, password: drawn } = await createFirstAdmin({ ...world, passwords }, { name: 'mei' });
    expect(person).toMatchObject({ name: 'mei', isSiteAdmin: true });
    expect((await send('POST', '/api/v1/session', { name: 'mei', password: drawn })).status).toBe(201);
    await expect(createFirstAdmin({ ...world, passwords }, { name: 'eve' })).rejects.toMatchObject({
      code: 'SETUP_DONE',
    });
    expect(await auditActions()).toContain('system site:set-up person:mei');
  });

  it('leaves two fresh servers without a secret in common', async () => {
    const other = await openServerWorld();
    try {
      const secrets = async (one: ServerWorld) => {
        const key = await ensureSetupKey(one);
        const mei = await one.person('mei', { password });
        const stored = (await one.store.read.people.findCredentials('mei'))!.passwordHash;
        return [key!, await one.token(mei), await one.session(mei), stored, readFileSync(one.keyFilePath, 'utf8')];
      };
      const [mine, theirs] = [await secrets(world), await secrets(other)];
      for (const [i, secret] of mine.entries()) expect(secret).not.toBe(theirs[i]);
      const body = (text: string) => text.split(/[_:$]/).filter((part) => part.length >= 16);
      const shared = mine.flatMap(body).filter((part) => theirs.flatMap(body).includes(part));
      expect(shared).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe('signing in', () => {
  it('answers the same for a wrong password, an unknown and a disabled person, and notes it', async () => {
    const mei = await world.person('mei', { password });
    const li = await world.person('li', { password });
    await world.store.write((stores) => stores.people.update({ ...li, disabledAt: world.clock.now() }));
    const answers = await Promise.all(
      [
        { name: 'mei', password: 'wrong' },
        { name: 'nobody', password },
        { name: 'li', password },
      ].map((body) => send('POST', '/api/v1/session', body)),
    );
    for (const { status, body, headers } of answers) {
      expect(status).toBe(401);
      expect({ ...body, requestId: '' }).toEqual({ ...answers[0]!.body, requestId: '' });
      expect(headers.get('set-cookie')).toBeNull();
    }
    expect((await auditActions()).toSorted()).toEqual([
      'anonymous sign-in:refused person:li',
      'anonymous sign-in:refused person:mei',
      'anonymous sign-in:refused person:nobody',
    ]);
    expect(mei.disabledAt).toBeUndefined();
  });

  it.each([
    ['an array', { name: ['mei'], password }],
    ['an object', { name: { $ne: '' }, password }],
    ['a number', { name: 'mei', password: 1 }],
    ['null', { name: null, password }],
  ])('refuses %s where a text belongs', async (_, body) => {
    await world.person('mei', { password });
    expect((await send('POST', '/api/v1/session', body)).status).toBe(400);
  });

  it('limits tries per account and network, also after a restart', async () => {
    const location = { kind: 'file', path: join(folder, 'gantry.db') } as const;
    const clock = heldClock();
    await world.close();
    world = await openServerWorld({ location, clock });
    await world.person('mei', { password });
    const attempt = (from: string, word = 'wrong') =>
      send('POST', '/api/v1/session', { name: 'mei', password: word }, { from });
    for (let i = 0; i < 10; i += 1) expect((await attempt('2001:db8::1')).status).toBe(401);
    const limited = await attempt('2001:db8::ffff', password);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);

    await world.close();
    world = await openServerWorld({ location, clock });
    expect((await attempt('2001:db8::1', password)).status).toBe(429);
    expect((await send('POST', '/api/v1/session', { name: 'MEI', password }, { from: '2001:db8::2' })).status).toBe(
      429,
    );
    expect((await attempt('2001:db8:0:1::1', password)).status).toBe(201);
    clock.advance(61_000);
    expect((await attempt('2001:db8::1', password)).status).toBe(201);
  });

  it('limits tries over many accounts from one network', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 130; i += 1)
      statuses.push((await send('POST', '/api/v1/session', { name: `name-${i}`, password: 'wrong' })).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
  });

  it('begins a new session and ends the one it was asked with', async () => {
    const mei = await world.person('mei', { password });
    const planted = await world.session(mei);
    const signedIn = await send('POST', '/api/v1/session', { name: 'mei', password }, { headers: cookie(planted) });
    const session = sessionOf(signedIn.headers);
    expect(session).not.toBe(planted);
    expect((await send('GET', '/api/v1/me', undefined, { headers: cookie(session) })).status).toBe(200);
    expect((await send('GET', '/api/v1/me', undefined, { headers: cookie(planted) })).status).toBe(401);
  });

  it('keeps nothing in the database that signs anybody in', async () => {
    const location = { kind: 'file', path: join(folder, 'gantry.db') } as const;
    await world.close();
    world = await openServerWorld({ location });
    const key = await ensureSetupKey(world);
    const mei = await world.person('mei', { password });
    const token = await world.token(mei);
    const made = await send(
      'POST',
      '/api/v1/me/tokens',
      { name: 'ci', scopes: ['code:read'] },
      { headers: bearer(token) },
    );
    const session = sessionOf((await send('POST', '/api/v1/session', { name: 'mei', password })).headers);
    const project = await world.project('mei', 'web');
    await send(
      'PUT',
      '/api/v1/projects/mei/web/secrets/deploy',
      { value: 'canary-8e2f41' },
      { headers: bearer(token) },
    );
    await world.store.close();

    const dump = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name)).toString('latin1'))
      .join('');
    expect(dump).toContain('token:create');
    expect(project.name).toBe('web');
    for (const secret of [key!, token, String(made.body['secret']), session, password, 'canary-8e2f41']) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(secret.split('_')[2] ?? secret);
    }
    expect(world.lines.join('')).not.toMatch(/canary-8e2f41|gty_(pat|ses)_/);
  });
});

describe('passwords', () => {
  it('are refused when they are guessed first', async () => {
    const admin = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
    for (const [name, word] of [
      ['mei', 'short'],
      ['mei-ling-wang', 'Mei-Ling-Wang'],
      ['mei', 'aaaaaaaaaaaa'],
    ]) {
      const answer = await send('POST', '/api/v1/people', { name, password: word }, { headers: admin });
      expect([answer.status, answer.body['code']]).toEqual([422, 'PASSWORD_WEAK']);
    }
  });

  it('end all other sessions when they change, and need the present one', async () => {
    const mei = await world.person('mei', { password });
    const [here, there] = [await world.session(mei), await world.session(mei)];
    const change = (current: string) =>
      send('PATCH', '/api/v1/me', { password: { current, next: 'another good one' } }, { headers: cookie(here) });
    expect((await change('wrong')).status).toBe(401);
    const changed = await change(password);
    expect(changed.status).toBe(200);
    const me = async (session: string) =>
      (await send('GET', '/api/v1/me', undefined, { headers: cookie(session) })).status;
    expect(await me(sessionOf(changed.headers))).toBe(200);
    expect([await me(here), await me(there)]).toEqual([401, 401]);
    expect((await send('POST', '/api/v1/session', { name: 'mei', password: 'another good one' })).status).toBe(201);
  });

  it('are hashed two at a time; beyond a queue of twenty the asker is told to wait', async () => {
    const passwords = createPasswords({ logN: 12, blockSize: 8, parallelism: 1 });
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => passwords.hash(password)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(22);
    const refused = results.filter((one) => one.status === 'rejected');
    expect(refused[0]?.reason).toMatchObject({ code: 'RATE_LIMITED' });
    const again = await passwords.hash(password);
    expect(again).toMatch(/^\$scrypt\$ln=12,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(await passwords.verify(password, again)).toEqual({ isRight: true, isOutdated: false });
    expect(await passwords.verify('wrong', again)).toEqual({ isRight: false, isOutdated: false });
    expect(await passwords.verify(password, '-')).toEqual({ isRight: false, isOutdated: false });
  });

  it('are hashed again at a sign-in when that is done better now', async () => {
    const weak = await createPasswords({ logN: 2, blockSize: 1, parallelism: 1 }).hash(password);
    const mei = await world.person('mei');
    await world.store.write((stores) => stores.people.setPasswordHash(mei.id, weak));
    expect((await send('POST', '/api/v1/session', { name: 'mei', password })).status).toBe(201);
    expect((await world.store.read.people.findCredentials('mei'))!.passwordHash).toMatch(/^\$scrypt\$ln=4,/);
    expect((await send('POST', '/api/v1/session', { name: 'mei', password })).status).toBe(201);
  });
});

describe('tokens', () => {
  it('give no more than the token that made them', async () => {
    const mei = await world.person('mei');
    await world.project('mei', 'web');
    const limited = bearer(await world.token(mei, ['account:admin', 'code:write']));
    const create = (scopes: string[], headers = limited, more = {}) =>
      send('POST', '/api/v1/me/tokens', { name: 'ci', scopes, ...more }, { headers });
    expect((await create(['code:read', 'account:write'])).status).toBe(201);
    for (const scope of ['*', 'code:admin', 'site:admin', 'secret:read'])
      expect((await create([scope])).body).toMatchObject({ code: 'SCOPE_MISSING' });
    const all = bearer(await world.token(mei));
    expect((await create(['code:read'], all, { projects: ['mei/web'] })).body).toMatchObject({ projects: ['mei/web'] });
    expect((await create(['code:read'], all, { projects: ['MEI/WEB'] })).body).toMatchObject({ projects: ['mei/web'] });
    expect((await create(['code:read'], all, { projects: ['eve/api'] })).body).toMatchObject({
      code: 'PROJECT_NOT_FOUND',
    });
    expect((await create(['everything'], all)).status).toBe(400);
  });

  it('show their secret once, and die by expiry', async () => {
    const mei = await world.person('mei');
    const session = cookie(await world.session(mei));
    const made = await send(
      'POST',
      '/api/v1/me/tokens',
      { name: 'ci', scopes: ['*'], expiresInDays: 1 },
      { headers: session },
    );
    const secret = String(made.body['secret']);
    expect(secret).toMatch(/^gty_pat_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    const listed = await send('GET', '/api/v1/me/tokens', undefined, { headers: session });
    expect(listed.body.items[0]).toMatchObject({
      name: 'ci',
      prefix: secret.slice(0, 12),
      expiresAt: '2026-11-26T12:00:00.000Z',
    });
    expect(JSON.stringify(listed.body)).not.toContain(secret);
    expect((await send('GET', '/api/v1/me', undefined, { headers: bearer(secret) })).status).toBe(200);
    world.clock.advance(24 * 3_600_000);
    expect((await send('GET', '/api/v1/me', undefined, { headers: bearer(secret) })).status).toBe(401);
  });

  it('and sessions of others are not there', async () => {
    const mei = await world.person('mei');
    await world.token(mei);
    await world.session(mei);
    const eve = bearer(await world.token(await world.person('eve')));
    const [token] = await world.store.read.tokens.list(mei.id);
    const [session] = await world.store.read.sessions.list(mei.id);
    expect((await send('DELETE', `/api/v1/me/tokens/${token!.id}`, undefined, { headers: eve })).body).toMatchObject({
      code: 'TOKEN_NOT_FOUND',
    });
    expect(
      (await send('DELETE', `/api/v1/me/sessions/${session!.id}`, undefined, { headers: eve })).body,
    ).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });
});

describe('people', () => {
  it('keep their address to themselves and to admins', async () => {
    const admin = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
    await world.person('mei');
    const li = bearer(await world.token(await world.person('li')));
    const addresses = async (headers: Record<string, string>) =>
      Object.fromEntries(
        (await send('GET', '/api/v1/people', undefined, { headers })).body.items.map(({ name, email }) => [
          name,
          email,
        ]),
      );
    expect(await addresses(li)).toEqual({ li: 'li@example.org', mei: '', root: '' });
    expect(await addresses(admin)).toEqual({ li: 'li@example.org', mei: 'mei@example.org', root: 'root@example.org' });
  });

  it('are made by site admins, under names that nothing else has', async () => {
    const admin = { headers: bearer(await world.token(await world.person('root', { isSiteAdmin: true }))) };
    const create = async (name: string) =>
      (await send('POST', '/api/v1/people', { name, password }, admin)).body['code'] ?? 'made';
    await world.organisation('shop');
    expect(await create('mei')).toBe('made');
    expect(await create('MEI')).toBe('PERSON_EXISTS');
    expect(await create('Shop')).toBe('PERSON_EXISTS');
    for (const name of ['api', 'V2', 'metrics', 'hooks']) expect(await create(name)).toBe('NAME_RESERVED');
    for (const name of ['a/b', '..', '-h', 'x.git', 'x.lock', 'a..b', 'a b', '<b>', 'é', 'x\n'])
      expect(await create(name)).toBe('NAME_INVALID');
  });

  it('always have a site admin among them', async () => {
    const headers = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
    for (const change of [{ isDisabled: true }, { isSiteAdmin: false }])
      expect((await send('PATCH', '/api/v1/people/root', change, { headers })).body).toMatchObject({
        code: 'LAST_OWNER',
      });
    expect((await send('GET', '/api/v1/me', undefined, { headers })).body).toMatchObject({
      isSiteAdmin: true,
      isDisabled: false,
    });
  });
});

describe('organisations', () => {
  it('have members with roles, and always an owner', async () => {
    const mei = bearer(await world.token(await world.person('mei')));
    const li = await world.person('li');
    const headers = bearer(await world.token(li));
    expect((await send('POST', '/api/v1/organisations', { name: 'shop' }, { headers: mei })).status).toBe(201);
    expect((await send('GET', '/api/v1/organisations/shop/members', undefined, { headers })).status).toBe(403);
    expect(
      (await send('PUT', '/api/v1/organisations/shop/members/li', { role: 'write' }, { headers: mei })).status,
    ).toBe(200);
    expect((await send('GET', '/api/v1/organisations/shop/members', undefined, { headers })).body.items).toEqual([
      { name: 'li', role: 'write' },
      { name: 'mei', role: 'owner' },
    ]);
    expect((await send('PUT', '/api/v1/organisations/shop/members/li', { role: 'owner' }, { headers })).status).toBe(
      403,
    );
    expect(
      (await send('PUT', '/api/v1/organisations/shop/members/mei', { role: 'read' }, { headers: mei })).body,
    ).toMatchObject({ code: 'LAST_OWNER' });
    expect(
      (await send('DELETE', '/api/v1/organisations/shop/members/mei', undefined, { headers: mei })).body,
    ).toMatchObject({ code: 'LAST_OWNER' });
    expect((await send('DELETE', '/api/v1/organisations/shop/members/li', undefined, { headers: mei })).status).toBe(
      204,
    );
    expect(
      (await send('DELETE', '/api/v1/organisations/shop/members/li', undefined, { headers: mei })).body,
    ).toMatchObject({ code: 'MEMBER_NOT_FOUND' });
    expect((await send('GET', '/api/v1/organisations/shop/members', undefined, { headers })).status).toBe(403);
    expect((await send('GET', '/api/v1/organisations/nothing/members', undefined, { headers })).body).toMatchObject({
      code: 'ORGANISATION_NOT_FOUND',
    });
  });
});

describe('the audit record', () => {
  it('tells site admins who changed what, page by page, and whether it is whole', async () => {
    const headers = bearer(await world.token(await world.person('root', { isSiteAdmin: true })));
    await send('POST', '/api/v1/people', { name: 'mei', password }, { headers });
    await send('PATCH', '/api/v1/people/mei', { password: 'something longer' }, { headers });
    await send('PATCH', '/api/v1/people/mei', { isDisabled: true }, { headers });
    const first = await send('GET', '/api/v1/audit?limit=2', undefined, { headers });
    expect(first.body).toMatchObject({ isUnbroken: true });
    expect(first.body.items.map(({ actor, action, subject }) => [actor, action, subject])).toEqual([
      ['root', 'person:update', 'person:mei'],
      ['root', 'person:update', 'person:mei'],
    ]);
    expect(first.body.items[0]).toMatchObject({ details: { old: { isDisabled: false }, new: { isDisabled: true } } });
    expect(first.headers.get('link')).toContain('rel="next"');
    const rest = await send('GET', `/api/v1/audit?limit=2&after=${String(first.body['next'])}`, undefined, { headers });
    expect(rest.body.items.map(({ action }) => action)).toEqual(['person:create', 'token:create']);
    expect(rest.body['next']).toBeNull();
    expect(JSON.stringify([first, rest])).not.toContain('something longer');
    expect((await send('GET', '/api/v1/audit?after=x', undefined, { headers })).status).toBe(400);
  });
});

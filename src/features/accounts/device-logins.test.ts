import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import type { Person } from '../../core/person.ts';

let world: ServerWorld;
let mei: Person;
let session: Record<string, string>;

beforeEach(async () => {
  world = await openServerWorld();
  mei = await world.person('mei');
  session = cookie(await world.session(mei));
});
afterEach(() => world.close());

type Answer = Record<string, unknown> & { readonly status: number };

async function post(path: string, body: unknown, headers: Record<string, string> = {}, from?: string): Promise<Answer> {
  const response = await world.request(`/api/v1/device-logins${path}`, {
    method: 'POST',
    body: jsonBody(body).body as string,
    headers: { ...headers, 'Content-Type': 'application/json' },
    ...(from === undefined ? {} : { from }),
  });
  const text = await response.text();
  return { ...(text === '' ? {} : (JSON.parse(text) as object)), status: response.status };
}

async function start(more: object = {}, from?: string) {
  const { deviceCode, userCode, ...rest } = await post('', { host: 'laptop', ...more }, {}, from);
  return { deviceCode: String(deviceCode), userCode: String(userCode), ...rest } as Answer & {
    readonly deviceCode: string;
    readonly userCode: string;
  };
}

const find = (userCode: string, headers = session) => post('/find', { userCode }, headers);
const decide = (userCode: string, decision: string, headers = session) =>
  post('/decision', { userCode, decision }, headers);
const poll = (deviceCode: string) => post('/token', { deviceCode });

describe('the login of a program', () => {
  it('gives a named token once a person approved it, and gives it once', async () => {
    const login = await start({ scopes: ['code:read', 'account:read'], expiresInDays: 7 });
    expect(login).toMatchObject({
      userCode: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      deviceCode: expect.stringMatching(/^gty_dev_/),
      verificationUri: 'http://gantry.test/device',
      verificationUriComplete: `http://gantry.test/device?code=${login.userCode}`,
      expiresIn: 600,
      interval: 5,
    });
    expect(await poll(login.deviceCode)).toMatchObject({ state: 'pending', interval: 5, secret: null });

    // As a person types it.
    const asked = await find(` ${login.userCode.toLowerCase().replace('-', '')} `);
    expect(asked).toMatchObject({
      userCode: login.userCode,
      host: 'laptop',
      remoteAddress: '192.0.2.1',
      scopes: ['code:read', 'account:read'],
      expiresInDays: 7,
      expiresAt: '2026-11-25T12:10:00.000Z',
    });
    expect((await decide(login.userCode, 'approve')).status).toBe(204);
    world.clock.advance(5_000);
    const approved = await poll(login.deviceCode);
    expect(approved).toMatchObject({ status: 200, state: 'approved', person: 'mei' });
    const secret = String(approved['secret']);
    expect(await world.json('/api/v1/me', { headers: bearer(secret) })).toMatchObject({
      name: 'mei',
      via: 'token',
      scopes: ['code:read', 'account:read'],
    });
    const { items } = await world.json('/api/v1/me/tokens', { headers: session });
    expect(items).toMatchObject([{ name: 'laptop', expiresAt: '2026-12-02T12:00:05.000Z' }]);

    expect(await poll(login.deviceCode)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    const record = (await world.store.read.audit.list({ limit: 10 })).map((one) => `${one.actor} ${one.action}`);
    expect(record).toEqual(['mei token:create', 'mei device-login:approve']);
    expect(JSON.stringify(await world.store.read.audit.list({ limit: 10 }))).not.toContain(secret);
  });

  it('gives one token to two who ask at once with the same code', async () => {
    const { deviceCode, userCode } = await start();
    await decide(userCode, 'approve');
    const answers = await Promise.all([poll(deviceCode), poll(deviceCode)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404]);
    expect(await world.store.read.tokens.list(mei.id)).toHaveLength(1);
  });

  it('ends when it is refused, and says so to the program once', async () => {
    const { deviceCode, userCode } = await start();
    expect((await decide(userCode, 'refuse')).status).toBe(204);
    expect(await decide(userCode, 'approve')).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await poll(deviceCode)).toMatchObject({ status: 403, code: 'DEVICE_LOGIN_REFUSED' });
    expect(await poll(deviceCode)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await world.store.read.tokens.list(mei.id)).toEqual([]);
  });

  it('runs out after ten minutes, approved or not', async () => {
    const [waiting, approved] = [await start(), await start()];
    await decide(approved.userCode, 'approve');
    world.clock.advance(10 * 60_000 - 1);
    expect((await find(waiting.userCode)).status).toBe(200);
    world.clock.advance(1);
    expect(await find(waiting.userCode)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await decide(waiting.userCode, 'approve')).toMatchObject({ code: 'DEVICE_CODE_INVALID' });
    for (const { deviceCode } of [waiting, approved])
      expect(await poll(deviceCode)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await world.store.read.tokens.list(mei.id)).toEqual([]);
  });

  it('is decided by one person: another one finds it no longer, and gets nothing by it', async () => {
    const eve = await world.person('eve');
    const asEve = cookie(await world.session(eve));
    const { deviceCode, userCode } = await start();
    expect((await find(userCode, asEve)).status).toBe(200);
    await decide(userCode, 'approve');
    expect(await find(userCode, asEve)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await decide(userCode, 'refuse', asEve)).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await poll(deviceCode)).toMatchObject({ person: 'mei' });
    expect(await world.store.read.tokens.list(eve.id)).toEqual([]);
  });

  it('answers wrong codes alike, ten times and no more', async () => {
    const { userCode } = await start();
    for (let i = 0; i < 10; i += 1)
      expect(await find('BBBB-BBBB')).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    expect(await find(userCode)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(await decide(userCode, 'approve')).toMatchObject({ status: 429 });
    expect(await poll('gty_dev_wrong')).toMatchObject({ status: 404, code: 'DEVICE_CODE_INVALID' });
    // The short code is for people: with it nobody fetches a token.
    expect(await poll(userCode)).toMatchObject({ status: 404 });
  });

  it('tells a program that asks too soon to slow down', async () => {
    const { deviceCode } = await start();
    expect(await poll(deviceCode)).toMatchObject({ state: 'pending', interval: 5 });
    expect(await poll(deviceCode)).toMatchObject({ state: 'slow-down', interval: 10 });
    world.clock.advance(5_000);
    expect(await poll(deviceCode)).toMatchObject({ state: 'slow-down', interval: 15 });
    world.clock.advance(15_000);
    expect(await poll(deviceCode)).toMatchObject({ state: 'pending', interval: 15 });
    for (let i = 0; i < 20; i += 1) await poll(deviceCode);
    expect(await poll(deviceCode)).toMatchObject({ state: 'slow-down', interval: 60 });
  });

  it('is begun a few times from one network, and not without end', async () => {
    for (let i = 0; i < 20; i += 1) expect((await start()).status).toBe(201);
    expect(await start()).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect((await start({}, '198.51.100.7')).status).toBe(201);
    expect((await post('', { host: '' })).status).toBe(400);
    expect((await post('', { host: 'x', scopes: ['everything'] })).status).toBe(400);
  });

  it('is approved only by somebody who may give what it asks for, and by no page of another site', async () => {
    const { userCode, deviceCode } = await start({ scopes: ['site:admin'] });
    const weak = bearer(await world.token(mei, ['account:admin']));
    expect(await decide(userCode, 'approve', weak)).toMatchObject({ status: 403, code: 'SCOPE_MISSING' });
    expect((await decide(userCode, 'approve', bearer(await world.token(mei, ['code:admin'])))).status).toBe(403);
    expect((await decide(userCode, 'approve', {})).status).toBe(401);
    const forged = { ...session, Origin: 'https://evil.example' };
    expect(await decide(userCode, 'approve', forged)).toMatchObject({ status: 403, code: 'CROSS_SITE_REQUEST' });
    const form = await world.request('/api/v1/device-logins/decision', {
      method: 'POST',
      body: `userCode=${userCode}&decision=approve`,
      headers: { ...session, 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    expect(form.status).toBe(400);
    expect(await poll(deviceCode)).toMatchObject({ state: 'pending' });
  });

  it('gives nothing when the account was disabled in between', async () => {
    const { userCode, deviceCode } = await start();
    await decide(userCode, 'approve');
    await world.store.write((stores) => stores.people.update({ ...mei, disabledAt: world.clock.now() }));
    expect(await poll(deviceCode)).toMatchObject({ status: 403, code: 'DEVICE_LOGIN_REFUSED' });
    expect(await world.store.read.tokens.list(mei.id)).toEqual([]);
  });

  it('leaves neither of its codes in the database', async () => {
    const { userCode, deviceCode } = await start();
    await decide(userCode, 'approve');
    const { hashOfCredential } = await import('../../core/credential.ts');
    const row = await world.store.read.deviceLogins.findByDevice(hashOfCredential(deviceCode));
    expect(row).toBeDefined();
    for (const code of [userCode, userCode.replace('-', ''), deviceCode])
      expect(JSON.stringify(row)).not.toContain(code);
  });
});

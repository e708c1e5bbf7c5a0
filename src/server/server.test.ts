import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { basic, bearer, cookie, jsonBody, openServerWorld, type ServerWorld } from '../../test/support/server-world.ts';
import type { RawRoute } from '../features/feature.ts';

let world: ServerWorld;
beforeEach(async () => {
  world = await openServerWorld();
});
afterEach(async () => {
  await world.close();
});

describe('the server', () => {
  it('shows a person who they are, by every credential alike', async () => {
    const mei = await world.person('mei');
    const token = await world.token(mei);
    const session = await world.session(mei);
    for (const [headers, via] of [
      [bearer(token), 'token'],
      [basic(token), 'token'],
      [cookie(session), 'session'],
    ] as const) {
      const response = await world.request('/api/v1/me', { headers });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ name: 'mei', via, scopes: ['*'] });
    }
  });

  it('answers a stranger with a problem in their language, and a request id', async () => {
    const response = await world.request('/api/v1/me', { headers: { 'Accept-Language': 'zh-CN,zh;q=0.9,en;q=0.8' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    const problem = (await response.json()) as Record<string, string>;
    expect(problem).toMatchObject({ code: 'SIGN_IN_REQUIRED', status: 401, title: '需要登录' });
    expect(problem['requestId']).toBe(response.headers.get('x-request-id'));
  });

  it.each([
    ['mistyped', (token: string) => `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`],
    ['cut', (token: string) => token.slice(0, -8)],
    ['empty', () => ''],
    ['of another server', () => 'gty_pat_0000000000000000000000000000000000000000000_000000'],
  ])('refuses a token that is %s, also where no sign-in is needed', async (_, change) => {
    const token = change(await world.token(await world.person('mei')));
    for (const path of ['/api/v1/me', '/api/v1/instance']) {
      const response = await world.request(path, { headers: bearer(token) });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: 'TOKEN_INVALID' });
    }
  });

  it('forgets a token, a session and a disabled person at once', async () => {
    const admin = await world.token(await world.person('root', { isSiteAdmin: true }));
    const mei = await world.person('mei');
    const token = await world.token(mei);
    const session = await world.session(mei);
    expect((await world.request('/api/v1/me', { headers: bearer(token) })).status).toBe(200);
    expect((await world.request('/api/v1/me', { headers: cookie(session) })).status).toBe(200);

    const { items } = (await world.json('/api/v1/me/tokens', { headers: bearer(token) })) as {
      items: { id: string }[];
    };
    await world.request(`/api/v1/me/tokens/${items[0]!.id}`, { method: 'DELETE', headers: cookie(session) });
    expect((await world.request('/api/v1/me', { headers: bearer(token) })).status).toBe(401);

    await world.request('/api/v1/session', { method: 'DELETE', headers: cookie(session) });
    expect((await world.request('/api/v1/me', { headers: cookie(session) })).status).toBe(401);

    const another = await world.token(mei);
    expect((await world.request('/api/v1/me', { headers: bearer(another) })).status).toBe(200);
    const disabled = await world.request('/api/v1/people/mei', {
      method: 'PATCH',
      ...jsonBody({ isDisabled: true }),
      headers: { 'Content-Type': 'application/json', ...bearer(admin) },
    });
    expect(disabled.status).toBe(200);
    expect((await world.request('/api/v1/me', { headers: bearer(another) })).status).toBe(401);
  });

  it('ends a session that was idle for twelve hours, and any after thirty days', async () => {
    const session = await world.session(await world.person('mei'));
    const status = async () => (await world.request('/api/v1/me', { headers: cookie(session) })).status;
    for (let hours = 0; hours < 29 * 24; hours += 10) {
      expect(await status()).toBe(200);
      // The use is noted behind the answer.
      await world.store.write(async () => undefined);
      world.clock.advance(10 * 3_600_000);
    }
    world.clock.advance(24 * 3_600_000);
    expect(await status()).toBe(401);

    const other = await world.session((await world.store.read.people.findByName('mei'))!);
    world.clock.advance(13 * 3_600_000);
    expect((await world.request('/api/v1/me', { headers: cookie(other) })).status).toBe(401);
  });

  it('notes when a token was last used, at most once a minute', async () => {
    const mei = await world.person('mei');
    const token = await world.token(mei);
    const use = async () => {
      await world.request('/api/v1/me', { headers: bearer(token) });
      await world.store.write(async () => undefined);
      return (await world.store.read.tokens.list(mei.id))[0]!.lastUsedAt;
    };
    const first = await use();
    expect(first).toEqual(world.clock.now());
    world.clock.advance(30_000);
    expect(await use()).toEqual(first);
    world.clock.advance(31_000);
    expect(await use()).toEqual(world.clock.now());
  });

  it('hides a private project from who may not see it exactly as one that is not there', async () => {
    await world.person('mei');
    await world.project('mei', 'secret');
    const stranger = await world.token(await world.person('eve'));
    for (const headers of [bearer(stranger), {}]) {
      const [hidden, missing] = (await Promise.all(
        ['mei/secret', 'mei/nothing'].map((slug) => world.json(`/api/v1/projects/${slug}`, { headers })),
      )) as [Record<string, unknown>, Record<string, unknown>];
      const same = (problem: Record<string, unknown>) =>
        JSON.stringify({ ...problem, requestId: '' }).replaceAll(/secret|nothing/g, '…');
      expect(hidden['code']).toBe('PROJECT_NOT_FOUND');
      expect(same(hidden)).toBe(same(missing));
    }
  });

  it('names every place of a request that does not fit', async () => {
    const token = await world.token(await world.person('mei'));
    const response = await world.request('/api/v1/me/tokens', {
      method: 'POST',
      body: JSON.stringify({ name: ['x'], scopes: [], surprise: 1 }),
      headers: { 'Content-Type': 'application/json', ...bearer(token) },
    });
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { errors: { pointer: string }[] };
    expect(problem.errors.map(({ pointer }) => pointer).sort()).toEqual(['/name', '/scopes']);
  });

  it.each([
    ['an unknown key', '{"name":"x","scopes":["*"],"surprise":1}', 'application/json'],
    ['another type', 'name=x', 'application/x-www-form-urlencoded'],
    ['plain text', '{"name":"x","scopes":["*"]}', 'text/plain'],
    ['broken JSON', '{"name":', 'application/json'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'application/json'],
    ['a hundred thousand brackets', '['.repeat(100_000), 'application/json'],
    ['a prototype', '{"name":"x","scopes":["*"],"__proto__":{"isSiteAdmin":true}}', 'application/json'],
  ])('refuses a body with %s', async (_, body, type) => {
    const token = await world.token(await world.person('mei'));
    const response = await world.request('/api/v1/me/tokens', {
      method: 'POST',
      body: body as BodyInit,
      headers: { 'Content-Type': type, ...bearer(token) },
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('refuses unknown and repeated parameters of a query', async () => {
    const token = await world.token(await world.person('mei'));
    for (const query of ['lmit=3', 'limit=1&limit=2', 'limit=0', 'limit=1e9']) {
      const response = await world.request(`/api/v1/projects?${query}`, { headers: bearer(token) });
      expect(response.status, query).toBe(400);
    }
  });

  it('refuses more than a mebibyte of JSON before it asks who sends it', async () => {
    const response = await world.request('/api/v1/me/tokens', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': String(2 * 1024 * 1024), ...bearer('wrong') },
      body: 'x',
    });
    expect(response.status).toBe(413);

    const token = await world.token(await world.person('mei'));
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)) });
    const chunked = await world.request('/api/v1/me/tokens', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...bearer(token) },
      body: endless,
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });

  it('says nothing of a mistake of its own but where it is noted', async () => {
    await world.close();
    world = await openServerWorld({
      handlers: {
        listProjects: () => {
          throw new Error('password=hunter2');
        },
      },
    });
    const response = await world.request('/api/v1/projects');
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain('hunter2');
    const { requestId } = JSON.parse(text) as { requestId: string };
    expect(world.lines.some((line) => line.includes(requestId) && line.includes('hunter2'))).toBe(true);
  });

  it('sends no field that the schema does not name', async () => {
    await world.close();
    world = await openServerWorld({
      handlers: { listProjects: async () => ({ items: [], next: 'abc', passwordHash: 'x' }) as never },
    });
    const response = await world.request('/api/v1/projects?limit=5');
    expect(await response.json()).toEqual({ items: [], next: 'abc' });
    expect(response.headers.get('link')).toBe('</api/v1/projects?limit=5&after=abc>; rel="next"');
  });
});

describe('headers', () => {
  it('forbid what pages do not need, on every answer', async () => {
    for (const path of ['/api/v1/instance', '/api/v1/me', '/nothing', '/api/v1/nothing', '/healthz', '/a//b']) {
      const { headers } = await world.request(path);
      expect(headers.get('content-security-policy'), path).toContain("default-src 'none'; script-src 'self'");
      expect(headers.get('content-security-policy')).toContain("require-trusted-types-for 'script'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-request-id')).toMatch(/^req_/);
    }
  });

  it.each([
    ['https://gantry.test', 'same-origin'],
    ['http://127.0.0.1:3000', 'same-origin'],
    ['http://gantry.test', null],
  ])('keep other windows apart where browsers heed it: %s', async (publicUrl, policy) => {
    await world.close();
    world = await openServerWorld({ config: { publicUrl } });
    const { headers } = await world.request('/healthz');
    expect(headers.get('cross-origin-opener-policy')).toBe(policy);
  });

  it('of proxies count only when the proxy is trusted', async () => {
    const token = await world.token(await world.person('mei', { password: 'correct horse' }));
    const spoofed = { 'X-Forwarded-For': '10.9.9.9', 'X-Request-Id': 'given-by-client', 'X-Webauth-User': 'mei' };
    const signIn = (from: string) =>
      world.request('/api/v1/session', {
        method: 'POST',
        body: JSON.stringify({ name: 'mei', password: 'correct horse' }),
        headers: { 'Content-Type': 'application/json', ...spoofed },
        from,
      });
    expect((await world.request('/api/v1/me', { headers: spoofed })).status).toBe(401);
    expect((await signIn('192.0.2.1')).headers.get('x-request-id')).not.toBe('given-by-client');
    const sessions = await world.json('/api/v1/me/sessions', { headers: bearer(token) });
    expect(JSON.stringify(sessions)).toContain('192.0.2.1');
    expect(JSON.stringify(sessions)).not.toContain('10.9.9.9');

    await world.close();
    world = await openServerWorld({ config: { trustedProxies: ['192.0.2.0/24'] } });
    const again = await world.token(await world.person('mei', { password: 'correct horse' }));
    expect((await signIn('::ffff:192.0.2.1')).headers.get('x-request-id')).toBe('given-by-client');
    expect(JSON.stringify(await world.json('/api/v1/me/sessions', { headers: bearer(again) }))).toContain('10.9.9.9');
  });
});

describe('cookies', () => {
  it('are bound to this host, out of reach of scripts, and not sent by other sites', async () => {
    await world.person('mei', { password: 'correct horse' });
    const signIn = jsonBody({ name: 'mei', password: 'correct horse' });
    const plain = await world.request('/api/v1/session', { method: 'POST', ...signIn });
    expect(plain.status).toBe(201);
    expect(plain.headers.get('set-cookie')).toMatch(
      /^gantry=gty_ses_\w+; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax$/,
    );

    await world.close();
    world = await openServerWorld({ config: { publicUrl: 'https://gantry.test' } });
    const mei = await world.person('mei', { password: 'correct horse' });
    const secure = await world.request('/api/v1/session', { method: 'POST', ...signIn });
    expect(secure.headers.get('set-cookie')).toMatch(/^__Host-gantry=gty_ses_\w+; .*HttpOnly; SameSite=Lax; Secure$/);
    expect(secure.headers.get('strict-transport-security')).toBe('max-age=31536000');
    // A neighbouring host can plant a cookie without the prefix.
    const session = await world.session(mei);
    expect((await world.request('/api/v1/me', { headers: cookie(session) })).status).toBe(401);
    expect((await world.request('/api/v1/me', { headers: cookie(session, '__Host-gantry') })).status).toBe(200);
  });

  it.each([
    [{ 'Sec-Fetch-Site': 'cross-site' }],
    [{ 'Sec-Fetch-Site': 'same-site' }],
    [{ Origin: 'https://evil.example' }],
    [{ Origin: 'null' }],
    [{ Origin: 'http://gantry.test.evil.example' }],
    [{ Origin: 'http://gantry.test:81' }],
  ])('do not let another site change anything: %o', async (headers) => {
    const session = await world.session(await world.person('mei'));
    const response = await world.request('/api/v1/organisations', {
      method: 'POST',
      body: '{"name":"shop"}',
      headers: { 'Content-Type': 'application/json', ...cookie(session), ...(headers as Record<string, string>) },
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'CROSS_SITE_REQUEST' });
    expect(await world.store.read.organisations.list()).toEqual([]);
  });

  it.each([
    [{ 'Sec-Fetch-Site': 'same-origin' }],
    [{ 'Sec-Fetch-Site': 'none' }],
    [{ Origin: 'http://gantry.test' }],
    [{}],
  ])('serve the page itself and programs: %o', async (headers) => {
    const session = await world.session(await world.person('mei'));
    const response = await world.request('/api/v1/organisations', {
      method: 'POST',
      body: '{"name":"shop"}',
      headers: { 'Content-Type': 'application/json', ...cookie(session), ...(headers as Record<string, string>) },
    });
    expect(response.status).toBe(201);
  });
});

describe('paths', () => {
  it.each([
    '/api/v1/me;x',
    '/api/v1/me;.json',
    '/api/v1//me',
    '//api/v1/me',
    '/api/v1/me/',
    '/api/v1/me/.',
    '/api/v1/./me',
    '/api/v1/x/../me',
    '/api/v1/%2e%2e/v1/me',
    '/api/v1/me%2f',
    '/api%2fv1/me',
    '/api/v1/me%5c',
    '/api/v1/me%00',
    '/api/v1/me%0a',
    '/api/v1/me%252f',
    '/api/v1/me%zz',
    '/api/v1/me.json',
    '/api/v1/me.git',
    '/API/v1/me',
    '/api/V1/me',
    '/api/v1/ME',
    '/Metrics',
    '/api/v1/me\\',
    '/hooks/x',
    '/x.git/config',
  ])('that look like %s open nothing', async (path) => {
    const raw = { incoming: { url: path, socket: { remoteAddress: '192.0.2.1' } } };
    const response = await world.app.request(`http://gantry.test${path}`, {}, raw);
    expect([400, 401, 404]).toContain(response.status);
  });

  it('of pages may carry names with slashes and percent signs', async () => {
    const { isUnambiguousPath } = await import('./request-path.ts');
    expect(isUnambiguousPath('/shop/web/files/feat%2Fx/100%25.md')).toBe(true);
    expect(isUnambiguousPath('/api/v1/projects/shop%2Fweb')).toBe(false);
    expect(isUnambiguousPath('/shop/web.git/info%2Frefs')).toBe(false);
  });
});

describe('an Idempotency-Key', () => {
  const create = (token: string, body: unknown, key: string) =>
    world.request('/api/v1/projects', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key, ...bearer(token) },
    });
  const view = (name: string) => ({
    owner: 'mei',
    name,
    slug: `mei/${name}`,
    description: '',
    visibility: 'private' as const,
    defaultBranch: 'main',
    isEmpty: true,
    isArchived: false,
    protectedRefs: [],
    stepTimeoutMs: 1_000,
    role: 'owner' as const,
    cloneUrl: '',
    createdAt: '2026-11-25T12:00:00.000Z',
    latestPipeline: null,
  });

  it('makes a hundred equal requests do one thing', async () => {
    let made = 0;
    await world.close();
    world = await openServerWorld({
      handlers: {
        createProject: async ({ body }) => {
          made += 1;
          return { ...view(body.name), description: `number ${made}` };
        },
      },
    });
    const token = await world.token(await world.person('mei'));
    const first = await create(token, { owner: 'mei', name: 'web' }, 'k1');
    const rest = await Promise.all(
      Array.from({ length: 99 }, () => create(token, { owner: 'mei', name: 'web' }, 'k1')),
    );
    const bodies = new Set(await Promise.all([first, ...rest].map((response) => response.text())));
    expect(made).toBe(1);
    expect(bodies.size).toBe(1);
    expect(first.status).toBe(201);

    const atOnce = await Promise.all(
      Array.from({ length: 20 }, () => create(token, { owner: 'mei', name: 'api' }, 'k2')),
    );
    expect(made).toBe(2);
    expect(new Set(atOnce.map(({ status }) => status))).toEqual(new Set([201, 409]));

    const other = await create(token, { owner: 'mei', name: 'other' }, 'k1');
    expect(await other.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', status: 422 });
  });

  it('may be used again when the first request failed', async () => {
    const token = await world.token(await world.person('mei'));
    for (let i = 0; i < 2; i += 1) expect((await create(token, { owner: 'mei', name: 'web' }, 'k1')).status).toBe(503);
    expect(world.reached).toEqual(['createProject', 'createProject']);
  });
});

describe('an ETag', () => {
  it('saves the answer that one has, and refuses a change of what changed meanwhile', async () => {
    let description = 'one';
    await world.close();
    const show = () => ({
      owner: 'mei',
      name: 'web',
      slug: 'mei/web',
      description,
      visibility: 'private' as const,
      defaultBranch: 'main',
      isEmpty: true,
      isArchived: false,
      protectedRefs: [],
      stepTimeoutMs: 1_000,
      role: null,
      cloneUrl: '',
      createdAt: '2026-11-25T12:00:00.000Z',
      latestPipeline: null,
    });
    world = await openServerWorld({
      handlers: {
        getProject: async () => show(),
        updateProject: async ({ body }) => {
          description = body.description ?? description;
          return show();
        },
      },
    });
    const headers = bearer(await world.token(await world.person('mei')));
    await world.project('mei', 'web');
    const path = '/api/v1/projects/mei/web';
    const first = await world.request(path, { headers });
    const tag = first.headers.get('etag')!;
    expect(tag).toMatch(/^"[\w-]{22}"$/);
    const again = await world.request(path, { headers: { ...headers, 'If-None-Match': tag } });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');

    const change = (text: string, ifMatch: string) =>
      world.request(path, {
        method: 'PATCH',
        body: JSON.stringify({ description: text }),
        headers: { ...headers, 'Content-Type': 'application/json', 'If-Match': ifMatch },
      });
    const both = await Promise.all([change('two', tag), change('three', tag)]);
    expect(both.map(({ status }) => status)).toEqual([200, 412]);
    expect(description).toBe('two');
    expect((await change('four', both[0]!.headers.get('etag')!)).status).toBe(200);
  });
});

describe('a server that starts', () => {
  const route: RawRoute = {
    method: 'GET',
    path: '/raw',
    summary: 'x',
    policy: () => ({ action: 'site:administer', resource: { on: 'site' } }),
    challenge: 'basic',
    handle: () => new Response('raw'),
  };

  it('is refused with a sentence when a route has no policy', async () => {
    const { policy: _, ...open } = route;
    await expect(openServerWorld({ routes: [open as RawRoute] })).rejects.toThrow(
      'Cannot start: the route GET /raw has no policy',
    );
  });

  it('is refused with a sentence when an operation has no handler, or two', async () => {
    await expect(openServerWorld({ handlers: { listProjects: undefined as never } })).rejects.toThrow('listProjects');
    await expect(openServerWorld({ handlers: { getMe: async () => ({}) as never } })).rejects.toThrow(
      'handles "getMe", which another feature handles already',
    );
    await expect(openServerWorld({ handlers: { unknown: async () => ({}) } as never })).rejects.toThrow(
      'handles "unknown", which the API does not have',
    );
  });

  it('asks of a stream that goes on what its viewer may now, and not what they might at its beginning', async () => {
    await world.close();
    const answers: boolean[] = [];
    const revoke = Promise.withResolvers<void>();
    const revoked = Promise.withResolvers<void>();
    world = await openServerWorld({
      routes: [
        {
          ...route,
          policy: () => ({ action: 'account:read', resource: { on: 'self' } }),
          async handle(_, request) {
            answers.push(await request.may('account:read', { on: 'self' }));
            revoke.resolve();
            await revoked.promise;
            answers.push(await request.may('account:read', { on: 'self' }));
            await request.authorize('account:read', { on: 'self' });
            return new Response('raw');
          },
        },
      ],
    });
    const mei = await world.person('mei');
    const asking = world.request('/raw', { headers: basic(await world.token(mei)) });
    await revoke.promise;
    const [token] = await world.store.read.tokens.list(mei.id);
    await world.request(`/api/v1/me/tokens/${token!.id}`, {
      method: 'DELETE',
      headers: cookie(await world.session(mei)),
    });
    revoked.resolve();
    expect((await asking).status).toBe(401);
    expect(answers).toEqual([true, false]);
  });

  it('authorises raw routes before their handler, and asks git clients for a password', async () => {
    await world.close();
    world = await openServerWorld({ routes: [route] });
    const stranger = await world.request('/raw');
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get('www-authenticate')).toBe('Basic realm="Gantry", charset="UTF-8"');
    expect(stranger.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const admin = await world.token(await world.person('root', { isSiteAdmin: true }));
    expect(await (await world.request('/raw', { headers: basic(admin) })).text()).toBe('raw');
  });
});

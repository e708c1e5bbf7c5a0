import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamReader } from '../../test/support/read-stream.ts';
import { bearer, openServerWorld, type ServerWorld } from '../../test/support/server-world.ts';
import { type Listening, listen } from './listen.ts';

let world: ServerWorld;
let listening: Listening;
let folder: string;
let uiFolder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-ui-'));
  uiFolder = join(folder, 'ui');
  mkdirSync(join(uiFolder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'outside.txt'), 'kept from everybody');
  writeFileSync(join(uiFolder, 'index.html'), '<!doctype html><title>Gantry</title>');
  writeFileSync(join(uiFolder, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(uiFolder, 'assets', 'main-1a2b3c.js'), 'console.log(1)');
  writeFileSync(join(uiFolder, 'assets', 'main-1a2b3c.js.gz'), gzipSync('console.log(1)'));
  world = await openServerWorld({ uiFolder });
  listening = await listen(world.app, { hostname: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  world.stopping.abort();
  await listening.close(1_000);
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends bytes as they are, and answers what came back until the server closed or fell silent. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(listening.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });
}

describe('a listening server', () => {
  it('does not wait at its end for a connection on which nobody has asked anything', async () => {
    const socket = connect(listening.port, '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    // Without a limit of its own: were it waited for, the test would not end.
    await listening.close(2 ** 31 - 1);
    await closed;
  });

  it('reads request targets of every form as one', async () => {
    const token = await world.token(await world.person('mei'));
    const get = (target: string, headers = '') =>
      raw(`GET ${target} HTTP/1.1\r\nHost: gantry.test\r\nConnection: close\r\n${headers}\r\n`);
    const signedIn = `Authorization: Bearer ${token}\r\n`;
    expect(await get('/api/v1/me', signedIn)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await get('http://other.test/api/v1/me', signedIn)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await get('http://other.test/api/v1/me')).toMatch(/^HTTP\/1\.1 401 /);
    for (const target of [
      '/x/../api/v1/me',
      '/api/v1/%2e%2e/v1/me',
      '//api/v1/me',
      '/api/v1/me%00',
      'http://x//api/v1/me',
      '/./api/v1/me',
      '/api\\v1/me',
    ])
      expect(await get(target, signedIn), target).toMatch(/^HTTP\/1\.1 (400|404) /);
  });

  it('refuses headers of more than 16 KiB', async () => {
    const answer = await raw(`GET /api/v1/instance HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('sends the first event of a stream before anything happens', async () => {
    const mei = await world.person('mei');
    await world.project('mei', 'web');
    const response = await fetch(`${listening.url}/api/v1/stream?topics=project:mei/web`, {
      headers: bearer(await world.token(mei)),
    });
    const stream = new StreamReader(response);
    await stream.expect('ready');
    world.stopping.abort();
    await stream.expect('end');
  });

  it('forgets a viewer that goes away', async () => {
    const mei = await world.person('mei');
    const web = await world.project('mei', 'web');
    const abort = new AbortController();
    const response = await fetch(`${listening.url}/api/v1/stream?topics=project:mei/web`, {
      headers: bearer(await world.token(mei)),
      signal: abort.signal,
    });
    await new StreamReader(response).expect('ready');
    abort.abort();
    await world.setRole(web, mei, 'read');
    // With the viewer gone nothing holds the connection, and the server can close.
    await listening.close(5_000);
    listening = await listen(world.app, { hostname: '127.0.0.1', port: 0 });
  });

  it('says that the port is taken', async () => {
    await expect(listen(world.app, { hostname: '127.0.0.1', port: listening.port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('another program uses this port'),
    });
  });
});

describe('the web interface', () => {
  const get = (path: string, headers: Record<string, string> = {}) => fetch(listening.url + path, { headers });

  it('draws every address of a page, and none below the addresses of programs', async () => {
    for (const path of ['/', '/shop/web', '/shop/web/pipelines/12', '/setup', '/shop/web/files/feat%2Fx/100%25.md']) {
      const response = await get(path, { Accept: 'text/html' });
      expect(response.status, path).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-cache');
    }
    for (const path of ['/api/v1/nothing', '/api/', '/v2/x', '/hooks/x', '/shop/web.git/HEAD', '/assets/missing.js']) {
      const response = await get(path, { Accept: 'text/html' });
      expect(response.status, path).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    }
    expect((await fetch(`${listening.url}/shop/web`, { method: 'POST' })).status).toBe(404);
  });

  it('lets hashed files be kept forever, and sends them packed where the build did', async () => {
    const response = await get('/assets/main-1a2b3c.js', { 'Accept-Encoding': 'gzip, br;q=0' });
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await response.text()).toBe('console.log(1)');
    const plain = await get('/assets/main-1a2b3c.js', { 'Accept-Encoding': 'identity' });
    expect(plain.headers.get('content-encoding')).toBeNull();
  });

  it('does not send again what the browser has', async () => {
    const tag = (await get('/favicon.svg')).headers.get('etag')!;
    expect((await get('/favicon.svg', { 'If-None-Match': tag })).status).toBe(304);
  });

  it('leaves its folder for nobody', async () => {
    for (const path of [
      '/..%2foutside.txt',
      '/assets/../../outside.txt',
      '/%2e%2e/outside.txt',
      '/assets/..%2f..%2foutside.txt',
      '/assets%2f..%2f..%2foutside.txt',
    ])
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).not.toContain(
        'kept from everybody',
      );
  });
});

describe('operating addresses', () => {
  it('tell health to everybody, figures to site admins', async () => {
    const admin = await world.token(await world.person('root', { isSiteAdmin: true }));
    expect(await (await fetch(`${listening.url}/healthz`)).text()).toBe('ok\n');
    expect((await fetch(`${listening.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${listening.url}/metrics`)).status).toBe(401);
    const text = await (await fetch(`${listening.url}/metrics`, { headers: bearer(admin) })).text();
    expect(text).toContain('gantry_http_requests_total{method="GET",route="/healthz",status="200"} 1');
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    world.stopping.abort();
    expect((await fetch(`${listening.url}/readyz`)).status).toBe(503);
  });

  it('describe the API', async () => {
    const document = (await (await fetch(`${listening.url}/api/v1/openapi.json`)).json()) as Record<string, unknown>;
    expect(document).toMatchObject({ openapi: '3.1.1', info: { title: 'Gantry', version: '0.0.0-test' } });
  });
});

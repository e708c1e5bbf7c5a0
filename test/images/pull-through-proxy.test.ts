import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerRegistry, findRegistryHindrance, registryLogin } from '../support/docker-registry.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findBusybox, findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap') ?? findRegistryHindrance();
const title = 'a private registry that is reached only through a proxy with a password';
const proxyPassword = 'proxy-hunter-42';

/** Knows the name `registry.test`, which nobody else does, and lets in who has the password. */
function startProxy(registry: DockerRegistry, asked: string[]): Server {
  const [hostname, port] = registry.host.split(':');
  const welcome = `Basic ${Buffer.from(`robot:${proxyPassword}`).toString('base64')}`;
  const proxy = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const url = new URL(incoming.url ?? '', 'http://none');
    if (incoming.headers['proxy-authorization'] !== welcome || url.hostname !== 'registry.test')
      return void outgoing.writeHead(407).end();
    const headers = { ...incoming.headers, 'proxy-authorization': undefined };
    const path = `${url.pathname}${url.search}`;
    const forwarded = httpRequest({ hostname, port, path, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  proxy.on('connect', (incoming, socket, head) => {
    asked.push(`CONNECT ${incoming.url}`);
    socket.on('error', () => undefined);
    if (incoming.headers['proxy-authorization'] !== welcome || !incoming.url?.startsWith('registry.test:'))
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const onward = connect({ host: hostname ?? '', port: Number(port) }, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
  });
  return proxy.listen(0, '127.0.0.1');
}

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  const asked: string[] = [];
  let registry: DockerRegistry;
  let proxy: Server;
  let gantry: GantryProcess;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-proxy-'));
    registry = await DockerRegistry.start({ isPrivate: true });
    await registry.push('hub/tool', '1', { 'bin/sh': await readFile(findBusybox()!) });
    proxy = startProxy(registry, asked);
    await once(proxy, 'listening');
    const address = `http://robot:${proxyPassword}@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const file = join(folder, 'mirrors.json');
    await writeFile(
      file,
      JSON.stringify({
        proxy: { http: address, https: address, no_proxy: ['.direct.example'] },
        images: ['tool:* -> registry.test/hub/tool'],
        registries: [{ registry: 'registry.test', ...registryLogin }],
      }),
      { mode: 0o600 },
    );
    const settings = {
      GANTRY_MIRRORS: file,
      GANTRY_PLAIN_HTTP_REGISTRIES: 'registry.test',
      GANTRY_CACHE: join(folder, 'cache'),
    };
    gantry = await GantryProcess.start({ runtime: 'sandbox', settings });
    await gantry.createProject('proxied');
  });
  afterAll(async () => {
    await gantry?.dispose();
    proxy?.closeAllConnections();
    proxy?.close();
    await registry?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function run(number: number, image: string) {
    const step = `- {name: use, image: '${image}', commands: ['echo "goes by $http_proxy, not for $NO_PROXY"']}`;
    await gantry.push('proxied', { '.gantry.yml': `kind: pipeline\nname: default\nsteps:\n  ${step}\n` });
    const pipeline = await gantry.finished('proxied', number, 120_000);
    const use = pipeline.steps.find(({ name }) => name === 'use')!;
    return { pipeline, use, log: await gantry.log('proxied', number, use.id) };
  }

  it('gives a step its image by a rule, and the step the proxy, whose password no log shows', async () => {
    const { log, pipeline } = await run(1, 'tool:1');
    expect(pipeline.status, log).toBe('passed');
    expect(asked.length).toBeGreaterThan(0);
    expect(log).toContain('image tool:1 → registry.test/hub/tool:1 (rule 1)\n');
    expect(log).toMatch(
      /goes by http:\/\/\*+@127\.0\.0\.1:\d+, not for localhost,127\.0\.0\.1,::1,\.direct\.example\n/,
    );
    expect(log).not.toContain(proxyPassword);
  });

  it('gives nothing to a file that names the registry itself: the login is for what rules say', async () => {
    const { log, use } = await run(2, 'registry.test/hub/tool:1');
    expect(use.status).toBe('failed');
    expect(log).toContain('registry.test refuses us (HTTP 401)');
    expect(log).not.toContain(registryLogin.password);
  });
});

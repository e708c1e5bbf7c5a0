import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { examineNetwork } from './examine-network.ts';

/** A server that knows one login, and tells what it was asked for. */
async function serve() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const isWelcome = request.headers.authorization === `Basic ${Buffer.from('robot:hunter42').toString('base64')}`;
    response.writeHead(request.url!.startsWith('/open') || isWelcome ? 404 : 401).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { asked, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function examine(file: string, mode = 0o600) {
  const folder = await mkdtemp(join(tmpdir(), 'network-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const mirrors = join(folder, 'mirrors.yaml');
  await writeFile(mirrors, file);
  await chmod(mirrors, mode);
  const bundle = join(folder, 'bundle.pem');
  await writeFile(bundle, 'no certificate');
  const found = await examineNetwork({ mirrors, caBundle: bundle, plainHttpRegistries: [] });
  return found.map(({ finding, subject, verdict }) => `${verdict} ${subject} ${finding.replaceAll(folder, '')}`);
}

describe('examineNetwork', () => {
  it('tells of each mirror whether it answers, refuses us, or is not there', async () => {
    const { asked, host } = await serve();
    const found = await examine(`
mirrors:
  npm: http://${host}/open/npm/
  go: http://robot:hunter42@${host}/go
  maven: http://robot:wrong-word@${host}/maven
  cargo: sparse+http://127.0.0.1:1/index/
images: ['docker.io/* -> ${host}/hub/*', 'x -> base/git']
`);
    expect(found).toEqual([
      'failed ca /bundle.pem has no certificate in it: every TLS connection of a step fails',
      `ok mirrors npm: http://${host}/open/npm/: it answers`,
      `ok mirrors go: http://${host}/go: it answers`,
      `failed mirrors maven: http://${host}/maven: it refuses us (HTTP 401)`,
      'failed mirrors cargo: http://127.0.0.1:1/index/: nobody listens there',
      `ok images registry: http://${host}/v2/: it answers`,
    ]);
    expect(asked.sort()).toEqual(['/go', '/maven', '/open/npm/', '/v2/']);
  });

  it('asks mirrors through the proxy, and tells when nobody listens there', async () => {
    const { asked, host } = await serve();
    const through = await examine(`
proxy: {http: 'http://${host}', no_proxy: []}
mirrors: {npm: 'http://mirror.example/open/npm/'}
`);
    expect(through.slice(1)).toEqual([
      `ok proxy ${host} takes connections`,
      expect.stringMatching(/^(ok|failed) mirrors npm: http:\/\/mirror.example\/open\/npm\/: it (answers|refuses)/),
    ]);
    expect(asked).toEqual(['http://mirror.example/open/npm/']);
    expect(await examine(`proxy: {https: 'http://127.0.0.1:1'}`)).toContainEqual(
      expect.stringMatching(/^failed proxy 127\.0\.0\.1:1 cannot be reached: /),
    );
  });

  it('warns when others may read a file with credentials', async () => {
    const file = 'registries: [{registry: 127.0.0.1, username: robot, password: hunter42}]';
    expect(await examine(file, 0o644)).toContain(
      'warning mirrors /mirrors.yaml has credentials in it and others may read it: chmod 600 /mirrors.yaml',
    );
    expect((await examine(file)).join()).not.toContain('chmod');
  });
});

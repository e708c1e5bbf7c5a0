import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RegistrySource } from '../registry/registry-source.ts';
import { ImageStore } from './image-store.ts';

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function layerTar(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

interface TestImage {
  readonly blobs: Map<string, Buffer>;
  readonly manifest: Buffer;
  readonly layer: string;
}

async function makeImage({ diffId }: { diffId?: string } = {}): Promise<TestImage> {
  const tars = [await layerTar({ 'etc/one': 'one', big: 'x'.repeat(200_000) }), await layerTar({ 'etc/two': 'two' })];
  const packed = [gzipSync(tars[0]!), zstdCompressSync(tars[1]!)];
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['A=1'], Cmd: ['sh'], User: '1000' },
      rootfs: { type: 'layers', diff_ids: [diffId ?? sha256(tars[0]!), sha256(tars[1]!)] },
    }),
  );
  const types = ['application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.oci.image.layer.v1.tar+zstd'];
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
      layers: packed.map((bytes, i) => ({ mediaType: types[i], digest: sha256(bytes), size: bytes.length })),
    }),
  );
  const blobs = new Map([config, ...packed].map((bytes) => [sha256(bytes), bytes]));
  return { blobs, manifest, layer: sha256(packed[0]!) };
}

type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

const answering =
  (status: number): Fault =>
  (_request, response) => {
    response.writeHead(status).end();
    return true;
  };

/** A registry that serves one image under every name, with faults on the way. */
async function serve(image: TestImage, fault: Fault = () => false) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url!;
    requests.push(path);
    if (fault(request, response)) return;
    const digest = path.split('/').at(-1)!;
    if (path.includes('/manifests/')) {
      response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json').end(image.manifest);
      return;
    }
    const blob = image.blobs.get(digest);
    if (!blob) return void response.writeHead(404).end();
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200).end(blob.subarray(from));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'images-'));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const source = new RegistrySource({ plainHttpHosts: [], architecture: 'amd64', retryAfterMs: [1, 1, 1] });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { store: new ImageStore({ folder, sources: [source] }), host, requests, folder };
}

describe('ImageStore with a registry', () => {
  it('unpacks each layer once and gives the configuration', async () => {
    const { store, host, requests } = await serve(await makeImage());
    const lines: string[] = [];
    const image = await store.provide(`${host}/app:1`, { pull: 'default', progress: (line) => lines.push(line) });
    expect(image.config).toMatchObject({ environment: ['A=1'], command: ['sh'], user: '1000' });
    expect(await readFile(join(image.layers[0]!, 'etc/one'), 'utf8')).toBe('one');
    expect(await readFile(join(image.layers[1]!, 'etc/two'), 'utf8')).toBe('two');
    expect(lines[0]).toBe(`pulling ${host}/app:1`);

    const before = requests.length;
    expect(await store.provide(`${host}/app:1`, { pull: 'default' })).toEqual(image);
    expect(requests.length).toBe(before);
  });

  it('asks again for a tag that moves, and not for what it has under "never"', async () => {
    const { store, host, requests } = await serve(await makeImage());
    await expect(store.provide(`${host}/app:latest`, { pull: 'never' })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    await store.provide(`${host}/app:latest`, { pull: 'default' });
    const before = requests.length;
    await store.provide(`${host}/app:latest`, { pull: 'default' });
    expect(requests.length).toBeGreaterThan(before);
  });

  it('pulls once for many who ask at the same time', async () => {
    const { store, host, requests } = await serve(await makeImage());
    const images = await Promise.all(
      Array.from({ length: 8 }, () => store.provide(`${host}/app:1`, { pull: 'default' })),
    );
    expect(new Set(images.map(({ digest }) => digest)).size).toBe(1);
    expect(requests.filter((path) => path.includes('/manifests/'))).toHaveLength(1);
  });

  it.each([500, 503, 429])('tries again after HTTP %i', async (status) => {
    let left = 2;
    const { store, host } = await serve(await makeImage(), (_request, response) => {
      if (left-- <= 0) return false;
      response.writeHead(status).end();
      return true;
    });
    await expect(store.provide(`${host}/app:1`, { pull: 'default' })).resolves.toMatchObject({
      reference: `${host}/app:1`,
    });
  });

  it('goes on where a connection broke', async () => {
    const image = await makeImage();
    let isBroken = false;
    const { store, host } = await serve(image, (request, response) => {
      if (isBroken || !request.url!.endsWith(image.layer)) return false;
      isBroken = true;
      const blob = image.blobs.get(image.layer)!;
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, blob.length / 2), () => response.destroy());
      return true;
    });
    await expect(store.provide(`${host}/app:1`, { pull: 'default' })).resolves.toBeDefined();
    expect(isBroken).toBe(true);
  });

  it('takes a wrong digest as final and keeps nothing of it', async () => {
    const image = await makeImage();
    const { store, host, folder, requests } = await serve(image, (request, response) => {
      if (!request.url!.endsWith(image.layer)) return false;
      response.end(Buffer.alloc(image.blobs.get(image.layer)!.length, 'x'));
      return true;
    });
    await expect(store.provide(`${host}/app:1`, { pull: 'default' })).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
    expect(requests.filter((path) => path.endsWith(image.layer))).toHaveLength(1);
    expect((await readdir(join(folder, 'layers'))).filter((name) => name.includes('incoming'))).toEqual([]);
  });

  it('refuses a layer whose content is not what the configuration says', async () => {
    const { store, host } = await serve(await makeImage({ diffId: `sha256:${'1'.repeat(64)}` }));
    await expect(store.provide(`${host}/app:1`, { pull: 'default' })).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });

  it('asks once where a name is not known or the password is wrong', async () => {
    const { store } = await serve(await makeImage());
    await expect(store.provide('registry.invalid/app:1', { pull: 'default' })).rejects.toMatchObject({
      code: 'IMAGE_PULL_FAILED',
    });
    const closed = await serve(await makeImage(), (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
      return true;
    });
    const credentials = [{ registry: closed.host, username: 'me', password: 'wrong' }];
    await expect(closed.store.provide(`${closed.host}/app:1`, { pull: 'default', credentials })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    // The question, and the answer with the password: no third try.
    expect(closed.requests).toHaveLength(2);
  });

  it('says what is not there, and what refuses us', async () => {
    const missing = await serve(await makeImage(), answering(404));
    await expect(missing.store.provide(`${missing.host}/app:1`, { pull: 'default' })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    const closed = await serve(await makeImage(), answering(403));
    await expect(closed.store.provide(`${closed.host}/app:1`, { pull: 'default' })).rejects.toThrow(
      'refuses us (HTTP 403)',
    );
  });

  it('shares what is public with whoever has a login of another registry', async () => {
    const { store, host, requests } = await serve(await makeImage());
    const image = await store.provide(`${host}/app:1`, { pull: 'default' });
    const before = requests.length;
    const credentials = [{ registry: 'elsewhere.test', username: 'me', password: 'pw' }];
    expect(await store.provide(`${host}/app:1`, { pull: 'default', credentials })).toEqual(image);
    expect(requests.length).toBe(before);
  });

  it('sends a password to the registry and to no realm elsewhere', async () => {
    const seen: (string | undefined)[] = [];
    const basic = await serve(await makeImage(), (request, response) => {
      seen.push(request.headers.authorization);
      if (request.headers.authorization === `Basic ${Buffer.from('me:pw').toString('base64')}`) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
      return true;
    });
    const credentials = [{ registry: basic.host, username: 'me', password: 'pw' }];
    await expect(basic.store.provide(`${basic.host}/app:1`, { pull: 'default', credentials })).resolves.toBeDefined();

    const evil = await serve(await makeImage(), (_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://elsewhere.invalid/token"` }).end();
      return true;
    });
    const theirs = [{ registry: evil.host, username: 'me', password: 'pw' }];
    await expect(evil.store.provide(`${evil.host}/app:1`, { pull: 'default', credentials: theirs })).rejects.toThrow(
      'it sends us to "http://elsewhere.invalid"',
    );
  });
});

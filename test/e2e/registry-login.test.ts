import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance, makeBusyboxLayer } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'a private image, in real sandboxes';
const password = 'canary-pull-0815';

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A registry that serves one image, made of this host's busybox, to `robot` and to nobody else. */
function privateRegistry(folder: string): Server {
  makeBusyboxLayer(folder);
  const layer = execFileSync('tar', ['-C', folder, '-cf', '-', '.'], { maxBuffer: 64 * 1024 * 1024 });
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] };
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs }));
  const part = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: part('application/vnd.oci.image.config.v1+json', config),
    layers: [part('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const blobs = new Map([config, layer].map((bytes) => [digestOf(bytes), bytes]));
  const expected = `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`;
  return createServer((request, response) => {
    const { url = '', headers } = request;
    if (headers.authorization !== expected)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="private"' }).end();
    if (url.includes('/manifests/')) return void response.setHeader('content-type', mediaType).end(manifest);
    const blob = blobs.get(url.split('/').at(-1) ?? '');
    if (blob) response.end(blob);
    else response.writeHead(404).end();
  });
}

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  let registry: Server;
  let folder: string;
  let host: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-private-'));
    registry = privateRegistry(folder);
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(async () => {
    await gantry?.dispose();
    registry?.closeAllConnections();
    registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is pulled with the login of its registry, which no step and no log sees; without it the refusal is told', async () => {
    const params = { owner: 'admin', project: 'private' };
    await gantry.createProject('private');
    const file = `
kind: pipeline
name: default
steps:
  - name: look
    image: ${host}/tools/box:1
    commands: [env | sort, echo it runs]
`;
    await gantry.push('private', { '.drone.yml': file });
    const refused = await gantry.finished('private', 1);
    expect(refused.status, JSON.stringify(refused)).not.toBe('passed');
    const stepOf = (pipeline: typeof refused) => pipeline.steps.find(({ name }) => name === 'look')!;
    expect(JSON.stringify(stepOf(refused))).toContain('refuses us');

    await gantry.client('setRegistry', {
      params: { ...params, registry: host },
      body: { username: 'robot', password },
    });
    await gantry.push('private', {});
    const pipeline = await gantry.finished('private', 2);
    const log = await gantry.log('private', 2, stepOf(pipeline).id);
    expect(pipeline.status, log).toBe('passed');
    expect(log).toContain('it runs');
    expect(log).not.toContain(password);
    expect(log).not.toContain('robot');
  });
});

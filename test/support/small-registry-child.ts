import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { findBusybox } from './sandbox-world.ts';

/**
 * A registry of one image, `test/app`, with any tag but `none`; run in the network namespace of an engine. The first part
 * of a repository says how it behaves: `ok`, `busy` (429 twice), `broken` (500 twice), `cut` (half of a layer, once),
 * `wrong` (a layer with other bytes). `GET /count` tells how often a layer was asked for. Says its port on the standard
 * output, and that of a second one, which wants user:word for everything.
 */
interface SmallImage {
  readonly layer: Buffer;
  readonly config: Buffer;
  readonly manifest: Buffer;
}

const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
/** Each has a layer of its own: an engine asks for none that it has. */
const images = new Map<string, SmallImage>();
for (const behaviour of ['ok', 'busy', 'broken', 'cut', 'wrong', 'private'])
  images.set(behaviour, await makeImage(behaviour));
const refusals = new Map<string, number>();
let layersAsked = 0;

const answerTo = (isPrivate: boolean, request: IncomingMessage, response: ServerResponse): void => {
  const path = request.url ?? '/';
  const answer = (status: number, body: Buffer | string = '', headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'Content-Length': String(Buffer.byteLength(body)), ...headers });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (path === '/count') return answer(200, String(layersAsked));
  const word = `Basic ${Buffer.from('user:word').toString('base64')}`;
  if (isPrivate && request.headers.authorization !== word)
    return answer(401, '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', {
      'WWW-Authenticate': 'Basic realm="small"',
    });
  const [, behaviour = '', kind = '', reference = ''] = /^\/v2\/(\w+)\/app\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
  const image = images.get(behaviour);
  if (!image) return answer(200, '{}', { 'Content-Type': 'application/json' });
  const { layer, config, manifest } = image;
  const refused = refusals.get(behaviour) ?? 0;
  if (refused < 2 && (behaviour === 'busy' || behaviour === 'broken')) {
    refusals.set(behaviour, refused + 1);
    return answer(
      behaviour === 'busy' ? 429 : 500,
      '{"errors":[{"code":"TOOMANYREQUESTS","message":"toomanyrequests"}]}',
    );
  }
  if (kind === 'manifests') {
    if (reference === 'none')
      return answer(404, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', {
        'Content-Type': 'application/json',
      });
    return answer(200, manifest, {
      'Content-Type': 'application/vnd.docker.distribution.manifest.v2+json',
      'Docker-Content-Digest': digest(manifest),
    });
  }
  if (reference === digest(config)) return answer(200, config);
  layersAsked += 1;
  if (behaviour === 'wrong') return answer(200, Buffer.alloc(layer.length, 'x'));
  if (behaviour === 'cut' && refused === 0) {
    refusals.set(behaviour, 1);
    response.writeHead(200, { 'Content-Length': String(layer.length) });
    response.write(layer.subarray(0, layer.length >> 1), () => response.destroy());
    return;
  }
  answer(200, layer);
};

const ports: number[] = [];
for (const isPrivate of [false, true]) {
  const server = createServer((request, response) => answerTo(isPrivate, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  ports.push(typeof address === 'object' && address ? address.port : 0);
}
process.stdout.write(`${ports.join(' ')}\n`);

async function makeImage(behaviour: string): Promise<SmallImage> {
  const layer = await makeLayer(behaviour);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: [digest(layer)] },
    }),
  );
  const docker = 'application/vnd.docker';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${docker}.distribution.manifest.v2+json`,
      config: { mediaType: `${docker}.container.image.v1+json`, size: config.length, digest: digest(config) },
      layers: [{ mediaType: `${docker}.image.rootfs.diff.tar`, size: layer.length, digest: digest(layer) }],
    }),
  );
  return { layer, config, manifest };
}

async function makeLayer(behaviour: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'behaviour' }, behaviour);
  tar.entry({ name: 'bin/', type: 'directory', mode: 0o755 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(findBusybox()!));
  for (const name of ['sh', 'echo', 'cat', 'sleep'])
    tar.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
  tar.finalize();
  return buffer(tar);
}

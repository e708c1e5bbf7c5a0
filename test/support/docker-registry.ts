import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const run = promisify(execFile);
const program = '/usr/bin/docker-registry';

/** Debian's registry knows one person in its htpasswd file. */
export const registryLogin = { username: 'robot', password: 'registry-word' } as const;
const htpasswd = 'robot:$2y$05$abcdefghijklmnopqrstuugAWRXAeCYOk1BKUl0T8NHW/xYdPXTEC\n';

/** Why there is no registry to test with; `undefined` when there is one. */
export function findRegistryHindrance(): string | undefined {
  return existsSync(program) ? undefined : 'docker-registry is not installed';
}

/** Debian's docker-registry in a temporary folder, on a free port of the loopback. */
export class DockerRegistry {
  readonly host: string;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #authorization: string | undefined;

  private constructor(host: string, folder: string, child: ChildProcess, authorization: string | undefined) {
    this.host = host;
    this.#folder = folder;
    this.#process = child;
    this.#authorization = authorization;
  }

  /** `networkOf`: process in whose network it listens, and nobody outside of that can ask it. */
  static async start(options: { readonly isPrivate: boolean; readonly networkOf?: number }): Promise<DockerRegistry> {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-registry-'));
    const port = await freePort();
    const host = `127.0.0.1:${port}`;
    await writeFile(join(folder, 'htpasswd'), htpasswd);
    const auth = options.isPrivate ? { auth: { htpasswd: { realm: 'registry', path: join(folder, 'htpasswd') } } } : {};
    const config = {
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
      http: { addr: host },
      ...auth,
    };
    await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
    const command = [program, 'serve', join(folder, 'config.yml')];
    const entering = options.networkOf === undefined ? [] : ['nsenter', `--net=/proc/${options.networkOf}/ns/net`];
    const [first = program, ...args] = [...entering, ...command];
    const child = spawn(first, args, { stdio: 'ignore' });
    const { username, password } = registryLogin;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const registry = new DockerRegistry(host, folder, child, options.isPrivate ? authorization : undefined);
    await registry.#isUp(entering);
    return registry;
  }

  /** Pushes an image of one layer with these files; answers the manifest's digest. */
  async push(repository: string, tag: string, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
    const tar = await tarOf(files);
    const layer = gzipSync(tar);
    const config = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
        rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      }),
    );
    for (const blob of [layer, config]) await this.#upload(repository, blob);
    const describe = (mediaType: string, blob: Buffer) => ({ mediaType, digest: sha256(blob), size: blob.length });
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: describe('application/vnd.oci.image.config.v1+json', config),
        layers: [describe('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
      }),
    );
    await this.#send('PUT', `${repository}/manifests/${tag}`, manifest, 'application/vnd.oci.image.manifest.v1+json');
    return sha256(manifest);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    if (this.#process.exitCode === null && this.#process.kill('SIGKILL')) await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #upload(repository: string, blob: Buffer): Promise<void> {
    const begun = await this.#send('POST', `${repository}/blobs/uploads/`, Buffer.alloc(0));
    const location = new URL(begun.headers.get('location') ?? '', `http://${this.host}`);
    location.searchParams.set('digest', sha256(blob));
    await this.#send('PUT', location.href, blob, 'application/octet-stream');
  }

  async #send(method: string, path: string, body: Buffer, type = 'application/octet-stream'): Promise<Response> {
    const url = path.startsWith('http') ? path : `http://${this.host}/v2/${path}`;
    const response = await fetch(url, {
      method,
      body: new Uint8Array(body),
      headers: { 'content-type': type, ...(this.#authorization ? { authorization: this.#authorization } : {}) },
    });
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    return response;
  }

  async #isUp(entering: readonly string[]): Promise<void> {
    for (let attempt = 0; this.#process.exitCode === null && attempt < 600; attempt += 1) {
      const answer = await (entering.length > 0
        ? connectsIn(entering, this.host)
        : fetch(`http://${this.host}/v2/`)
      ).catch(() => undefined);
      if (answer) return;
      await sleep(50);
    }
    throw new Error(`docker-registry does not answer on ${this.host}`);
  }
}

async function connectsIn([program = '', ...args]: readonly string[], host: string): Promise<true> {
  const [address, port] = host.split(':');
  await run(program, [...args, 'bash', '-c', `: < /dev/tcp/${address}/${port}`]);
  return true;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o755, mtime: new Date(0) }, content);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

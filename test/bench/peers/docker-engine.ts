import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = '/usr/sbin/dockerd';

/** A Docker Engine of its own (Debian's docker.io), spoken to by its API; for re-enacting how peers use one. */
export class DockerEngine {
  readonly #folder: string;
  readonly #socketPath: string;
  readonly #child: ChildProcess | undefined;

  private constructor(folder: string, socketPath: string, child: ChildProcess | undefined) {
    this.#folder = folder;
    this.#socketPath = socketPath;
    this.#child = child;
  }

  /** One that somebody else started, and ends. */
  static at(socketPath: string): DockerEngine {
    return new DockerEngine(dirname(socketPath), socketPath, undefined);
  }

  /** Answers why there is none where it cannot be had. */
  static async start(): Promise<DockerEngine | string> {
    if (process.getuid?.() !== 0) return 'Docker needs root';
    const isThere = await access(program).then(
      () => true,
      () => false,
    );
    if (!isThere) return 'no Docker Engine (apt-get install docker.io)';
    const folder = await mkdtemp(join(tmpdir(), 'bench-docker-'));
    const child = spawn(
      program,
      [
        '--data-root',
        join(folder, 'data'),
        '--exec-root',
        join(folder, 'exec'),
        '-H',
        `unix://${folder}/docker.sock`,
        '-p',
        join(folder, 'pid'),
      ],
      { stdio: 'ignore' },
    );
    const engine = new DockerEngine(folder, join(folder, 'docker.sock'), child);
    for (let i = 0; i < 200; i += 1) {
      const isUp = await engine.call('GET', '/_ping').then(
        () => true,
        () => false,
      );
      if (isUp) return engine;
      if (child.exitCode !== null) break;
      await sleep(100);
    }
    await engine.stop();
    return 'the Docker Engine did not come up';
  }

  /** Makes an image of a folder's files, the lowest layer first. */
  async importImage(name: string, layers: readonly string[]): Promise<void> {
    const root = join(this.#folder, `image-${name}`);
    for (const layer of layers) await run('cp', ['-a', '--no-target-directory', layer, root]);
    const tar = join(this.#folder, `${name}.tar`);
    await run('tar', ['-C', root, '-cf', tar, '.']);
    await this.call('POST', `/images/create?fromSrc=-&repo=${name}&tag=latest`, createReadStream(tar));
    await rm(root, { recursive: true });
    await rm(tar);
  }

  call(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const isStream = body !== null && typeof body === 'object' && 'pipe' in body;
      const sent = request(
        {
          socketPath: this.#socketPath,
          method,
          path: `/v1.41${path}`,
          headers: { 'Content-Type': isStream ? 'application/x-tar' : 'application/json' },
        },
        (response) => {
          let text = '';
          response.on('data', (bytes: Buffer) => {
            text += bytes.toString('latin1');
          });
          response.on('end', () => {
            if ((response.statusCode ?? 500) >= 400)
              reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
            else resolve(text.startsWith('{') && !isStream ? JSON.parse(text) : text);
          });
        },
      );
      sent.on('error', reject);
      if (isStream) (body as NodeJS.ReadableStream).pipe(sent);
      else sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async stop(): Promise<void> {
    if (!this.#child) return;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
  }
}

/**
 * A pipeline as Woodpecker's Docker backend runs one: a network and a volume per workflow; per step create on the default
 * bridge, connect to the workflow's network, start, follow the log, wait; stop and remove before the next; then tear down.
 */
export async function woodpeckerShape(
  engine: DockerEngine,
  image: string,
  steps: readonly (readonly string[])[],
  binds: readonly string[] = [],
): Promise<void> {
  const name = `shape-${process.pid}-${Math.round(performance.now() * 1000)}`;
  await engine.call('POST', '/volumes/create', { Name: name });
  const network = (await engine.call('POST', '/networks/create', { Name: name })) as { Id: string };
  for (const [i, command] of steps.entries()) {
    const { Id } = (await engine.call('POST', `/containers/create?name=${name}-${i}`, {
      Image: image,
      Cmd: command,
      HostConfig: { Binds: [`${name}:/woodpecker`, ...binds] },
    })) as { Id: string };
    await engine.call('POST', `/networks/${network.Id}/connect`, { Container: Id });
    await engine.call('POST', `/containers/${Id}/start`);
    await engine.call('GET', `/containers/${Id}/logs?stdout=1&stderr=1&follow=1`);
    const { StatusCode } = (await engine.call('POST', `/containers/${Id}/wait`)) as { StatusCode: number };
    if (StatusCode !== 0) throw new Error(`${command.join(' ')} ended with ${StatusCode}`);
    await engine.call('POST', `/containers/${Id}/stop?t=1`);
    await engine.call('DELETE', `/containers/${Id}?v=1&force=1`);
  }
  await engine.call('DELETE', `/networks/${network.Id}`);
  await engine.call('DELETE', `/volumes/${name}`);
}

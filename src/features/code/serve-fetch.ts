import { once } from 'node:events';
import { Readable } from 'node:stream';
import { GantryError } from '../../core/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { git, spawnGit } from './git.ts';
import { ownerVariable, signal } from './git-process.ts';
import type { RepositoryFolders } from './repository-folders.ts';

/** How many clones and fetches run at once, and how many wait for their turn. */
const maxRunning = 16;
const maxWaiting = 128;
/** How long one may take, its client's own speed included. */
const fetchTimeoutMs = 60 * 60_000;

/** Serves clones and fetches with `git upload-pack`: the pack goes from git to the client and never into our memory. */
export class FetchServer {
  readonly #folders: RepositoryFolders;
  readonly #logger: Logger;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(folders: RepositoryFolders, logger: Logger) {
    this.#folders = folders;
    this.#logger = logger;
  }

  /** What `info/refs` answers, in the version that the client asked for. */
  advertise(projectId: number, protocol: string | undefined): Promise<Buffer> {
    return git(['upload-pack', '--http-backend-info-refs', this.#folders.folder(projectId)], {
      environment: protocolEnvironment(protocol),
      maxOutputBytes: 256 * 2 ** 20,
    });
  }

  /** Answers one request of a clone or fetch as a stream. Refuses with SERVER_BUSY when too many wait already. */
  async serve(projectId: number, body: Readable, protocol: string | undefined): Promise<ReadableStream<Uint8Array>> {
    await this.#begin();
    const child = spawnGit(['upload-pack', '--stateless-rpc', this.#folders.folder(projectId)], {
      environment: { ...protocolEnvironment(protocol), [ownerVariable]: this.#folders.root },
      isDetached: true,
    });
    const end = (): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        signal(-child.pid, 'SIGTERM');
    };
    const timer = setTimeout(end, fetchTimeoutMs);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 8_192) stderr += chunk.toString('utf8');
    });
    child.stdin.on('error', () => undefined); // It ended early; what it answered says why.
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      this.#finish();
      if (exitCode !== 0) this.#logger.debug('git upload-pack ended', { exitCode, stderr });
    });
    child.on('error', (error) => this.#logger.error('git upload-pack did not start', { error }));
    // A client that goes away closes the answer; git has nobody to write to then.
    child.stdout.on('close', end);
    body.on('error', end);
    body.pipe(child.stdin);
    await Promise.race([once(child, 'spawn'), once(child, 'error')]);
    return Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>;
  }

  async #begin(): Promise<void> {
    if (this.#running < maxRunning) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= maxWaiting)
      throw new GantryError('SERVER_BUSY', 'Cannot serve the fetch: too many are being served already');
    // Whoever ends hands its place on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #finish(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }
}

/** Only the version is passed on: the header is the client's text, and git takes it from its environment. */
function protocolEnvironment(protocol: string | undefined): Record<string, string> {
  const version = /(?:^|:)version=([012])(?:$|:)/.exec(protocol ?? '')?.[1];
  return version === undefined ? {} : { GIT_PROTOCOL: `version=${version}` };
}

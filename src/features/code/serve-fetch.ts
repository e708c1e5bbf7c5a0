import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { Logger } from '../../lib/logger.ts';
import { pktLine } from '../../lib/pkt-line.ts';
import { type GitProcess, git, spawnGit, writeAll } from './git.ts';
import { ownerVariable, signal } from './git-process.ts';
import { answerListRefs, readListRefs } from './list-refs.ts';
import type { RefCache } from './ref-cache.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import type { RepositoryGates } from './repository-gates.ts';
import { Slots } from './slots.ts';

/** 10,000 prefixes; a longer request is git's to answer. */
const maxListBytes = 512 * 1024;
/** How long one may take, its client's own speed included. */
const fetchTimeoutMs = 60 * 60_000;
const checkRightsEveryMs = 3_000;

/** Serves clones and fetches with `git upload-pack`: the pack goes from git to the client and never into our memory. */
export class FetchServer {
  readonly #folders: RepositoryFolders;
  readonly #refs: RefCache;
  readonly #gates: RepositoryGates;
  readonly #logger: Logger;
  readonly #slots = new Slots('fetch', { running: 16, waiting: 128 });
  #capabilities: Promise<Buffer> | undefined;

  constructor(folders: RepositoryFolders, refs: RefCache, gates: RepositoryGates, logger: Logger) {
    this.#folders = folders;
    this.#refs = refs;
    this.#gates = gates;
    this.#logger = logger;
  }

  /** What `info/refs` answers, in the version that the client asked for. */
  async advertise(projectId: number, protocol: string | undefined): Promise<Buffer> {
    const environment = protocolEnvironment(protocol);
    if (environment['GIT_PROTOCOL'] !== 'version=2') return this.#advertise(projectId, environment);
    // Version 2 lists what git can do and no references: the same for all repositories, since all have one configuration.
    this.#capabilities ??= this.#advertise(projectId, environment);
    this.#capabilities.catch(() => {
      this.#capabilities = undefined;
    });
    return this.#capabilities;
  }

  #advertise(projectId: number, environment: Record<string, string>): Promise<Buffer> {
    return git(['upload-pack', '--http-backend-info-refs', this.#folders.folder(projectId)], {
      environment,
      maxOutputBytes: 256 * 2 ** 20,
    });
  }

  /**
   * Answers one request of a clone or fetch: the list of references from memory, anything else by git, as a stream.
   * Refuses with SERVER_BUSY when too many wait already. Ends when `mayStillRead` says no.
   */
  async serve(
    project: { readonly id: number; readonly defaultBranch: string },
    body: Readable,
    protocol: string | undefined,
    mayStillRead: () => Promise<boolean>,
  ): Promise<Buffer | ReadableStream<Uint8Array>> {
    const environment = protocolEnvironment(protocol);
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let head: Buffer = Buffer.alloc(0);
    while (environment['GIT_PROTOCOL'] === 'version=2' && head.length < maxListBytes) {
      const next = await chunks.next();
      if (next.done === true) {
        const wanted = readListRefs(head);
        if (wanted) return answerListRefs(wanted, await this.#refs.list(project.id), project.defaultBranch);
        break;
      }
      head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
      if (!isListRefs(head)) break;
    }
    return this.#serveByGit(project.id, head, chunks, environment, mayStillRead);
  }

  async #serveByGit(
    projectId: number,
    head: Buffer,
    chunks: AsyncIterator<Buffer>,
    environment: Record<string, string>,
    mayStillRead: () => Promise<boolean>,
  ): Promise<ReadableStream<Uint8Array>> {
    const giveBack = await this.#slots.take();
    // The packs that git has chosen objects from stay until it has sent them.
    const leave = await this.#gates.share(projectId, 'fetch');
    const child = spawnGit(['upload-pack', '--stateless-rpc', this.#folders.folder(projectId)], {
      environment: { ...environment, [ownerVariable]: this.#folders.root },
      isDetached: true,
    });
    const end = (): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        signal(-child.pid, 'SIGTERM');
    };
    const timer = setTimeout(end, fetchTimeoutMs);
    // A clone may take an hour; whoever loses the right to it meanwhile gets no more.
    const watch = setInterval(() => {
      mayStillRead().then(
        (isAllowed) => (isAllowed ? undefined : end()),
        (error: unknown) => this.#logger.warn('The right to a fetch could not be checked again', { error }),
      );
    }, checkRightsEveryMs).unref();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 8_192) stderr += chunk.toString('utf8');
    });
    child.stdin.on('error', () => undefined); // It ended early; what it answered says why.
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      clearInterval(watch);
      leave();
      giveBack();
      if (exitCode !== 0) this.#logger.debug('git upload-pack ended', { exitCode, stderr });
    });
    child.on('error', (error) => this.#logger.error('git upload-pack did not start', { error }));
    // A client that goes away closes the answer; git has nobody to write to then.
    child.stdout.on('close', end);
    // A body that ends before its end leaves git with half a request.
    feedGit(child, head, chunks).catch(end);
    await Promise.race([once(child, 'spawn'), once(child, 'error')]);
    return Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>;
  }
}

/** Whether this is, or may still become, a request for the list of references. */
function isListRefs(head: Buffer): boolean {
  const begin = pktLine('command=ls-refs').subarray(4);
  return head.subarray(4, 4 + begin.length).equals(begin.subarray(0, Math.max(0, head.length - 4)));
}

/** Gives git what was read already and then the rest, as fast as it takes it. */
async function feedGit(child: GitProcess, head: Buffer, chunks: AsyncIterator<Buffer>): Promise<void> {
  await writeAll(child, head);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
    await writeAll(child, next.value);
  child.stdin.end();
}

/** Only the version is passed on: the header is the client's text, and git takes it from its environment. */
function protocolEnvironment(protocol: string | undefined): Record<string, string> {
  const version = /(?:^|:)version=([012])(?:$|:)/.exec(protocol ?? '')?.[1];
  return version === undefined ? {} : { GIT_PROTOCOL: `version=${version}` };
}

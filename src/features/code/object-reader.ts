import { GantryError } from '../../core/errors.ts';
import { type QuietGitProcess, spawnGitQuietly } from './git.ts';

export interface ObjectInfo {
  readonly id: string;
  readonly kind: 'commit' | 'tree' | 'blob' | 'tag';
  readonly sizeBytes: number;
}

/** What may be asked: an object's id or the beginning of one, with what it shall be. Never text from people. */
const askable = /^[0-9a-f]{4,40}(?:\^\{(?:commit|tree)?\})?$/;

/** How long a repository that nobody reads keeps its processes. */
const idleMs = 60_000;
const maxRepositories = 16;

/** Reads objects through a `git cat-file` that stays: a question costs a few writes and no process. */
export class ObjectReaders {
  /** In the order of their last use. */
  readonly #pairs = new Map<
    string,
    { readonly check: Batch; readonly contents: Batch; readonly timer: NodeJS.Timeout }
  >();

  /** `undefined` when there is no such object, or more than one begins so. */
  async info(repository: string, expression: string): Promise<ObjectInfo | undefined> {
    return (await this.#pair(repository).check.ask(expression))?.info;
  }

  /** As `info`, with its bytes. Ask `info` first where the size is not known to be small. */
  async read(repository: string, expression: string): Promise<{ info: ObjectInfo; bytes: Buffer } | undefined> {
    return this.#pair(repository).contents.ask(expression);
  }

  /** Ends the processes of one repository, or of all; who still waits is told so. */
  close(repository?: string): void {
    for (const [path, pair] of this.#pairs) {
      if (repository !== undefined && path !== repository) continue;
      clearTimeout(pair.timer);
      pair.check.close();
      pair.contents.close();
      this.#pairs.delete(path);
    }
  }

  #pair(repository: string): { readonly check: Batch; readonly contents: Batch } {
    const known = this.#pairs.get(repository);
    this.#pairs.delete(repository);
    const pair = known ?? {
      check: new Batch(repository, '--batch-check'),
      contents: new Batch(repository, '--batch'),
      timer: setTimeout(() => this.#closeIdle(repository), idleMs).unref(),
    };
    pair.timer.refresh();
    this.#pairs.set(repository, pair);
    for (const [path, other] of this.#pairs) {
      if (this.#pairs.size <= maxRepositories) break;
      if (!other.check.isBusy && !other.contents.isBusy && path !== repository) this.close(path);
    }
    return pair;
  }

  #closeIdle(repository: string): void {
    const pair = this.#pairs.get(repository);
    if (pair?.check.isBusy || pair?.contents.isBusy) pair.timer.refresh();
    else this.close(repository);
  }
}

type BatchAnswer = { readonly info: ObjectInfo; readonly bytes: Buffer } | undefined;

/** One `git cat-file`, with the questions that wait for its answers. */
class Batch {
  readonly #repository: string;
  readonly #mode: '--batch' | '--batch-check';
  readonly #waiting: { resolve: (answer: BatchAnswer) => void; reject: (error: Error) => void }[] = [];
  #process: QuietGitProcess | undefined;
  #chunks: Buffer[] = [];
  #sizeBytes = 0;
  /** Set while the bytes of an object are awaited. */
  #awaited: ObjectInfo | undefined;

  constructor(repository: string, mode: '--batch' | '--batch-check') {
    this.#repository = repository;
    this.#mode = mode;
  }

  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  ask(expression: string): Promise<BatchAnswer> {
    if (!askable.test(expression)) throw new TypeError('Cannot ask git for an object by anything but its id');
    const { promise, resolve, reject } = Promise.withResolvers<BatchAnswer>();
    this.#waiting.push({ resolve, reject });
    this.#process ??= this.#start();
    this.#process.stdin.write(`${expression}\n`);
    return promise;
  }

  close(): void {
    const ending = this.#process;
    this.#process = undefined;
    ending?.stdin.end();
    this.#fail('it was closed');
  }

  #start(): QuietGitProcess {
    const child = spawnGitQuietly(['cat-file', this.#mode], { repository: this.#repository });
    const isOver = (why: string): void => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#fail(why);
    };
    // It ends itself when our end of the pipe closes, and must not keep the server from ending.
    child.unref();
    child.stdin.on('error', () => isOver('it closed its input'));
    child.on('error', () => isOver('it did not start'));
    child.on('close', () => isOver('it ended'));
    child.stdout.on('data', (chunk: Buffer) => {
      if (this.#process === child) this.#take(chunk);
    });
    return child;
  }

  #fail(why: string): void {
    this.#chunks = [];
    this.#sizeBytes = 0;
    this.#awaited = undefined;
    for (const { reject } of this.#waiting.splice(0))
      reject(new GantryError('GIT_FAILED', `Cannot read the repository: ${why}`));
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    for (;;) {
      // Joined only once all of an object is there: a large one comes in many pieces.
      if (this.#awaited && this.#sizeBytes < this.#awaited.sizeBytes + 1) return;
      if (this.#sizeBytes === 0) return;
      const bytes = Buffer.concat(this.#chunks);
      const used = this.#awaited ? this.#takeContents(bytes, this.#awaited) : this.#takeHeader(bytes);
      this.#chunks = [bytes.subarray(used)];
      this.#sizeBytes = bytes.length - used;
      if (used === 0) return;
    }
  }

  #takeContents(bytes: Buffer, info: ObjectInfo): number {
    this.#awaited = undefined;
    // A copy: otherwise a small file would keep all that came with it.
    this.#waiting.shift()?.resolve({ info, bytes: Buffer.from(bytes.subarray(0, info.sizeBytes)) });
    return info.sizeBytes + 1;
  }

  #takeHeader(bytes: Buffer): number {
    const end = bytes.indexOf('\n');
    if (end < 0) return 0;
    const found = /^([0-9a-f]{40}) (commit|tree|blob|tag) (\d+)$/.exec(bytes.toString('latin1', 0, end));
    const [, id = '', kind, size] = found ?? [];
    if (!found) this.#waiting.shift()?.resolve(undefined);
    else {
      const info = { id, kind: kind as ObjectInfo['kind'], sizeBytes: Number(size) };
      if (this.#mode === '--batch') this.#awaited = info;
      else this.#waiting.shift()?.resolve({ info, bytes: Buffer.alloc(0) });
    }
    return end + 1;
  }
}

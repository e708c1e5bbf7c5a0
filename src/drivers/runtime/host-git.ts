import { spawn } from 'node:child_process';

/** What git may see of our environment: where its programs are, and nothing else. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
};

/** So many tags of a repository are shown to a step; one that has more has them made by a machine. */
const mostTags = 100_000;
const answerLimitBytes = 64 * 2 ** 20;
const answerTimeMs = 60_000;
/** A hostile repository can make git say a lot. */
const complaintLimitBytes = 16_384;

/** The host's git, reading a bare repository: never a work tree, a hook or a transport. */
export function spawnHostGit(folder: string, args: readonly string[]) {
  return spawn('git', ['-c', 'safe.directory=*', `--git-dir=${folder}`, ...args], {
    cwd: '/',
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** The tags of a repository as lines of `packed-refs`, and what they stand for. */
export async function readTags(folder: string): Promise<{ readonly lines: string; readonly objects: string[] }> {
  const format = '%(objectname) %(refname)%(if)%(*objectname)%(then)%0a^%(*objectname)%(end)';
  const text = await answerOf(folder, ['for-each-ref', `--format=${format}`, `--count=${mostTags}`, 'refs/tags']);
  const objects = text.split('\n').flatMap((line) => /^[0-9a-f]{40,64}(?= )/.exec(line)?.[0] ?? []);
  return { lines: text, objects };
}

/** A history that is to be longer than this is whole: nobody who asks for so much means to save something. */
export const longestHistory = 10_000;

/**
 * Commits at which a history of so many commits ends: git takes them for first ones when `shallow` names them. Counted as
 * `git clone --depth` does, by the shortest way from the tip; none where the history is shorter.
 */
export async function findHistoryEnds(folder: string, commit: string, depth: number): Promise<readonly string[]> {
  if (depth <= 0 || depth > longestHistory) return [];
  const reader = new CommitReader(folder);
  try {
    const seen = new Set<string>([commit]);
    let parents = await reader.parentsOf([commit]);
    for (let distance = 1; distance < depth && parents.size > 0; distance += 1) {
      const next = [...new Set([...parents.values()].flat())].filter((id) => !seen.has(id));
      for (const id of next) seen.add(id);
      parents = await reader.parentsOf(next);
    }
    return [...parents].filter(([, its]) => its.length > 0).map(([id]) => id);
  } finally {
    reader.close();
  }
}

/** One git for all commits that are asked for: a level of a history is one question. */
class CommitReader {
  readonly #git: ReturnType<typeof spawnHostGit>;
  readonly #output: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);

  constructor(folder: string) {
    this.#git = spawnHostGit(folder, ['cat-file', '--batch']);
    this.#git.on('error', () => undefined);
    this.#git.stdin.on('error', () => undefined);
    this.#git.stderr.resume();
    this.#output = this.#git.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async parentsOf(ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const parents = new Map<string, readonly string[]>();
    if (ids.length > 0) this.#git.stdin.write(`${ids.join('\n')}\n`);
    for (const id of ids) {
      const end = await this.#find(10);
      const [, kind, size] = this.#take(end + 1)
        .toString('latin1')
        .trim()
        .split(' ');
      // A commit that is missing is told by the checkout itself.
      if (kind !== 'commit') continue;
      const text = await this.#takeWhole(Number(size) + 1);
      const head = text.toString('latin1').split('\n\n', 1)[0]!;
      parents.set(
        id,
        [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent]) => parent!),
      );
    }
    return parents;
  }

  close(): void {
    this.#git.kill('SIGKILL');
  }

  async #find(byte: number): Promise<number> {
    for (;;) {
      const at = this.#rest.indexOf(byte);
      if (at >= 0) return at;
      await this.#more();
    }
  }

  async #takeWhole(size: number): Promise<Buffer> {
    while (this.#rest.length < size) await this.#more();
    return this.#take(size);
  }

  #take(size: number): Buffer {
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#output.next();
    if (done) throw new Error('git ended while a history was read');
    this.#rest = Buffer.concat([this.#rest, value]);
  }
}

function answerOf(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const git = spawnHostGit(folder, args);
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    let complaint = '';
    const timer = setTimeout(() => git.kill('SIGKILL'), answerTimeMs);
    git.stdout.on('data', (bytes: Buffer) => {
      sizeBytes += bytes.length;
      if (sizeBytes > answerLimitBytes) git.kill('SIGKILL');
      else parts.push(bytes);
    });
    git.stderr.on('data', (bytes: Buffer) => {
      if (complaint.length < complaintLimitBytes) complaint += bytes.toString('utf8');
    });
    git.stdin.on('error', () => undefined);
    git.stdin.end();
    git.once('error', reject);
    git.once('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(Buffer.concat(parts).toString('utf8'));
      else reject(new Error(`git ${args[0]} ended with ${code ?? 'a signal'}: ${complaint.trim()}`));
    });
  });
}

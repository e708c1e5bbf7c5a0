import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/lib/clock.ts';
import { jsonLogger } from '../../src/lib/logger.ts';
import { openStore, type StoreLocation } from '../../src/store/open-store.ts';
import { mustGit, type PushRecord, readRecord } from './code-server.ts';

const program = fileURLToPath(new URL('code-server-process.ts', import.meta.url));

/** A server of git and projects in a process of its own, over a data folder that outlives it. */
export class KillableCodeServer {
  readonly dataFolder: string;
  readonly #location: StoreLocation;
  process: ChildProcess | undefined;
  #lines: Interface | undefined;
  url = '';
  projectId = 0;

  constructor(dataFolder: string, location: StoreLocation) {
    this.dataFolder = dataFolder;
    this.#location = location;
  }

  /** Over the given database, or a SQLite file in its data folder. */
  static async make(location?: StoreLocation): Promise<KillableCodeServer> {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-kill-'));
    return new KillableCodeServer(folder, location ?? { kind: 'file', path: join(folder, 'gantry.db') });
  }

  get repository(): string {
    return join(this.dataFolder, 'repositories', `${this.projectId}.git`);
  }

  /** The address to push to, with a name in it. */
  remote(name = 'mei'): string {
    return `${this.url.replace('://', `://${name}:x@`)}/mei/shop.git`;
  }

  async start(options: { readonly failpoints?: string; readonly wrapper?: readonly string[] } = {}): Promise<void> {
    const [wrapper, ...its] = options.wrapper ?? [];
    const own = [program, this.dataFolder, JSON.stringify(this.#location)];
    const child = spawn(wrapper ?? process.execPath, wrapper ? [...its, process.execPath, ...own] : own, {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A group of its own: with a wrapper around it, ending the wrapper alone would leave the server.
      detached: true,
      env: { ...process.env, ...(options.failpoints ? { GANTRY_FAILPOINTS: options.failpoints } : {}) },
    });
    this.process = child;
    this.#lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([
      once(this.#lines, 'line'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The server ended at its start with ${String(code)}`);
      }),
    ])) as [string];
    const { url, project } = JSON.parse(line) as { url: string; project: number };
    this.url = url;
    this.projectId = project;
  }

  /** Resolves once the process is gone, for whatever reason. */
  async ended(): Promise<void> {
    const child = this.process;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.ended();
  }

  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    await this.ended();
  }

  #signal(name: 'SIGKILL' | 'SIGTERM'): void {
    const child = this.process;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, name);
  }

  /** Pids of gits that work for this data folder, whoever their parent is. */
  async gits(): Promise<readonly number[]> {
    const wanted = `GANTRY_REPOSITORIES=${join(this.dataFolder, 'repositories')}`;
    const pids: number[] = [];
    for (const name of await readdir('/proc')) {
      const environment = /^\d+$/.test(name) ? await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '') : '';
      if (environment.split('\0').includes(wanted)) pids.push(Number(name));
    }
    return pids;
  }

  async remove(): Promise<void> {
    await this.kill();
    for (const pid of await this.gits()) process.kill(pid, 'SIGKILL');
    await rm(this.dataFolder, { recursive: true, force: true });
  }

  /** What the database says: asked of the server, or looked up while none runs. */
  async record(): Promise<PushRecord> {
    const child = this.process;
    if (this.#lines && child?.exitCode === null && child.signalCode === null) {
      const answer = once(this.#lines, 'line') as Promise<[string]>;
      child.stdin?.write('\n');
      return JSON.parse((await answer)[0]) as PushRecord;
    }
    const store = await openStore(this.#location, { clock: systemClock, logger: jsonLogger('error') });
    try {
      return await readRecord(store, this.projectId);
    } finally {
      await store.close();
    }
  }

  /** References as they stand on disk. */
  async refs(): Promise<ReadonlyMap<string, string>> {
    const text = await mustGit(
      ['--git-dir', this.repository, 'for-each-ref', '--format=%(refname) %(objectname)'],
      '/',
    );
    return new Map(
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ') as [string, string]),
    );
  }

  async fsck(): Promise<string> {
    return mustGit(['--git-dir', this.repository, 'fsck', '--full', '--strict', '--no-dangling', '--no-progress'], '/');
  }
}

/** Why strace cannot be used here; `undefined` when it can. */
export function straceProblem(): string | undefined {
  try {
    execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'strace is not installed, or may not trace here';
  }
}

/** A work tree with a first commit on main. */
export async function makeTree(
  folder: string,
): Promise<{ readonly commit: (text: string) => Promise<string>; readonly first: string }> {
  await mkdir(folder, { recursive: true });
  await mustGit(['init', '--quiet'], folder);
  const commit = async (text: string): Promise<string> => {
    await writeFile(join(folder, 'file.txt'), text);
    await mustGit(['add', '.'], folder);
    await mustGit(['commit', '--quiet', '-m', text], folder);
    return mustGit(['rev-parse', 'HEAD'], folder);
  };
  return { commit, first: await commit('first') };
}

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Client, createClient } from '../../src/api/client.ts';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { isFinished } from '../../src/core/pipeline.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
const gantry = join(root, 'bin/gantry');

export interface GantryProcessOptions {
  readonly runtime?: 'scripted' | 'sandbox' | 'docker' | 'auto';
  /** Further settings, by variable. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A whole Gantry as its users start it: a server of its own, its runner, a data folder, an admin. */
export class GantryProcess {
  readonly folder: string;
  readonly token: string;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #url = '';

  private constructor(folder: string, token: string, environment: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.token = token;
    this.#environment = environment;
  }

  /** Sets up and starts. `dispose` ends and removes everything. */
  static async start(options: GantryProcessOptions = {}): Promise<GantryProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-e2e-'));
    const environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      // What was compiled for one of them serves the next.
      NODE_COMPILE_CACHE: join(process.env['HOME'] ?? folder, '.cache/gantry/compiled'),
      GANTRY_DATA: join(folder, 'data'),
      GANTRY_PORT: '0',
      GANTRY_RUN: join(folder, 'run'),
      GANTRY_CACHE: process.env['GANTRY_CACHE'] ?? join(process.env['HOME'] ?? folder, '.cache/gantry'),
      GANTRY_RUNTIME: options.runtime ?? 'scripted',
      ...options.settings,
    };
    const { stdout } = await run(gantry, ['setup', '--admin', 'admin', '--json'], { env: environment });
    const made = new GantryProcess(folder, (JSON.parse(stdout) as { token: string }).token, environment);
    await made.startServer();
    return made;
  }

  get url(): string {
    return this.#url;
  }

  get client(): Client {
    return createClient(this.#url, () => ({ Authorization: `Bearer ${this.token}` }));
  }

  get dataFolder(): string {
    return this.#environment['GANTRY_DATA']!;
  }

  /** Starts the server (again); `failpoints` as GANTRY_FAILPOINTS takes them, `settings` for this start alone. */
  async startServer(failpoints = '', settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = spawn(gantry, ['serve'], {
      env: { ...this.#environment, ...settings, GANTRY_FAILPOINTS: failpoints },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let lastWords = '';
    child.stderr.on('data', (bytes: Buffer) => {
      lastWords = `${lastWords}${bytes.toString()}`.slice(-8_000);
    });
    const ended = once(child, 'exit').then(() => undefined);
    const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
    const first = await Promise.race([line.then(([text]) => text), ended]);
    if (first === undefined) throw new Error(`The server ended at once: ${lastWords}`);
    this.#child = child;
    this.#url = (JSON.parse(first) as { url: string }).url;
  }

  get serverPid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('There is no server');
    return pid;
  }

  /** Whether the server process is there. */
  get isServing(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Exit code and signal of the last server, once it has ended. */
  get lastExit(): { readonly code: number | null; readonly signal: NodeJS.Signals | null } {
    return { code: this.#child?.exitCode ?? null, signal: this.#child?.signalCode ?? null };
  }

  /** Resolves when the server process is gone, by its own doing or ours. */
  async serverEnded(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async signalServer(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.serverEnded();
  }

  /** Pids of the runners that live, as they left word of themselves. */
  async runnerPids(): Promise<number[]> {
    const { stdout } = await run('pgrep', ['-f', 'main\\.[jt]s runner --settings -']).catch(() => ({ stdout: '' }));
    const pids = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
    const ours = await Promise.all(
      pids.map(async (pid) => {
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        return environment.split('\0').includes(`HOME=${this.folder}`);
      }),
    );
    return pids.filter((_, i) => ours[i]);
  }

  async createProject(name: string): Promise<void> {
    await this.client('createProject', { body: { owner: 'admin', name } });
  }

  /**
   * Commits the files on top of what was pushed before and pushes, to a branch or to the whole name of a reference;
   * rejects when git does. Answers the commit.
   */
  async push(
    project: string,
    files: Readonly<Record<string, string>>,
    ref = 'main',
    pushOptions: readonly string[] = [],
  ): Promise<string> {
    const tree = join(this.folder, `tree-${project}`);
    const git = async (...args: string[]): Promise<string> => {
      const { stdout } = await run('git', args, {
        cwd: tree,
        env: {
          PATH: process.env['PATH'] ?? '',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_TERMINAL_PROMPT: '0',
          GIT_AUTHOR_NAME: 'Mei',
          GIT_AUTHOR_EMAIL: 'mei@example.com',
          GIT_COMMITTER_NAME: 'Mei',
          GIT_COMMITTER_EMAIL: 'mei@example.com',
        },
      });
      return stdout.trim();
    };
    await mkdir(tree, { recursive: true });
    if (!(await readFile(join(tree, '.git/HEAD')).catch(() => undefined))) await git('init', '-q', '-b', 'main');
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(tree, name)), { recursive: true });
      await writeFile(join(tree, name), text);
    }
    await git('add', '--all');
    await git('commit', '-q', '--allow-empty', '-m', `Change ${Object.keys(files).join(', ')}`);
    const address = this.#url.replace('http://', `http://admin:${this.token}@`);
    const options = pushOptions.map((option) => `--push-option=${option}`);
    await git(
      'push',
      '-q',
      ...options,
      `${address}/admin/${project}.git`,
      `HEAD:${ref.startsWith('refs/') ? ref : `refs/heads/${ref}`}`,
    );
    return git('rev-parse', 'HEAD');
  }

  /** The pipeline once it has ended; throws when it does not within the time. */
  async finished(project: string, number: number, withinMs = 60_000): Promise<PipelineDetail> {
    return this.until(project, number, (pipeline) => isFinished(pipeline.status), withinMs);
  }

  async until(
    project: string,
    number: number,
    isTrue: (pipeline: PipelineDetail) => boolean,
    withinMs = 60_000,
  ): Promise<PipelineDetail> {
    const deadline = performance.now() + withinMs;
    let last: PipelineDetail | undefined;
    while (performance.now() < deadline) {
      last = await this.client('getPipeline', { params: { owner: 'admin', project, number } }).catch(() => undefined);
      if (last && isTrue(last)) return last;
      await sleep(50);
    }
    throw new Error(`Pipeline ${number} of ${project} is still ${JSON.stringify(last, undefined, 1)}`);
  }

  async log(project: string, number: number, stepId: number): Promise<string> {
    const response = await fetch(
      `${this.#url}/api/v1/projects/admin/${project}/pipelines/${number}/steps/${stepId}/log`,
      { headers: { Authorization: `Bearer ${this.token}` } },
    );
    return response.ok ? response.text() : '';
  }

  /** Runs a command of the command line as its users do, signed in. */
  async command(...words: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const env = { ...this.#environment, GANTRY_URL: this.#url, GANTRY_TOKEN: this.token };
    return run(gantry, words, { env, cwd: this.folder });
  }

  /** A moment between two looks at something that tells nobody of its changes. */
  pause(): Promise<void> {
    return sleep(50);
  }

  /** Ends server and runners of this data folder and removes everything. */
  async dispose(): Promise<void> {
    await this.signalServer('SIGKILL');
    for (const pid of await this.runnerPids()) process.kill(pid, 'SIGINT');
    for (let i = 0; i < 200 && (await this.runnerPids()).length > 0; i += 1) await sleep(50);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { timed } from '../harness.ts';

const run = promisify(execFile);
const version = '4.75.1';
const patienceMs = 600_000;

/** gitlab-ci-local with its shell executor: no container is started, which flatters it. */
export class GitlabCiLocal {
  readonly #program: string;
  readonly #folder: string;

  private constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  /** Installs it into a folder of its own; answers why there is none where it cannot be had. */
  static async start(files: Readonly<Record<string, string>>): Promise<GitlabCiLocal | string> {
    const isThere = await run('rsync', ['--version']).then(
      () => true,
      () => false,
    );
    if (!isThere) return 'gitlab-ci-local needs rsync: apt-get install rsync';
    const home = process.env['HOME'] ?? '/root';
    const install = join(home, '.cache/gantry/bench', `gitlab-ci-local-${version}`);
    const program = join(install, 'node_modules/.bin/gitlab-ci-local');
    try {
      await access(program).catch(async () => {
        await mkdir(install, { recursive: true });
        await writeFile(join(install, 'package.json'), '{"private": true}');
        const wanted = ['install', `gitlab-ci-local@${version}`, '--no-audit', '--no-fund', '--ignore-scripts'];
        await run('npm', wanted, { cwd: install, timeout: patienceMs });
      });
    } catch (error) {
      return `gitlab-ci-local cannot be had here: ${error instanceof Error ? error.message : String(error)}`;
    }
    const folder = await mkdtemp(join(tmpdir(), 'bench-gitlab-'));
    const peer = new GitlabCiLocal(program, folder);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    for (const args of [
      ['init', '-q', '-b', 'main'],
      ['remote', 'add', 'origin', 'https://gitlab.example/bench/bench.git'],
      ['add', '--all'],
      ['-c', 'user.name=bench', '-c', 'user.email=bench@example.com', 'commit', '-qm', 'all'],
    ])
      await run('git', args, { cwd: folder });
    return peer;
  }

  /** Milliseconds of one whole pipeline. */
  runPipeline(): Promise<number> {
    return timed(async () => {
      // Node of this program: it wants 22 or newer.
      const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
      await run(this.#program, ['--shell-executor-no-image', '--no-color'], {
        cwd: this.#folder,
        env,
        timeout: patienceMs,
        maxBuffer: 64 * 2 ** 20,
      });
    });
  }

  stop(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

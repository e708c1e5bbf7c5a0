import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { timed } from '../harness.ts';

const run = promisify(execFile);
const version = '4.75.1';
const patienceMs = 600_000;

/** An engine that it starts containers with, and an image there that has a shell. */
export interface PeerEngine {
  readonly address: string;
  readonly image: string;
}

/** gitlab-ci-local: with an engine as it is mostly used; without one each job is a shell on this host, which flatters it. */
export class GitlabCiLocal {
  readonly #program: string;
  readonly #folder: string;
  readonly #engine: PeerEngine | undefined;

  private constructor(program: string, folder: string, engine: PeerEngine | undefined) {
    this.#program = program;
    this.#folder = folder;
    this.#engine = engine;
  }

  /** Installs it into a folder of its own; answers why there is none where it cannot be had. */
  static async start(files: Readonly<Record<string, string>>, engine?: PeerEngine): Promise<GitlabCiLocal | string> {
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
    const peer = new GitlabCiLocal(program, folder, engine);
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
      const env = {
        ...process.env,
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        ...(this.#engine ? { DOCKER_HOST: this.#engine.address } : {}),
      };
      // Its helper image is on a registry of the internet: any with a shell does.
      const place = this.#engine
        ? ['--pull-policy', 'if-not-present', '--helper-image', this.#engine.image]
        : ['--shell-executor-no-image'];
      await run(this.#program, [...place, '--no-color'], {
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

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Benchmark } from './harness.ts';
import { StreamReader } from './stream-reader.ts';
import { WholeWorld } from './whole-world.ts';

const run = promisify(execFile);
const turboVersion = '2.11.11';
const packages = Array.from({ length: 20 }, (_, index) => `package-${index + 1}`);

const file = packages
  .map(
    (name) => `kind: pipeline
name: ${name}
steps:
  - {name: build, image: base/busybox, commands: [cat packages/${name}/source], when: {paths: packages/${name}/**}}
`,
  )
  .join('---\n');

export const benchmark: Benchmark = {
  id: 'P9',
  title: 'monorepo of 20 packages, and a push that changes none of them',
  async prepare() {
    const sources = Object.fromEntries(packages.map((name) => [`packages/${name}/source`, name]));
    const world = await WholeWorld.start({ runtime: 'sandbox' }, { '.gantry.yml': file, ...sources });
    const peer = await prepareTurbo();
    let count = 0;

    /** From the start of the push (add and commit included) to green, and from its acknowledgement. */
    async function push(): Promise<{ readonly wholeMs: number; readonly afterAckMs: number }> {
      const stream = await StreamReader.open(world.gantry, ['project:admin/bench']);
      const startedMs = performance.now();
      const pushed = world.gantry.push('bench', { README: String(++count) }).then(() => performance.now());
      const end = await stream.until(
        ({ event, data }) =>
          event === 'happening' && data['type'] === 'pipeline-changed' && data['status'] === 'passed',
      );
      stream.close();
      return { wholeMs: end.atMs - startedMs, afterAckMs: Math.max(0, end.atMs - (await pushed)) };
    }

    return {
      comparisons: [
        {
          variant: 'acknowledgement → green: 20 decisions are made and kept',
          peer: 'missing' in peer ? 'none' : `turbo ${turboVersion}, all from its cache`,
          unit: 'ms',
          pairs: 30,
          warmUps: 3,
          gantry: async () => (await push()).afterAckMs,
          ...('missing' in peer ? {} : { peerRun: peer.decide }),
          goal: 'p50 ≤ 20 ms, ≥ 5×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 20 && (ratio === undefined || ratio.p50 >= 5),
        },
        {
          variant: 'start of the push → green, git add and commit included',
          peer: 'none',
          unit: 'ms',
          pairs: 30,
          gantry: async () => (await push()).wholeMs,
          goal: 'p50 ≤ 150 ms',
          isMet: ({ gantry }) => gantry.p50 <= 150,
        },
      ],
      notes: 'missing' in peer ? [peer.missing] : [],
      async cleanUp() {
        await world.stop();
        if (!('missing' in peer)) await peer.remove();
      },
    };
  },
};

type Turbo = { readonly decide: () => Promise<number>; readonly remove: () => Promise<void> };

/** The same packages under turbo, everything built and in its cache. */
async function prepareTurbo(): Promise<Turbo | { readonly missing: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-bench-turbo-'));
  const write = async (path: string, value: unknown): Promise<void> => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), typeof value === 'string' ? value : JSON.stringify(value));
  };
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await write('package.json', {
      name: 'bench',
      private: true,
      packageManager: 'npm@11.0.0',
      workspaces: ['packages/*'],
      devDependencies: { turbo: turboVersion },
    });
    await write('turbo.json', { tasks: { build: { outputs: ['out'] } } });
    await write('.gitignore', 'node_modules\nout\n.turbo\n');
    for (const name of packages) {
      const scripts = { build: 'cat source > out' };
      await write(`packages/${name}/package.json`, { name, version: '1.0.0', private: true, scripts });
      await write(`packages/${name}/source`, name);
    }
    const npm = ['install', '--no-audit', '--no-fund', '--ignore-scripts'];
    await run('npm', npm, { cwd: folder, timeout: 120_000 });
    await run('git', ['init', '-q'], { cwd: folder });
    await run('git', ['add', '--all'], { cwd: folder });
    const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.com'];
    await run('git', [...identity, 'commit', '-qm', 'all'], { cwd: folder });
    const decide = async (): Promise<number> => {
      const startedMs = performance.now();
      await run(join(folder, 'node_modules/.bin/turbo'), ['run', 'build', '--no-daemon'], {
        cwd: folder,
        env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
      });
      return performance.now() - startedMs;
    };
    await decide();
    return { decide, remove };
  } catch (error) {
    await remove();
    return { missing: `turbo cannot be had here: ${error instanceof Error ? error.message : String(error)}` };
  }
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CacheRecords } from '../../src/drivers/runtime/caches/cache-records.ts';
import {
  type Generation,
  generationHash,
  generationName,
  startTicksOf,
} from '../../src/drivers/runtime/caches/generation.ts';
import { createSandboxRuntime } from '../../src/drivers/runtime/sandbox/sandbox-runtime.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { VirtualClock } from '../../src/lib/virtual-clock.ts';
import {
  findSandboxHindrance,
  listLeftovers,
  makeBusyboxLayer,
  ownGeneration,
  testImages,
} from '../support/sandbox-world.ts';

const points = [
  'opened',
  'prepared',
  'staging',
  'staged',
  'running',
  'saved',
  'keeping',
  'kept',
  'destroying',
] as const;
const child = join(import.meta.dirname, '../support/sandbox-runner-child.ts');

for (const launcher of ['bubblewrap', 'runc'] as const) {
  describe.skipIf(findSandboxHindrance(launcher))(`a runner with ${launcher} that is killed`, () => {
    const cleanUps: (() => void | Promise<void>)[] = [];
    afterEach(async () => {
      for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
    });

    it.each(points)('takes its steps along and leaves nothing after reaping: %s', async (point) => {
      const folder = mkdtempSync(join(tmpdir(), 'gantry-killed-'));
      cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
      makeBusyboxLayer(join(folder, 'layer'));
      const mark = String(randomInt(30_000_000, 39_999_999));
      const runner = spawn(process.execPath, [child, launcher, folder, point, mark], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      cleanUps.push(() => void runner.kill('SIGKILL'));
      await lineOf(runner, `at ${point}`);
      const generation = {
        ...ownGeneration('killed'),
        pid: runner.pid!,
        startTicks: startTicksOf(runner.pid!)!,
      };
      const options = { folder: join(folder, 'data'), runFolder: join(folder, 'run'), generation };
      const ended = new Promise((resolve) => runner.once('exit', resolve));
      runner.kill('SIGKILL');
      await ended;

      // Its death alone ends every process it ever started, before anybody reaps.
      await eventually(() => expect(processesOf(folder, mark)).toEqual([]));
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(folder);

      const next = await createSandboxRuntime({
        launcher,
        ...options,
        generation: ownGeneration('killed'),
        images: testImages(join(folder, 'layer')),
        network: { isEnabled: true },
        clock: systemClock,
        logger: silentLogger,
      });
      cleanUps.push(() => next.close());
      const said = await next.reap();
      expect(said.join('\n')).toContain(generationName(generation));
      expectWholeCaches(join(folder, 'data/caches'));
      expect(said.join('\n')).not.toContain('not the');
      await eventually(() => {
        expect(listLeftovers(options)).toEqual([]);
        expect(findGeneration(options.folder, generation)).toEqual([]);
      });
      expect(await next.reap()).toEqual([]);
    });
  });
}

describe.skipIf(findSandboxHindrance('bubblewrap'))('a runner of another instance', () => {
  it('that was killed is cleared away by any runner of the host after a while; one that lives is not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-killed-'));
    makeBusyboxLayer(join(folder, 'layer'));
    const mark = String(randomInt(30_000_000, 39_999_999));
    const start = async (name: string): Promise<{ process: ChildProcess; generation: Generation; folder: string }> => {
      const own = join(folder, name);
      cpSync(join(folder, 'layer'), join(own, 'layer'), { recursive: true, verbatimSymlinks: true });
      const runner = spawn(process.execPath, [child, 'bubblewrap', own, 'staged', mark], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await lineOf(runner, 'at staged');
      const { pid } = runner;
      return {
        process: runner,
        folder: own,
        generation: { ...ownGeneration('killed'), pid: pid!, startTicks: startTicksOf(pid!)! },
      };
    };
    const [dead, living] = [await start('dead'), await start('living')];
    const clock = new VirtualClock();
    const next = await createSandboxRuntime({
      launcher: 'bubblewrap',
      folder: join(folder, 'data'),
      runFolder: join(folder, 'run'),
      generation: ownGeneration('another'),
      images: testImages(join(folder, 'layer')),
      network: { isEnabled: true },
      clock,
      logger: silentLogger,
    });
    const onHost = ({ generation }: { generation: Generation }): readonly string[] =>
      findGeneration(join(folder, 'nowhere'), generation);
    const ended = new Promise((resolve) => dead.process.once('exit', resolve));
    try {
      dead.process.kill('SIGKILL');
      await ended;
      const traces = [onHost(dead), onHost(living)];
      expect(traces.map((found) => found.length > 2)).toEqual([true, true]);

      // Its own next runner comes first.
      expect((await next.reap()).join()).not.toContain(generationName(dead.generation));
      expect(onHost(dead)).toEqual(traces[0]);
      clock.jump(60_000);
      expect((await next.reap()).join()).toContain(`network of the runner ${generationName(dead.generation)}`);
      await eventually(() => expect(onHost(dead)).toEqual([]));
      expect(onHost(living)).toEqual(traces[1]);
    } finally {
      const alsoEnded = new Promise((resolve) => living.process.once('exit', resolve));
      living.process.kill('SIGKILL');
      await alsoEnded;
      await next.reap();
      clock.jump(60_000);
      await next.reap();
      await next.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function findGeneration(folder: string, generation: Parameters<typeof generationName>[0]): readonly string[] {
  const name = generationName(generation);
  const hash = generationHash(name);
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return [
    ...readdirSync('/sys/fs/cgroup').map((controller) => `/sys/fs/cgroup/${controller}/${name}`),
    `/sys/fs/cgroup/${name}`,
    `/sys/class/net/gantry${hash}`,
    join(folder, 'generations', name),
    join(folder, '../run', name),
  ]
    .filter((path) => existsSync(path))
    .concat(tables.includes(`gantry_${hash}`) ? [`table gantry_${hash}`] : []);
}

/** Processes that belong to the runner: by its folder in their command line, or by the mark of its step. */
function processesOf(folder: string, mark: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      const path = `/proc/${pid}/cmdline`;
      try {
        return existsSync(path) ? readFileSync(path, 'utf8').replaceAll('\0', ' ') : '';
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(folder) || line.includes(mark));
}

function lineOf(runner: ChildProcess, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    runner.stdout!.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes(line)) resolve();
    });
    runner.once('exit', (code) => reject(new Error(`the runner ended with ${code} before "${line}": ${text}`)));
  });
}

/** Tries until it passes, for 10 s: what ends on its own time has no event to wait for. */
async function eventually(check: () => void): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** Each layer has a record, and each record its layers: half an entry is none. */
function expectWholeCaches(root: string): void {
  const records = new CacheRecords(root, 1);
  const layers = existsSync(records.layersFolder) ? readdirSync(records.layersFolder) : [];
  expect(layers).toEqual(records.list().flatMap(({ record }) => record.layers.map(({ id }) => id)));
  const names = existsSync(records.folder) ? readdirSync(records.folder) : [];
  expect(names.filter((name) => name.endsWith('.new'))).toEqual([]);
}

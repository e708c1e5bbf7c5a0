import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  busyboxImage,
  findSandboxHindrance,
  openSandboxWorld,
  ownGeneration,
  type SandboxWorld,
} from '../../../../test/support/sandbox-world.ts';
import { type CacheAccess, type CacheEvent, protectedScope } from '../../../core/cache.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { CachePlan } from '../../../core/plan.ts';
import { createCacheShelf } from '../caches/cache-records.ts';
import type { Runtime, RuntimeJob } from '../runtime.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'caches in sandboxes';
const workspace = '/drone/src';

interface StepRun {
  readonly outcome: Outcome;
  readonly output: string;
  readonly events: readonly CacheEvent[];
}

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let world: SandboxWorld;
  let jobs = 0;
  beforeAll(async () => {
    world = await openSandboxWorld('bubblewrap', {
      caches: { entryBytes: 20 * 2 ** 20, projectBytes: 40 * 2 ** 20, totalBytes: 60 * 2 ** 20 },
    });
  });
  afterAll(() => world.close());

  const access = (projectId: number, scope = protectedScope): CacheAccess => ({ projectId, scope, pipeline: 7 });
  const prepare = (caches: CacheAccess, runtime: Runtime = world.runtime): Promise<RuntimeJob> => {
    jobs += 1;
    return runtime.prepare({ id: `w${jobs}-a1-t1`, workspace, caches });
  };
  async function step(job: RuntimeJob, id: string, script: string, cache?: CachePlan): Promise<StepRun> {
    const events: CacheEvent[] = [];
    let output = '';
    const staged = await job.stage({
      id: `${job.spec.id}-${id}`,
      name: id,
      kind: 'commands',
      image: busyboxImage,
      pull: 'default',
      limits: {},
      network: 'job',
      cache,
    });
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 60_000,
      graceMs: 1_000,
      onCache: (event) => events.push(event),
      onOutput: (_stream, bytes) => {
        output += bytes.toString('utf8');
      },
    });
    return { outcome: await running.outcome, output, events };
  }
  /** One step in a job of its own. */
  async function alone(caches: CacheAccess, script: string, cache: CachePlan, runtime?: Runtime): Promise<StepRun> {
    const job = await prepare(caches, runtime);
    try {
      return await step(job, 's', script, cache);
    } finally {
      await job.destroy();
    }
  }
  const plan = (
    key: string,
    restore: readonly string[] = [],
    paths = [`${workspace}/modules`, '/root/.store'],
  ): CachePlan => ({
    key,
    restore,
    paths,
  });
  const kinds = ({ events }: StepRun): readonly string[] => events.map(({ kind }) => kind);
  const shelf = () => createCacheShelf(join(world.options.folder, 'caches'));
  const passed = { kind: 'exited', exitCode: 0 };

  it('give a later job what a step left, in the workspace and elsewhere', async () => {
    const first = await alone(
      access(1),
      'echo one > modules/a; mkdir /root/.store/d; echo two > /root/.store/d/b',
      plan('k'),
    );
    expect(first.outcome).toEqual(passed);
    expect(first.events).toMatchObject([
      { kind: 'missed', key: 'k' },
      { kind: 'saved', key: 'k' },
    ]);
    const second = await alone(access(1), 'cat modules/a /root/.store/d/b', plan('k'));
    expect(second.events).toMatchObject([{ kind: 'restored', key: 'k', from: 'k', savedBy: 7 }]);
    expect(second.output).toBe('one\ntwo\n');
    // It can be taken before it is on the disk, which is when it is on the shelf.
    await expect.poll(() => shelf().list(1), { timeout: 20_000 }).toHaveLength(1);
    const [entry] = await shelf().list(1);
    expect(entry).toMatchObject({ key: 'k', scope: protectedScope, savedBy: 7, paths: plan('k').paths });
    expect(entry!.sizeBytes).toBeGreaterThan(0);
  });

  it('never change: a step that writes, deletes and renames all of it leaves the next one the same', async () => {
    await alone(access(2), 'echo x > modules/a; mkdir modules/d; echo y > modules/d/b', plan('k'));
    const wrecked = await alone(
      access(2),
      'echo bad > modules/a; rm -r modules/d; mkdir modules/d; echo bad > modules/d/c; mv modules/a modules/e; chmod 000 modules/e; echo bad > /root/.store/x',
      plan('k'),
    );
    expect(wrecked.outcome).toEqual(passed);
    expect(kinds(wrecked)).toEqual(['restored']);
    const after = await alone(access(2), 'cat modules/a modules/d/b; ls modules modules/d /root/.store', plan('k'));
    expect(after.output.split('\n').map((line) => line.trim())).toEqual(
      expect.arrayContaining(['x', 'y', 'a', 'd', 'b']),
    );
    expect(after.output).not.toMatch(/bad|\bc\b|\be\b/);
  });

  it('begin with the nearest that restore names, and save the merged content under the new key, many times over', async () => {
    await alone(access(3), 'echo 0 > modules/f0; echo old > modules/changed', plan('npm-0'));
    for (let round = 1; round <= 6; round += 1) {
      const ran = await alone(
        access(3),
        `test -f modules/f${round - 1} && echo ${round} > modules/f${round} && echo ${round} > modules/changed && rm -f modules/gone; touch modules/gone`,
        plan(`npm-${round}`, [`npm-${round - 1}`, 'npm-']),
      );
      expect(ran.outcome, ran.output).toEqual(passed);
      expect(ran.events).toMatchObject([{ kind: 'restored', from: `npm-${round - 1}` }, { kind: 'saved' }]);
    }
    const last = await alone(access(3), 'cat modules/f* modules/changed', plan('npm-6'));
    expect(last.output).toBe('0\n1\n2\n3\n4\n5\n6\n6\n');
    const first = await alone(access(3), 'cat modules/*', plan('npm-0'));
    expect(first.output).toBe('old\n0\n');
  });

  it('tell the nearest key that nobody asked for', async () => {
    await alone(access(4), 'touch modules/a', plan('npm-1'));
    const missed = await alone(access(4), 'true', plan('npm-2'));
    expect(missed.events).toMatchObject([
      { kind: 'missed', nearest: 'npm-1' },
      { kind: 'not-saved', why: 'its paths are empty' },
    ]);
  });

  it('are not saved by a step that fails', async () => {
    const failed = await alone(access(5), 'touch modules/a; exit 3', plan('k'));
    expect(kinds(failed)).toEqual(['missed']);
    expect(await shelf().list(5)).toEqual([]);
  });

  it('of a branch are read by that branch alone; it reads those of the protected ones and never replaces them', async () => {
    const feature = access(6, 'refs/heads/feature');
    const poison = await alone(feature, 'echo poison > modules/a', plan('k', ['k']));
    expect(kinds(poison)).toEqual(['missed', 'saved']);
    const main = await alone(access(6), 'echo good > modules/a', plan('k', ['k', 'poison']));
    expect(kinds(main)).toEqual(['missed', 'saved']);
    expect((await alone(access(6), 'cat modules/a', plan('k'))).output).toBe('good\n');
    expect(kinds(await alone(access(6, 'refs/heads/other'), 'true', plan('k')))).toEqual(['restored']);
    expect((await alone(access(6, 'refs/heads/other'), 'cat modules/a', plan('k'))).output).toBe('good\n');
    const own = await alone(access(6, 'refs/heads/other'), 'echo bad > modules/a', plan('new', ['k']));
    expect(kinds(own)).toEqual(['restored', 'saved']);
    expect(kinds(await alone(access(6), 'true', plan('new')))).toEqual(['missed', 'not-saved']);
    expect(kinds(await alone(access(66), 'true', plan('k')))).toEqual(['missed', 'not-saved']);
  });

  it('in the workspace are seen by the steps that follow, as without a cache; saved is what the first had left', async () => {
    const job = await prepare(access(8));
    const first = await step(job, 'install', 'echo one > modules/a', plan('k'));
    expect(kinds(first)).toEqual(['missed', 'saved']);
    const second = await step(job, 'test', 'cat modules/a; echo two > modules/a; echo three > modules/b');
    expect(second.output).toBe('one\n');
    const third = await step(job, 'again', 'cat modules/a modules/b', plan('k'));
    expect(third.output).toBe('two\nthree\n');
    expect(third.events).toMatchObject([{ kind: 'shared', step: 'install' }]);
    const other = await step(job, 'other', 'cat modules/a', plan('l', [], [`${workspace}/modules`]));
    expect(other.events).toMatchObject([{ kind: 'unused' }]);
    expect(other.output).toBe('two\n');
    await job.destroy();
    expect((await alone(access(8), 'ls modules; cat modules/a', plan('k'))).output).toBe('a\none\n');
  });

  it('are not mounted over files of the workspace or the image, nor through a link, which is said', async () => {
    const job = await prepare(access(9));
    await step(job, 'before', 'mkdir modules; echo mine > modules/a; ln -s /etc link');
    const ran = await step(
      job,
      's',
      'cat modules/a; ls /etc',
      plan('k', [], [`${workspace}/modules`, `${workspace}/link`, '/home']),
    );
    expect(ran.outcome).toEqual(passed);
    expect(ran.events).toMatchObject([{ kind: 'unused' }]);
    expect(ran.output).toContain('mine');
    expect(ran.output).toContain('passwd');
    await job.destroy();
    expect(await shelf().list(9)).toEqual([]);
  });

  it('are not saved while another step has files open in them, and the step passes all the same', async () => {
    const job = await prepare(access(10));
    const writer = step(
      job,
      'writer',
      'until [ -d modules/in ]; do usleep 1000; done; exec 3> modules/open; touch ready; until [ -f done ]; do usleep 1000; done; echo end >&3',
    );
    const saver = await step(job, 's', 'mkdir modules/in; until [ -f ready ]; do usleep 1000; done', plan('k'));
    expect(saver.outcome).toEqual(passed);
    expect(saver.events).toMatchObject([
      { kind: 'missed' },
      { kind: 'not-saved', why: expect.stringMatching(/open for writing/) },
    ]);
    const after = await step(job, 'after', 'touch modules/more done');
    expect(after.outcome).toEqual(passed);
    expect((await writer).outcome).toEqual(passed);
    await job.destroy();
    expect(await shelf().list(10)).toEqual([]);
  });

  it('are refused beyond their size, and the ones unused for longest make room', async () => {
    const tooLarge = await alone(access(11), 'dd if=/dev/zero of=modules/big bs=1M count=21 2>/dev/null', plan('big'));
    expect(tooLarge.outcome).toEqual(passed);
    expect(tooLarge.events).toMatchObject([
      { kind: 'missed' },
      { kind: 'not-saved', why: expect.stringMatching(/20 MiB/) },
    ]);
    const keys = async () => (await shelf().list(11)).map(({ key }) => key);
    // One after the other on the disk: which is the oldest is seen by when it came there.
    for (const name of ['a', 'b', 'c']) {
      await alone(access(11), 'dd if=/dev/zero of=modules/f bs=1M count=15 2>/dev/null', plan(name));
      await expect.poll(keys, { timeout: 20_000 }).toContain(name);
    }
    await expect.poll(keys, { timeout: 20_000 }).toEqual(['c', 'b']);
  });

  it('that were deleted are missed, and their files go', async () => {
    await alone(access(12), 'touch modules/a', plan('k'));
    await expect.poll(async () => (await shelf().list(12)).length, { timeout: 20_000 }).toBe(1);
    const [entry] = await shelf().list(12);
    expect(await shelf().remove(12, '../p1/x')).toBe(false);
    expect(await shelf().remove(12, entry!.id)).toBe(true);
    expect(await shelf().remove(12, entry!.id)).toBe(false);
    expect(kinds(await alone(access(12), 'true', plan('k')))).toEqual(['missed', 'not-saved']);
    await world.runtime.reap();
    expect(readdirSync(join(world.options.folder, 'caches/p12/layers'))).toEqual([]);
  });

  it('outlive the runner; what a crash left without its record does not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-caches-'));
    try {
      const open = (name: string) =>
        openSandboxWorld('bubblewrap', { folder, generation: ownGeneration(name), network: { isEnabled: false } });
      const before = await open('first');
      await alone(access(1), 'echo kept > modules/a', plan('k'), before.runtime);
      await before.close();
      const layers = join(folder, 'caches/p1/layers');
      const kept = readdirSync(layers);
      expect(kept).toHaveLength(1);
      mkdirSync(join(layers, 'ffff/0'), { recursive: true });
      writeFileSync(join(folder, 'caches/p1/ffff.1.new'), '{');
      writeFileSync(join(folder, 'caches/p1/broken.json'), '{');
      const after = await open('second');
      expect((await alone(access(1), 'cat modules/a', plan('k'), after.runtime)).output).toBe('kept\n');
      expect(readdirSync(layers)).toEqual(kept);
      expect(readdirSync(join(folder, 'caches/p1')).filter((name) => name.endsWith('.new'))).toEqual([]);
      await after.close();
      expect(statSync(join(layers, kept[0]!)).isDirectory()).toBe(true);
      expect(readFileSync(join(layers, kept[0]!, '0/a'), 'utf8')).toBe('kept\n');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

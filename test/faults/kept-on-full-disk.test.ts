import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { busyboxImage, findSandboxHindrance, openSandboxWorld } from '../support/sandbox-world.ts';
import { findSmallDiskHindrance, SmallDisk } from '../support/small-disk.ts';

const hindrance = findSmallDiskHindrance() ?? findSandboxHindrance('bubblewrap');
const title = 'what a pipeline keeps, on a disk that is full';
const params = { owner: 'admin', project: 'shop' };

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let folder: string | undefined;
  let gantry: GantryProcess | undefined;
  let disk: SmallDisk | undefined;
  afterEach(async () => {
    await gantry?.dispose();
    disk?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** A Gantry of whose data one folder lies on a disk of its own. */
  async function start(
    place: 'blobs' | 'runner',
    sizeMiB: number,
  ): Promise<{ readonly gantry: GantryProcess; readonly disk: SmallDisk }> {
    folder = mkdtempSync(join(tmpdir(), 'gantry-full-'));
    const data = join(folder, 'data');
    disk = new SmallDisk(sizeMiB, join(data, place));
    gantry = await GantryProcess.start({ runtime: 'sandbox', settings: { GANTRY_DATA: data } });
    await gantry.createProject('shop');
    return { gantry, disk };
  }

  const logOf = (made: GantryProcess, { number, steps }: PipelineDetail, name: string): Promise<string> =>
    made.log('shop', number, steps.find((step) => step.name === name)!.id);

  it('is an artifact that ends its step as infrastructure, says why, and leaves nothing; with room again it is kept', async () => {
    const made = await start('blobs', 16);
    const file = (mib: number): string => `
kind: pipeline
name: build
steps:
- name: make
  image: base/busybox
  commands: [mkdir out, dd if=/dev/urandom of=out/big bs=1M count=${mib} 2>/dev/null]
  artifacts: {name: big, paths: [out]}
`;
    await made.gantry.push('shop', { '.gantry.yml': file(2) });
    expect((await made.gantry.finished('shop', 1)).status).toBe('passed');
    made.disk.fill(3 * 2 ** 20);
    await made.gantry.push('shop', { '.gantry.yml': file(6) });
    const full = await made.gantry.finished('shop', 2);
    expect(full.status, JSON.stringify(full.steps)).toBe('infrastructure');
    const sentence = 'Cannot keep the artifact "big": the disk of the server has no room left';
    expect(await logOf(made.gantry, full, 'make')).toContain(sentence);
    expect(full.steps.find(({ name }) => name === 'make')?.reason).toContain(sentence);
    const listed = async (number: number) =>
      (await made.gantry.client('listArtifacts', { params: { ...params, number } })).items;
    expect(await listed(2)).toEqual([]);
    expect(readdirSync(join(made.disk.folder, 'incoming'))).toEqual([]);
    // What was there is whole, and downloads go on.
    const [before] = await listed(1);
    const response = await fetch(`${made.gantry.url}/api/v1/projects/admin/shop/pipelines/1/artifacts/big/file`, {
      headers: { Authorization: `Bearer ${made.gantry.token}` },
    });
    expect((await response.arrayBuffer()).byteLength).toBe(before!.sizeBytes);

    made.disk.relieve();
    await made.gantry.client('rerunPipeline', { params: { ...params, number: 2 }, body: { only: 'failed' } });
    await made.gantry.until('shop', 2, ({ status }) => status === 'passed');
    expect(await listed(2)).toMatchObject([{ name: 'big', attempt: 2 }]);
  });

  it('is a cache or a result that is not kept, with the reason in the log; the step passes, and with room again they are', async () => {
    const made = await start('runner', 96);
    const fill = 'if grep -q yes full; then dd if=/dev/zero of=ballast bs=4k 2>/dev/null || true; fi';
    const file = `
kind: pipeline
name: build
steps:
- name: compile
  image: base/busybox
  commands: [mkdir dist, dd if=/dev/urandom of=dist/out bs=1M count=4 2>/dev/null, '${fill}']
  reuse: {inputs: [src], outputs: [dist]}
- name: install
  image: base/busybox
  commands: [rm -f ballast, mkdir -p modules, test -f modules/a || echo kept > modules/a, '${fill}']
  cache: {key: modules, paths: [modules]}
- {name: look, image: base/busybox, commands: [cat modules/a, stat -c %s dist/out]}
`;
    const run = async (number: number, full: string): Promise<PipelineDetail> => {
      await made.gantry.push('shop', { '.gantry.yml': file, 'src/a.txt': 'a', full });
      const pipeline = await made.gantry.finished('shop', number);
      // Whatever is kept: each of them comes to the same end.
      expect(pipeline.status, JSON.stringify(pipeline.steps)).toBe('passed');
      expect(await logOf(made.gantry, pipeline, 'look')).toContain(`kept\n+ stat -c %s dist/out\n${4 * 2 ** 20}\n`);
      return pipeline;
    };
    const reusedIn = ({ steps }: PipelineDetail): unknown =>
      steps.filter((step) => step.reusedFrom).map(({ name }) => name);
    const full = await run(1, 'yes');
    expect(await logOf(made.gantry, full, 'compile')).toContain(
      'reuse: its result is not kept: the disk has no room left\n',
    );
    // Half a copy is gone at once: the steps after it have what it took.
    expect(await logOf(made.gantry, full, 'install')).toMatch(/cache modules: (?:saved|not saved)/);
    const again = await run(2, 'yes');
    expect(reusedIn(again)).toEqual([]);
    await expect.poll(() => made.disk.freeBytes, { timeout: 30_000 }).toBeGreaterThan(16 * 2 ** 20);

    expect(reusedIn(await run(3, 'no'))).toEqual([]);
    const later = await run(4, 'no');
    expect(reusedIn(later)).toEqual(['compile']);
    expect(await logOf(made.gantry, later, 'install')).toMatch(/cache modules: restored/);
  });

  it('is no bar to the next job: that one begins when what the last one had written is gone', async () => {
    disk = new SmallDisk(64);
    const world = await openSandboxWorld('bubblewrap', { folder: join(disk.folder, 'data') });
    try {
      const job = await world.runtime.prepare({ id: 'w1-a1-t1', workspace: '/work' });
      const staged = await job.stage({
        id: 's1',
        name: 'fill',
        kind: 'commands',
        image: busyboxImage,
        pull: 'default',
        limits: {},
        network: 'job',
      });
      const { outcome } = staged.release({
        script: 'dd if=/dev/zero of=ballast bs=4k 2>/dev/null || true',
        environment: {},
        secrets: {},
        timeoutMs: 60_000,
        graceMs: 1_000,
        onOutput: () => undefined,
      });
      await outcome;
      expect(disk.freeBytes).toBe(0);
      const end = job.destroy();
      const next = await world.runtime.prepare({ id: 'w2-a1-t1', workspace: '/work' });
      expect(disk.freeBytes).toBeGreaterThan(48 * 2 ** 20);
      await Promise.all([end, next.destroy()]);
    } finally {
      await world.close();
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationResult } from '../../src/api/operations.ts';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'caches of a pipeline, in real sandboxes';
const file = (command: string): string => `
kind: pipeline
steps:
- name: install
  image: base/busybox
  commands: ['${command}']
  cache:
    key: npm-{{ checksum "package-lock.json" }}
    restore: [npm-]
    paths: [node_modules]
- name: test
  image: base/busybox
  commands: [cat node_modules/a]
`;
const install = 'test -f node_modules/a || echo fetched > node_modules/a';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry.dispose());

  const logOf = async (project: string, pipeline: PipelineDetail, name: string): Promise<string> =>
    gantry.log(project, pipeline.number, pipeline.steps.find((step) => step.name === name)!.id);

  /** The list once it has entries: an entry is recorded when its content has reached the disk. */
  const listed = async (project: string) => {
    let list: OperationResult<'listCaches'> | undefined;
    await expect
      .poll(
        async () => {
          list = await gantry.client('listCaches', { params: { owner: 'admin', project } });
          return list.items.length;
        },
        { timeout: 60_000 },
      )
      .toBeGreaterThan(0);
    return list!;
  };

  it('are saved and restored, told in log and trace, listed, ignored when asked, and deleted with a record of it', async () => {
    const project = 'cached';
    const { client } = gantry;
    const params = { owner: 'admin', project };
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': file(install), 'package-lock.json': '1' });
    const first = await gantry.finished(project, 1);
    expect(first.status, JSON.stringify(first)).toBe('passed');
    const missed = await logOf(project, first, 'install');
    expect(missed).toMatch(/cache npm-[0-9a-f]{16}: missed: no entry for this key\n/);
    expect(missed).toMatch(/cache npm-[0-9a-f]{16}: saved \d+ KiB in \d+ ms\n/);
    expect(await logOf(project, first, 'test')).toContain('fetched');

    await client('startPipeline', { params, body: {}, idempotencyKey: 'again' });
    const second = await gantry.finished(project, 2);
    expect(await logOf(project, second, 'install')).toMatch(/cache npm-\S+: restored \d+ KiB from #1 in \d+ ms/);
    expect(await logOf(project, second, 'test')).toContain('fetched');
    const times = async (number: number) =>
      (await client('getPipelineTimes', { params: { ...params, number } })).steps.find(
        ({ name }) => name === 'install',
      );
    expect(await times(1)).toMatchObject({ restoreMs: null, saveMs: expect.any(Number) });
    expect(await times(2)).toMatchObject({ restoreMs: expect.any(Number), saveMs: null });
    const why = (await client('explainPipeline', { params: { ...params, number: 2 } })).items.map(
      (item) => item.sentence,
    );
    expect(why.join('\n')).toMatch(/found its cache "npm-[0-9a-f]{16}", saved by #1/);

    await client('startPipeline', { params, body: { ignoresCaches: true }, idempotencyKey: 'without' });
    const without = await gantry.finished(project, 3);
    expect(without.status).toBe('failed');
    expect(await logOf(project, without, 'install')).not.toContain('cache npm');
    const whyNot = (await client('explainPipeline', { params: { ...params, number: 3 } })).items;
    expect(whyNot.some(({ rule }) => rule === 'cache.off')).toBe(true);

    const { items, hits, misses } = await listed(project);
    expect(items).toMatchObject([{ branch: null, savedBy: 1, hits: 1, misses: 1, paths: ['/drone/src/node_modules'] }]);
    expect([hits, misses]).toEqual([1, 1]);
    await client('deleteCache', { params: { ...params, cache: items[0]!.id } });
    expect((await client('listCaches', { params })).items).toEqual([]);
    await expect(client('deleteCache', { params: { ...params, cache: items[0]!.id } })).rejects.toMatchObject({
      problem: { code: 'CACHE_NOT_FOUND' },
    });
    const audit = await client('listProjectAudit', { params, query: {} });
    expect(audit.items.some(({ action }) => action === 'cache:delete')).toBe(true);

    await client('updatePipelineSettings', { params, body: { ignoresCaches: true } });
    await client('startPipeline', { params, body: {}, idempotencyKey: 'switched-off' });
    await gantry.finished(project, 4);
    expect((await client('listCaches', { params })).items).toEqual([]);
  });

  it('of a branch never reach the default branch', async () => {
    const project = 'poisoned';
    const { client } = gantry;
    const params = { owner: 'admin', project };
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': file(install), 'package-lock.json': '1' });
    await gantry.finished(project, 1);
    await client('deleteCache', { params: { ...params, cache: (await listed(project)).items[0]!.id } });
    await gantry.push(project, { '.gantry.yml': file('echo poison > node_modules/a') }, 'evil');
    const evil = await gantry.finished(project, 2);
    expect(await logOf(project, evil, 'install')).toContain('saved');
    expect((await listed(project)).items).toMatchObject([{ branch: 'evil' }]);
    await client('startPipeline', { params, body: { ref: 'main' }, idempotencyKey: 'main' });
    const main = await gantry.finished(project, 3);
    expect(await logOf(project, main, 'install')).toContain('missed');
    expect(await logOf(project, main, 'test')).toContain('fetched');
  });
});

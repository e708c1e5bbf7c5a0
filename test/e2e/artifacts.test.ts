import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const run = promisify(execFile);
const hindrance = findSandboxHindrance('bubblewrap');
const title = 'artifacts between workflows, in real sandboxes';
const two = (
  build: string,
  deploy = 'cat dist/app/hello',
  artifact = '{name: dist, paths: [dist], keep: 7d}',
): string => `
kind: pipeline
name: build
steps:
- name: compile
  image: base/busybox
  commands: ['${build}']
  artifacts: ${artifact}
---
kind: pipeline
name: deploy
use: [dist]
steps:
- name: up
  image: base/busybox
  commands: ['${deploy}']
`;
const make = 'mkdir -p dist/app && echo hello from $DRONE_BUILD_NUMBER > dist/app/hello && ln -s hello dist/app/link';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({
      runtime: 'sandbox',
      settings: { GANTRY_ARTIFACT_LIMIT: '2MiB', GANTRY_ARTIFACT_PROJECT_LIMIT: '5MiB' },
    });
  });
  afterAll(() => gantry.dispose());

  const stepOf = (pipeline: PipelineDetail, name: string) => pipeline.steps.find((step) => step.name === name)!;
  const logOf = async (project: string, pipeline: PipelineDetail, name: string): Promise<string> =>
    gantry.log(project, pipeline.number, stepOf(pipeline, name).id);
  const download = (project: string, number: number, name: string, headers: Record<string, string> = {}) =>
    fetch(`${gantry.url}/api/v1/projects/admin/${project}/pipelines/${number}/artifacts/${name}/file`, {
      headers: { Authorization: `Bearer ${gantry.token}`, ...headers },
    });
  const blobs = async (): Promise<readonly string[]> =>
    (await readdir(join(gantry.dataFolder, 'blobs'), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));

  it('go from one workflow to the next, are downloaded whole and in part, outlive a rerun, and are deleted', async () => {
    const project = 'two';
    const { client } = gantry;
    const params = { owner: 'admin', project };
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': two(make) });
    const first = await gantry.finished(project, 1);
    expect(first.status, JSON.stringify(first.steps)).toBe('passed');
    expect(first.workflows.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ['build', []],
      ['deploy', ['build']],
    ]);
    expect(await logOf(project, first, 'compile')).toMatch(/artifact dist: 4 entries, 1 KiB, kept for 7 d\n/);
    expect(await logOf(project, first, 'artifacts')).toMatch(/artifact dist: 4 entries, 1 KiB, from workflow build\n/);
    expect(await logOf(project, first, 'up')).toContain('hello from 1');

    const { items } = await client('listArtifacts', { params: { ...params, number: 1 } });
    expect(items).toMatchObject([
      { name: 'dist', workflow: 'build', step: 'compile', attempt: 1, entries: 4, isKept: true },
    ]);
    const whole = await download(project, 1, 'dist');
    expect([whole.status, whole.headers.get('content-type'), whole.headers.get('content-disposition')]).toEqual([
      200,
      'application/zstd',
      'attachment; filename="two-1-dist.tar.zst"',
    ]);
    expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(bytes).toHaveLength(items[0]!.sizeBytes);
    expect(zstdDecompressSync(bytes).toString('latin1')).toContain('hello from 1');
    const part = await download(project, 1, 'dist', { Range: 'bytes=2-9' });
    expect([part.status, Buffer.from(await part.arrayBuffer())]).toEqual([206, bytes.subarray(2, 10)]);
    expect((await download(project, 1, 'dist', { 'If-None-Match': whole.headers.get('etag')! })).status).toBe(304);
    expect((await fetch(whole.url)).status).toBe(404);

    await client('rerunPipeline', {
      params: { ...params, number: 1 },
      body: { workflow: 'deploy' },
      idempotencyKey: 'r',
    });
    const again = await gantry.finished(project, 1);
    expect(await logOf(project, again, 'up')).toContain('hello from 1');
    expect((await client('listArtifacts', { params: { ...params, number: 1 } })).items).toMatchObject([{ attempt: 1 }]);

    await client('deleteArtifact', { params: { ...params, number: 1, artifact: 'dist' } });
    expect((await client('listArtifacts', { params: { ...params, number: 1 } })).items).toEqual([]);
    expect((await download(project, 1, 'dist')).status).toBe(404);
    expect(await blobs()).toEqual([]);
    const audit = await client('listProjectAudit', { params, query: {} });
    expect(audit.items.some(({ action }) => action === 'artifact:delete')).toBe(true);
    await client('rerunPipeline', {
      params: { ...params, number: 1 },
      body: { workflow: 'deploy' },
      idempotencyKey: 's',
    });
    const without = await gantry.finished(project, 1);
    expect(without.status).toBe('failed');
    expect(stepOf(without, 'artifacts').reason).toContain('Cannot take the artifact "dist" of workflow "build"');
  });

  it('that are not there, or too large, fail their step with a sentence', async () => {
    const project = 'faults';
    const before = await blobs();
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': two('true') });
    const nothing = await gantry.finished(project, 1);
    expect(nothing.status).toBe('failed');
    expect(stepOf(nothing, 'compile').reason).toBe('Cannot keep the artifact "dist": no file matches its paths');

    await gantry.push(project, { '.gantry.yml': two('mkdir dist && head -c 5000000 /dev/urandom > dist/big') });
    const large = await gantry.finished(project, 2);
    expect(stepOf(large, 'compile').reason).toBe(
      'Cannot keep the artifact "dist": it is larger than 2 MiB, which is what an artifact may have',
    );
    expect(await blobs()).toEqual(before);

    const failing = two(
      'mkdir dist && echo why > dist/log && exit 3',
      'true',
      '{name: dist, paths: [dist], when: failure}',
    );
    await gantry.push(project, { '.gantry.yml': failing });
    const failed = await gantry.finished(project, 3);
    expect(stepOf(failed, 'compile')).toMatchObject({ status: 'failed', exitCode: 3 });
    expect((await download(project, 3, 'dist')).status).toBe(200);
  });

  it('lead neither out of the workspace nor through its links', async () => {
    const project = 'links';
    await gantry.createProject(project);
    const evil =
      'mkdir dist && ln -s /etc/passwd dist/passwd && ln -s ../../../../../../etc dist/etc && echo ok > dist/ok';
    await gantry.push(project, { '.gantry.yml': two(evil, 'ls dist') });
    const pipeline = await gantry.finished(project, 1);
    expect(pipeline.status, JSON.stringify(pipeline.steps)).toBe('passed');
    expect(await logOf(project, pipeline, 'compile')).toContain('left out: dist/passwd is a link that leads out');
    expect(await logOf(project, pipeline, 'up')).toMatch(/^ok$/m);
    const tar = zstdDecompressSync(Buffer.from(await (await download(project, 1, 'dist')).arrayBuffer()));
    expect(tar.toString('latin1')).not.toMatch(/root:|passwd|dist\/etc/);
  });

  it('are listed, downloaded and unpacked, and deleted by the command line', async () => {
    const project = 'cli';
    await gantry.createProject(project);
    await gantry.push(project, { '.gantry.yml': two(make) });
    await gantry.finished(project, 1);
    const gantryCli = (...args: string[]) =>
      run(join(import.meta.dirname, '../../bin/gantry'), [...args, '--project', `admin/${project}`], {
        cwd: gantry.folder,
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: gantry.folder,
          GANTRY_URL: gantry.url,
          GANTRY_TOKEN: gantry.token,
        },
      });
    expect((await gantryCli('artifact', 'list', '1')).stdout).toMatch(/^dist\s/m);
    const { stdout } = await gantryCli('artifact', 'download', '1', 'dist', '--output', 'here');
    expect(stdout).toBe('');
    expect((await readdir(join(gantry.folder, 'here/dist/app'))).toSorted()).toEqual(['hello', 'link']);
    await gantryCli('artifact', 'delete', '1', 'dist', '--yes');
    expect(JSON.parse((await gantryCli('artifact', 'list', '1', '--json')).stdout)).toEqual({ items: [] });
  });
});

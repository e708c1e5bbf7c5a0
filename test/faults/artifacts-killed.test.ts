import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { failpoints } from '../../src/core/failpoints.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

/** Of random bytes, which no compression makes fewer: a dozen pieces. */
const sizeMiB = 6;
const pieceBytes = 512 * 1024;
const file = `
kind: pipeline
name: build
retry: infra
steps:
- name: make
  image: base/busybox
  commands:
  - mkdir out
  - dd if=/dev/urandom of=out/big bs=1M count=${sizeMiB} 2>/dev/null
  - sha256sum out/big
  artifacts: {name: big, paths: [out]}
---
kind: pipeline
name: use
retry: infra
use: [big]
depends_on: [build]
steps:
- {name: look, image: base/busybox, commands: [sha256sum out/big]}
`;
const hindrance = findSandboxHindrance('bubblewrap');
const title = 'an artifact';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  let projects = 0;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
  });
  afterAll(() => gantry?.dispose());

  async function newProject(): Promise<string> {
    projects += 1;
    const project = `shop-${projects}`;
    await gantry.createProject(project);
    return project;
  }

  const listed = async (project: string) =>
    (await gantry.client('listArtifacts', { params: { owner: 'admin', project, number: 1 } })).items;

  const logOf = (project: string, { number, steps }: PipelineDetail, name: string): Promise<string> =>
    gantry.log(project, number, steps.find((step) => step.name === name)!.id);

  const download = (project: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    fetch(`${gantry.url}/api/v1/projects/admin/${project}/pipelines/1/artifacts/big/file`, {
      headers: { Authorization: `Bearer ${gantry.token}`, ...headers },
    });

  /** Files that nobody has a name for, on their way or left behind. */
  async function leftBehind(): Promise<readonly string[]> {
    const names = Array.from({ length: projects }, (_, at) => `shop-${at + 1}`);
    const digests = (await Promise.all(names.map(listed))).flat().map(({ digest }) => digest.replace('sha256:', ''));
    const found = await readdir(join(gantry.dataFolder, 'blobs'), { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile() && !digests.includes(entry.name)).map(({ name }) => name);
  }

  /** Made once, whole, and what who takes it got. */
  async function expectWhole(project: string): Promise<PipelineDetail> {
    // A workflow that lost its runner ends as infrastructure before it is begun again.
    const pipeline = await gantry.until(
      project,
      1,
      ({ status }) => status === 'passed' || status === 'failed',
      150_000,
    );
    expect(pipeline.status, JSON.stringify(pipeline.steps)).toBe('passed');
    const items = await listed(project);
    expect(items).toMatchObject([{ name: 'big', step: 'make' }]);
    const bytes = Buffer.from(await (await download(project)).arrayBuffer());
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(items[0]!.digest);
    const sums = await Promise.all(['make', 'look'].map((name) => logOf(project, pipeline, name)));
    const [made, taken] = sums.map((log) => /^[0-9a-f]{64}/m.exec(log)?.[0]);
    expect(made).toBeDefined();
    expect(taken).toBe(made);
    await expect.poll(leftBehind, { timeout: 30_000 }).toEqual([]);
    return pipeline;
  }

  it.each([
    // In the middle of an upload, on disk and not in the record, in the record and not acknowledged, in a download.
    { at: 'artifact.afterPiece', call: 5, isThere: false },
    { at: 'artifact.beforeRecord', call: 1, isThere: false },
    { at: 'artifact.afterRecord', call: 1, isThere: true },
    { at: 'artifact.beforePart', call: 5, isThere: true },
  ])('is whole or not there when the server is killed at $at', async ({ at, call, isThere }) => {
    expect(failpoints).toContain(at);
    await gantry.signalServer('SIGKILL');
    await gantry.startServer(`${at}=kill@${call}`);
    const project = await newProject();
    await gantry.push(project, { '.gantry.yml': file });
    await gantry.serverEnded();
    expect(gantry.lastExit.signal).toBe('SIGKILL');
    // The runner sends nothing again before the new server has greeted it.
    const [pid] = await gantry.runnerPids();
    process.kill(pid!, 'SIGSTOP');
    try {
      await gantry.startServer();
      expect((await listed(project)).map(({ name }) => name)).toEqual(isThere ? ['big'] : []);
    } finally {
      process.kill(pid!, 'SIGCONT');
    }
    const pipeline = await expectWhole(project);
    // Its step had passed: nothing need run again.
    expect(pipeline.steps.map(({ attempt }) => attempt)).toEqual(pipeline.steps.map(() => 1));
  });

  it('that a person downloads breaks off when the server is killed, and goes on where it was', async () => {
    const project = await newProject();
    await gantry.push(project, { '.gantry.yml': file });
    await expectWhole(project);
    const [artifact] = await listed(project);
    const response = await download(project);
    const reader = response.body!.getReader();
    const parts: Uint8Array[] = [(await reader.read()).value!];
    await gantry.signalServer('SIGKILL');
    const read = async (): Promise<void> => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
    };
    await expect(read()).rejects.toThrow();
    const had = Buffer.concat(parts);
    expect(had.length).toBeLessThan(artifact!.sizeBytes);
    await gantry.startServer();
    const rest = await download(project, {
      Range: `bytes=${had.length}-`,
      'If-Range': response.headers.get('etag')!,
    });
    expect(rest.status).toBe(206);
    const whole = Buffer.concat([had, Buffer.from(await rest.arrayBuffer())]);
    expect(`sha256:${createHash('sha256').update(whole).digest('hex')}`).toBe(artifact!.digest);
  });

  it.each([
    { where: 'an upload', point: 'artifact.afterPiece=hang@5', during: 'make', workflow: 'build', isThere: false },
    // Held up for so long that it is under way when the runner dies, wherever exactly.
    {
      where: 'a download',
      point: 'artifact.beforePart=delay:20000@5',
      during: 'artifacts',
      workflow: 'use',
      isThere: true,
    },
  ])('is whole or not there when the runner is killed in $where, and the next one sees to it', async (lost) => {
    const project = await newProject();
    await gantry.signalServer('SIGKILL');
    await gantry.startServer(lost.point);
    await gantry.push(project, { '.gantry.yml': file });
    await gantry.until(project, 1, ({ steps }) =>
      steps.some(({ name, status }) => name === lost.during && status === 'running'),
    );
    const { dataFolder } = gantry;
    if (!lost.isThere) await expect.poll(() => sizeOfIncoming(dataFolder), { timeout: 60_000 }).toBe(5 * pieceBytes);
    const [pid] = await gantry.runnerPids();
    process.kill(pid!, 'SIGKILL');
    // What it was sending is of no use to anybody.
    await expect.poll(() => sizeOfIncoming(gantry.dataFolder), { timeout: 60_000 }).toBe(0);
    expect((await listed(project)).map(({ name }) => name)).toEqual(lost.isThere ? ['big'] : []);
    const pipeline = await expectWhole(project);
    expect(pipeline.workflows.find(({ name }) => name === lost.workflow)?.attempt).toBe(2);
    expect(await gantry.runnerPids()).not.toContain(pid);
  });
});

/** Bytes of artifacts on their way to the server. */
async function sizeOfIncoming(dataFolder: string): Promise<number> {
  const folder = join(dataFolder, 'blobs/incoming');
  const sizes = await Promise.all((await readdir(folder)).map((name) => sizeOf(join(folder, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** 0 for what is gone meanwhile. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

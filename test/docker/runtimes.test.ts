import { symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { GantryProcess } from '../support/gantry-process.ts';

const hindrance = findEngineHindrance('docker');

/** Docker leaves this file in each of its containers, and the sandbox does not. */
const tellWhere = 'if test -e /.dockerenv; then echo in a container; else echo in a sandbox; fi';

describe.skipIf(hindrance !== undefined)('a server with a sandbox and a container engine', () => {
  let engine: ContainerEngine;
  let gantry: GantryProcess;
  const project = { owner: 'admin', project: 'shop' };
  let pushes = 0;

  async function run(files: Record<string, string>): Promise<PipelineDetail> {
    pushes += 1;
    await gantry.push('shop', files);
    return gantry.finished('shop', pushes, 120_000);
  }

  /** What a step of a workflow printed. */
  async function output(pipeline: PipelineDetail, workflow: string, step: string): Promise<string> {
    const found = pipeline.steps.find((each) => each.workflow === workflow && each.name === step)!;
    return gantry.log('shop', pipeline.number, found.id);
  }

  async function told({ number }: PipelineDetail, rule: string): Promise<readonly object[]> {
    const { items } = await gantry.client('explainPipeline', { params: { ...project, number } });
    return items
      .filter((entry) => entry.rule === rule && entry.subject.kind === 'workflow')
      .map(({ subject, values }) => ({ subject, values }));
  }

  beforeAll(async () => {
    engine = await ContainerEngine.start('docker');
    gantry = await GantryProcess.start({
      runtime: 'auto',
      settings: { GANTRY_DOCKER_HOST: engine.address, GANTRY_RUNNER_LABELS: 'crane=tall' },
    });
    await gantry.createProject('shop');
  });
  afterAll(async () => {
    await gantry?.dispose();
    await engine?.dispose();
  });

  it('runs what is trusted in the sandbox, and beside it, in the engine, what asks for a folder of its host', async () => {
    const folder = join(gantry.folder, 'shared');
    await mkdir(folder);
    await writeFile(join(folder, 'data'), 'from the host');
    await gantry.client('updatePipelineSettings', { params: project, body: { trusts: ['volumes'] } });
    const pipeline = await run({
      '.gantry.yml': `kind: pipeline
name: plain
steps: [{name: where, image: base/busybox, commands: ['${tellWhere}']}]
---
kind: pipeline
name: mounts
node: {crane: tall}
volumes: [{name: shared, host: {path: ${folder}}}]
steps: [{name: where, image: base/busybox, volumes: [{name: shared, path: /shared}], commands: ['${tellWhere}', cat /shared/data]}]
`,
    });
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    expect(await output(pipeline, 'plain', 'where')).toContain('\nin a sandbox');
    expect(await output(pipeline, 'mounts', 'where')).toContain('\nin a container');
    expect(await output(pipeline, 'mounts', 'where')).toContain('from the host');
    expect(await told(pipeline, 'runtime.chosen')).toEqual([
      { subject: { kind: 'workflow', workflow: 'mounts' }, values: { runtime: 'docker', reason: 'host-rights' } },
      { subject: { kind: 'workflow', workflow: 'plain' }, values: { runtime: 'sandbox', reason: 'trusted' } },
    ]);
  });

  it('runs a project in the engine alone when its administrators say so', async () => {
    await gantry.client('updatePipelineSettings', { params: project, body: { forbidsSandbox: true } });
    const file = `kind: pipeline
name: plain
steps: [{name: where, image: base/busybox, commands: ['${tellWhere}']}]
`;
    const pipeline = await run({ '.gantry.yml': file });
    expect(await output(pipeline, 'plain', 'where')).toContain('\nin a container');
    expect(await told(pipeline, 'runtime.chosen')).toMatchObject([
      { values: { runtime: 'docker', reason: 'project' } },
    ]);
  });

  it('runs the work of a fork in the engine, held tighter, beside the trusted work of the same project', async () => {
    await gantry.client('updatePipelineSettings', {
      params: project,
      body: { forbidsSandbox: false, pullRequestApproval: 'never' },
    });
    await gantry.createProject('fork');
    const file = `kind: pipeline
name: plain
steps:
- name: where
  image: base/busybox
  commands: ['${tellWhere}', 'grep CapEff: /proc/self/status', 'touch /bin/planted 2>/dev/null || echo read-only', 'touch here', 'ls']
`;
    await gantry.push('shop', { '.gantry.yml': file });
    const trusted = await gantry.finished('shop', (pushes += 1), 120_000);
    expect(await output(trusted, 'plain', 'where')).toContain('\nin a sandbox');
    await gantry.push('fork', { '.gantry.yml': file, 'offer.txt': 'a change' });
    await gantry.client('openPullRequest', {
      params: project,
      body: { source: 'admin/fork', sourceBranch: 'main', targetBranch: 'main' },
    });
    const untrusted = await gantry.finished('shop', (pushes += 1), 120_000);
    const text = await output(untrusted, 'plain', 'where');
    expect(untrusted.status, text).toBe('passed');
    expect(text).toContain('\nin a container');
    expect(text).toMatch(/CapEff:\s+0000000000000000\n/);
    expect(text).toContain('\nread-only');
    expect(text).toContain('offer.txt');
    expect(await told(untrusted, 'runtime.chosen')).toMatchObject([
      { values: { runtime: 'docker', reason: 'untrusted' } },
    ]);
    await gantry.client('updatePipelineSettings', { params: project, body: { forbidsSandbox: true } });
  });

  it('refuses that work, before anything of it starts, once there is no engine', async () => {
    await gantry.signalServer('SIGTERM');
    await gantry.serverEnded();
    await gantry.startServer('', { GANTRY_DOCKER_HOST: `unix://${gantry.folder}/nothing.sock` });
    const refused = await run({ 'more.txt': 'more' });
    expect(refused.status).toBe('infrastructure');
    expect(refused.steps.map(({ status }) => status)).toEqual(['infrastructure', 'skipped']);
    expect(await told(refused, 'workflow.no-runtime')).toMatchObject([
      {
        values: {
          runtime: 'docker',
          reason: 'project',
          offered: 'sandbox',
          why: expect.stringContaining('nothing.sock') as string,
        },
      },
    ]);
    await gantry.client('updatePipelineSettings', { params: project, body: { forbidsSandbox: false } });
    const pipeline = await run({ 'more.txt': 'still more' });
    expect(await output(pipeline, 'plain', 'where')).toContain('\nin a sandbox');
  });

  it('is offered an engine that appears, and not one that is away, without a restart of anything', async () => {
    await gantry.client('updatePipelineSettings', { params: project, body: { forbidsSandbox: true } });
    const runners = await gantry.runnerPids();
    symlinkSync(engine.socketPath, join(gantry.folder, 'nothing.sock'));
    const found = await runUntil(({ status }) => status === 'passed');
    expect(await output(found, 'plain', 'where')).toContain('\nin a container');
    await engine.kill();
    const refused = await runUntil(({ steps }) =>
      steps.some(({ reason }) => reason?.includes('no runner has a runtime')),
    );
    expect(await told(refused, 'workflow.no-runtime')).toMatchObject([
      { values: { why: expect.stringContaining('No container engine at') as string } },
    ]);
    expect(await gantry.runnerPids()).toEqual(runners);
    await gantry.client('updatePipelineSettings', { params: project, body: { forbidsSandbox: false } });
  });

  /** Pipelines, one after the other, until one comes to what is awaited. */
  async function runUntil(isIt: (pipeline: PipelineDetail) => boolean): Promise<PipelineDetail> {
    const giveUpAt = performance.now() + 90_000;
    for (;;) {
      const pipeline = await run({ 'more.txt': `push ${pushes}` });
      if (isIt(pipeline)) return pipeline;
      if (performance.now() > giveUpAt) throw new Error(`Not even the last is as awaited: ${JSON.stringify(pipeline)}`);
      await gantry.pause();
    }
  }
});

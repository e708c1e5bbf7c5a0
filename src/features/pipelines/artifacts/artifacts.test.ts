import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  createEvent,
  createPerson,
  createProject,
  newPipeline,
  someTime,
} from '../../../../test/support/store-world.ts';
import type { PipelinePlan } from '../../../core/plan.ts';
import type { Project } from '../../../core/project.ts';
import { FilesystemBlobs } from '../../../drivers/blobs/filesystem/filesystem-blobs.ts';
import type { ToRunner, ToServer } from '../../../engine/runner-protocol.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { openStore, type Store } from '../../../store/open-store.ts';
import { loadPipeline, type OpenWorkflow } from '../open-pipelines.ts';
import { ArtifactDesk } from './artifact-desk.ts';
import { republishArtifacts } from './republish-artifacts.ts';
import { sweepArtifacts } from './sweep-artifacts.ts';

type Message = Extract<ToServer, { type: `artifact-${string}` }>;

const step = {
  kind: 'commands',
  image: 'x',
  pull: 'default',
  commands: ['make'],
  environment: {},
  secrets: [],
  dependsOn: [],
  runOn: { success: true, failure: false },
  onFailure: 'fail',
  timeoutMs: 1_000,
  line: 1,
} as const;
const workflow = {
  dependsOn: [],
  runOn: { success: true, failure: false },
  workspace: { base: '/drone/src', path: '' },
  clone: { isDisabled: true, depth: 0 },
  earlySuccessExitCodes: [],
} as const;
const plan: PipelinePlan = {
  dialect: 'gantry',
  path: '.gantry.yml',
  workflows: [
    {
      ...workflow,
      name: 'build',
      steps: [
        {
          ...step,
          name: 'compile',
          artifacts: [{ name: 'dist', paths: ['dist'], exclude: [], keepMs: 60_000, when: 'success' }],
        },
      ],
    },
    {
      ...workflow,
      name: 'deploy',
      dependsOn: ['build'],
      steps: [{ ...step, name: 'artifacts', takes: [{ name: 'dist', workflow: 'build', path: '' }] }],
    },
  ],
};

describe('artifacts of steps', () => {
  let store: Store;
  let blobs: FilesystemBlobs;
  let folder: string;
  let desk: ArtifactDesk;
  let now = someTime;
  let project: Project;
  const clock = { now: () => now, monotonicMs: () => now.getTime() };

  beforeEach(async () => {
    now = someTime;
    store = await openStore({ kind: 'memory' }, { clock, logger: silentLogger });
    folder = await mkdtemp(join(tmpdir(), 'gantry-artifacts-'));
    onTestFinished(async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    });
    blobs = new FilesystemBlobs(folder);
    // Its folders are there then: none comes while the test removes them.
    await blobs.read('0'.repeat(64), 0, 1);
    desk = newDesk();
    project = await createProject(store, (await createPerson(store, 'mei')).id, 'shop');
  });

  function newDesk(): ArtifactDesk {
    const limits = { artifactBytes: 100, pipelineBytes: 150, projectBytes: 180 };
    return new ArtifactDesk({ store, blobs, limits, clock, logger: silentLogger });
  }

  async function pipeline(key: string): Promise<readonly [build: OpenWorkflow, deploy: OpenWorkflow]> {
    const event = await createEvent(store, project.id, key);
    const number = Number(key.slice(1));
    const created = await store.write(({ pipelines }) => pipelines.create(newPipeline(event, number), plan));
    const { workflows } = await loadPipeline(store.read, created!.pipeline.id);
    return [workflows[0]!, workflows[1]!];
  }

  /** One end of a line: what it was answered last. */
  function sender() {
    const heard: { message: ToRunner; payload: Buffer }[] = [];
    return {
      heard,
      send: (message: ToRunner, payload: Uint8Array = new Uint8Array()) =>
        void heard.push({ message, payload: Buffer.from(payload) }),
    };
  }

  async function say(
    line: ReturnType<typeof sender>,
    speaker: OpenWorkflow,
    message: Pick<Message, 'type'> & Record<string, unknown>,
    payload = '',
  ) {
    const { id, attempt, token, steps } = speaker;
    const whole = { workflowId: id, attempt, token, stepId: steps[0]!.id, name: 'dist', upload: 1, ...message };
    await desk.hear(line, speaker, whole as unknown as Message, Buffer.from(payload));
    return line.heard.at(-1)!;
  }

  async function upload(build: OpenWorkflow, text = 'packed', line = sender()) {
    await say(line, build, { type: 'artifact-write', offset: 0 }, text);
    return (await say(line, build, { type: 'artifact-end', sizeBytes: text.length, entries: 1 })).message;
  }

  const files = async (): Promise<number> =>
    (await readdir(folder, { recursive: true })).filter((name) => /[0-9a-f]{20}$/.test(name)).length;

  it('are on disk and in the record before they are acknowledged, and given to who takes them', async () => {
    const [build, deploy] = await pipeline('p1');
    const line = sender();
    await say(line, build, { type: 'artifact-write', offset: 0 }, 'pac');
    const second = await say(line, build, { type: 'artifact-write', offset: 3 }, 'ked');
    expect(second.message).toMatchObject({ type: 'artifact-written', offset: 6 });
    expect(await store.read.artifacts.find(build.pipeline.row.id, 'dist')).toBeUndefined();
    expect((await say(line, build, { type: 'artifact-end', sizeBytes: 6, entries: 2 })).message).toMatchObject({
      type: 'artifact-stored',
    });
    expect(await store.read.artifacts.find(build.pipeline.row.id, 'dist')).toMatchObject({
      sizeBytes: 6,
      entries: 2,
      step: 'compile',
      expiresAt: new Date(someTime.getTime() + 60_000),
    });
    const part = await say(line, deploy, { type: 'artifact-read', offset: 2 });
    expect(part.message).toMatchObject({ type: 'artifact-part', offset: 2, sizeBytes: 6 });
    expect(String(part.payload)).toBe('cked');
  });

  it('begin anew after the server or the line went away, and are there once', async () => {
    const [build] = await pipeline('p1');
    const line = sender();
    await say(line, build, { type: 'artifact-write', offset: 0 }, 'half');
    // Killed: another process knows nothing of it, and what lay there is gone.
    const dead = desk;
    blobs = new FilesystemBlobs(folder);
    desk = newDesk();
    const answer = await say(line, build, { type: 'artifact-write', offset: 4 }, 'rest');
    expect(answer.message).toMatchObject({ type: 'artifact-written', offset: 0 });
    await say(line, build, { type: 'artifact-write', offset: 0 }, 'half');
    await dead.forget(line);
    await desk.forget(line);
    expect((await say(line, build, { type: 'artifact-end', sizeBytes: 4, entries: 1 })).message).toMatchObject({
      type: 'artifact-refused',
      isInfrastructure: true,
    });
    expect(await files()).toBe(0);
    expect(await upload(build)).toMatchObject({ type: 'artifact-stored' });
    expect(await upload(build)).toMatchObject({ type: 'artifact-stored' });
    expect(await store.read.artifacts.list(build.pipeline.row.id)).toHaveLength(1);
    expect(await files()).toBe(1);
  });

  it('of a claim that was lost are refused, and leave nothing', async () => {
    const [build] = await pipeline('p1');
    await store.write(({ pipelines }) => pipelines.updateWorkflow({ id: build.id, token: build.token + 1 }));
    expect(await upload(build)).toMatchObject({
      type: 'artifact-refused',
      message: 'its workflow was given to somebody else',
      isInfrastructure: true,
    });
    expect(await store.read.artifacts.list(build.pipeline.row.id)).toEqual([]);
    expect(await files()).toBe(0);
  });

  it('that the plan does not name are refused', async () => {
    const [build, deploy] = await pipeline('p1');
    const line = sender();
    const wrong = await say(line, build, { type: 'artifact-write', name: 'other', offset: 0 }, 'x');
    expect(wrong.message).toMatchObject({ type: 'artifact-refused' });
    const taken = await say(line, deploy, { type: 'artifact-read', name: 'other', offset: 0 });
    expect(taken.message).toMatchObject({ type: 'artifact-refused' });
  });

  it('are held to the size of one, of a pipeline and of a project', async () => {
    const [first] = await pipeline('p1');
    expect(await upload(first, 'x'.repeat(101))).toMatchObject({ type: 'artifact-refused', isInfrastructure: true });
    const line = sender();
    const large = await say(line, first, { type: 'artifact-write', offset: 0 }, 'x'.repeat(101));
    expect(large.message).toMatchObject({ type: 'artifact-refused', isInfrastructure: false });
    expect(await upload(first, 'x'.repeat(100))).toMatchObject({ type: 'artifact-stored' });
    // It replaces itself.
    expect(await upload(first, 'y'.repeat(100))).toMatchObject({ type: 'artifact-stored' });
    const [second] = await pipeline('p2');
    const full = await say(line, second, { type: 'artifact-write', offset: 0 }, 'x'.repeat(81));
    expect(full.message).toMatchObject({ type: 'artifact-refused', isInfrastructure: false });
    expect('message' in full.message && full.message.message).toContain('artifacts of this project');
  });

  it('that were not made in this attempt are not given', async () => {
    const [build, deploy] = await pipeline('p1');
    const line = sender();
    const none = await say(line, deploy, { type: 'artifact-read', offset: 0 });
    expect(none.message).toMatchObject({ type: 'artifact-refused', isInfrastructure: false });
    expect('message' in none.message && none.message.message).toBe('it was not made: workflow "build" is queued');
    await upload(build);
    await store.write(({ pipelines }) => pipelines.updateWorkflow({ id: build.id, attempt: 2 }));
    const { workflows } = await loadPipeline(store.read, build.pipeline.row.id);
    const old = await say(line, workflows[1]!, { type: 'artifact-read', offset: 0 });
    expect(old.message).toMatchObject({ type: 'artifact-refused' });
  });

  it('go when their time is over, the row first; those of the newest green pipeline of the default branch stay', async () => {
    const [first] = await pipeline('p1');
    const [second] = await pipeline('p2');
    await upload(first, 'first');
    await upload(second, 'second');
    const half = await blobs.begin();
    await half.write(Buffer.from('orphan'));
    await half.seal();
    await half.commit();
    for (const { pipeline: open } of [first, second])
      await store.write(({ pipelines }) => pipelines.setStatus(open.row.id, { status: 'passed', finishedAt: now }));
    expect(await sweepArtifacts({ store, blobs, clock }, () => false)).toEqual({ artifacts: 0, blobs: 1 });
    now = new Date(someTime.getTime() + 60_000);
    expect(await sweepArtifacts({ store, blobs, clock }, () => false)).toEqual({ artifacts: 1, blobs: 1 });
    expect(await store.read.artifacts.list(first.pipeline.row.id)).toEqual([]);
    expect(await store.read.artifacts.list(second.pipeline.row.id)).toHaveLength(1);
    expect(await files()).toBe(1);
  });

  it('of a step whose result is reused are given to the new pipeline too, as long as they are there', async () => {
    const [first] = await pipeline('p1');
    const [second] = await pipeline('p2');
    await upload(first);
    const from = { workflowId: first.id, attempt: 1, step: 'compile' };
    const to = {
      projectId: project.id,
      pipelineId: second.pipeline.row.id,
      workflowId: second.id,
      attempt: 1,
      step: 'compile',
      artifacts: [{ name: 'dist', keepMs: 5_000 }],
    };
    expect(await store.write((stores) => republishArtifacts(stores, from, to, now))).toEqual([]);
    expect(await store.read.artifacts.find(second.pipeline.row.id, 'dist')).toMatchObject({
      sizeBytes: 6,
      expiresAt: new Date(now.getTime() + 5_000),
    });
    const other = { ...from, step: 'other' };
    expect(await store.write((stores) => republishArtifacts(stores, other, to, now))).toEqual(['dist']);
    expect(await files()).toBe(1);
  });
});

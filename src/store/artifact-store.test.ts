import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createEvent, createPerson, createProject, newPipeline, someTime } from '../../test/support/store-world.ts';
import type { NewArtifact } from '../core/artifact.ts';
import type { PipelinePlan } from '../core/plan.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);

describe.each(databases)('artifacts, on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }

  let store: Store;
  let made: NewArtifact;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    const mei = await createPerson(store, 'mei');
    const project = await createProject(store, mei.id, 'shop');
    const event = await createEvent(store, project.id, 'push-1');
    const plan: PipelinePlan = {
      dialect: 'gantry',
      path: '.gantry.yml',
      workflows: [
        {
          name: 'build',
          dependsOn: [],
          runOn: { success: true, failure: false },
          workspace: { base: '/drone/src', path: '' },
          clone: { isDisabled: true, depth: 0 },
          steps: [],
          earlySuccessExitCodes: [],
        },
      ],
    };
    const created = await store.write(({ pipelines }) => pipelines.create(newPipeline(event, 1), plan));
    const { pipeline, workflows } = created!;
    made = {
      projectId: project.id,
      pipelineId: pipeline.id,
      workflowId: workflows[0]!.id,
      attempt: 1,
      step: 'compile',
      name: 'dist',
      digest: 'a'.repeat(64),
      sizeBytes: 2 ** 33,
      entries: 3,
      createdAt: someTime,
      expiresAt: later(1_000),
    };
  });
  afterEach(() => store.close());
  afterAll(stop);

  it('are found by pipeline and name, and listed with the workflow that made them', async () => {
    const id = await store.write(({ artifacts }) => artifacts.put(made));
    await store.write(({ artifacts }) => artifacts.put({ ...made, name: 'bin' }));
    expect(await store.read.artifacts.find(made.pipelineId, 'dist')).toEqual({ ...made, id });
    expect(await store.read.artifacts.find(made.pipelineId, 'other')).toBeUndefined();
    const listed = await store.read.artifacts.list(made.pipelineId);
    expect(listed.map(({ name, workflow }) => [name, workflow])).toEqual([
      ['bin', 'build'],
      ['dist', 'build'],
    ]);
    expect(await store.read.artifacts.ofStep(made.workflowId, 1, 'compile')).toHaveLength(2);
    expect(await store.read.artifacts.ofStep(made.workflowId, 2, 'compile')).toEqual([]);
  });

  it('take the place of one of the same name, and are there once', async () => {
    const first = await store.write(({ artifacts }) => artifacts.put(made));
    const again = await store.write(({ artifacts }) =>
      artifacts.put({ ...made, attempt: 2, digest: 'b'.repeat(64), sizeBytes: 5 }),
    );
    expect(again).toBe(first);
    const [only, ...others] = await store.read.artifacts.list(made.pipelineId);
    expect([only?.attempt, only?.sizeBytes, others]).toEqual([2, 5, []]);
    expect(await store.read.artifacts.named(['a'.repeat(64), 'b'.repeat(64)])).toEqual(new Set(['b'.repeat(64)]));
  });

  it('have their sizes added up, by project and by pipeline', async () => {
    expect(await store.read.artifacts.sizes(made.projectId, made.pipelineId)).toEqual({ project: 0, pipeline: 0 });
    await store.write(({ artifacts }) => artifacts.put(made));
    await store.write(({ artifacts }) => artifacts.put({ ...made, name: 'bin', sizeBytes: 7 }));
    expect(await store.read.artifacts.sizes(made.projectId, made.pipelineId)).toEqual({
      project: 2 ** 33 + 7,
      pipeline: 2 ** 33 + 7,
    });
    expect(await store.read.artifacts.sizes(made.projectId, 0)).toEqual({ project: 2 ** 33 + 7, pipeline: 0 });
  });

  it('are told of when their time is over, page by page, and removed once', async () => {
    const first = await store.write(({ artifacts }) => artifacts.put(made));
    const second = await store.write(({ artifacts }) => artifacts.put({ ...made, name: 'bin' }));
    await store.write(({ artifacts }) => artifacts.put({ ...made, name: 'kept', expiresAt: later(9_000) }));
    const { artifacts } = store.read;
    expect(await artifacts.expired(later(999), { afterId: 0, limit: 10 })).toEqual([]);
    const page = await artifacts.expired(later(1_000), { afterId: 0, limit: 1 });
    expect(page.map(({ id }) => id)).toEqual([first]);
    const next = await artifacts.expired(later(1_000), { afterId: first, limit: 10 });
    expect(next.map(({ id }) => id)).toEqual([second]);
    expect(await store.write((stores) => stores.artifacts.remove(first))).toBe(true);
    expect(await store.write((stores) => stores.artifacts.remove(first))).toBe(false);
  });
});

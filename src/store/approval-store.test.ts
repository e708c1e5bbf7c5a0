import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { planOf, workflowPlan } from '../../test/support/plans.ts';
import { createEvent, createPerson, createProject, newPipeline, someTime } from '../../test/support/store-world.ts';
import type { Approval, NewApproval } from '../core/approval.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);
const head = 'a'.repeat(40);
const configuration = 'c'.repeat(64);

describe.each(databases)('approvals on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('need the database', () => {});
    return;
  }

  let store: Store;
  let projectId: number;
  let pipelines = 0;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    const mei = await createPerson(store, 'mei');
    projectId = (await createProject(store, mei.id, 'shop')).id;
    pipelines = 0;
  });
  afterEach(() => store.close());
  afterAll(stop);

  /** An approval of a pipeline of its own. */
  const add = async (more: Partial<NewApproval> = {}): Promise<Approval> => {
    pipelines += 1;
    const number = await store.read.pipelines.nextNumber(more.projectId ?? projectId);
    const event = await createEvent(store, more.projectId ?? projectId, `push:${pipelines}`);
    return store.write(async (stores) => {
      const made = await stores.pipelines.create(newPipeline(event, number), planOf(workflowPlan('default', [])));
      return stores.approvals.create({
        projectId,
        pipelineId: made!.pipeline.id,
        pullRequest: 7,
        head,
        configuration,
        reason: 'fork',
        state: 'waiting',
        hasSecrets: false,
        createdAt: someTime,
        ...more,
      });
    });
  };
  const decide = (id: number, state: 'approved' | 'declined' | 'overtaken', by = 'wei', at = later(1)) =>
    store.write(({ approvals }) => approvals.decide(id, { state, hasSecrets: state === 'approved', by, at }));

  it('are kept as they were made, and found by their pipeline', async () => {
    const made = await add({ pullRequest: undefined, reason: 'signature' });
    expect(made).toEqual({
      id: made.id,
      projectId,
      pipelineId: made.pipelineId,
      pullRequest: undefined,
      head,
      configuration,
      reason: 'signature',
      state: 'waiting',
      hasSecrets: false,
      decidedBy: undefined,
      decidedAt: undefined,
      createdAt: someTime,
    });
    expect(await store.read.approvals.findByPipeline(made.pipelineId)).toEqual(made);
    expect(await store.read.approvals.findByPipeline(made.pipelineId + 1)).toBeUndefined();
  });

  it('that were decided before their pipeline came say when and by whom', async () => {
    const made = await add({ state: 'approved', hasSecrets: true, decidedBy: 'wei' });
    expect(made).toMatchObject({ state: 'approved', hasSecrets: true, decidedBy: 'wei', decidedAt: someTime });
    expect(await store.read.approvals.listWaiting(projectId, 10)).toEqual([]);
  });

  it('are one for each pipeline', async () => {
    const made = await add();
    await expect(store.write(({ approvals }) => approvals.create({ ...made, createdAt: later(1) }))).rejects.toThrow();
    expect(await store.read.approvals.findByPipeline(made.pipelineId)).toEqual(made);
  });

  it('are decided once, however many decide at the same time', async () => {
    const made = await add();
    const deciders = Array.from({ length: 20 }, (_, index) => index);
    const results = await Promise.all(
      deciders.map((index) => decide(made.id, index % 2 === 0 ? 'approved' : 'declined', `p${index}`, later(index))),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    const winner = results.indexOf(true);
    const decided = await store.read.approvals.findByPipeline(made.pipelineId);
    expect(decided).toEqual({
      ...made,
      state: winner % 2 === 0 ? 'approved' : 'declined',
      hasSecrets: winner % 2 === 0,
      decidedBy: `p${winner}`,
      decidedAt: later(winner),
    });
    for (const state of ['approved', 'declined', 'overtaken'] as const)
      expect(await decide(made.id, state)).toBe(false);
    expect(await store.read.approvals.findByPipeline(made.pipelineId)).toEqual(decided);
    expect(await decide(made.id + 1, 'approved')).toBe(false);
  });

  it('wait in the order of their making, up to a limit and of one project', async () => {
    const other = await createProject(store, (await createPerson(store, 'bo')).id, 'other');
    const [first, second, third] = [await add(), await add({ head: 'b'.repeat(40) }), await add()];
    await add({ projectId: other.id });
    expect((await store.read.approvals.listWaiting(projectId, 10)).map(({ id }) => id)).toEqual([
      first.id,
      second.id,
      third.id,
    ]);
    expect(await store.read.approvals.listWaiting(projectId, 2)).toHaveLength(2);
    await decide(first.id, 'approved');
    await decide(second.id, 'overtaken');
    expect((await store.read.approvals.listWaiting(projectId, 10)).map(({ id }) => id)).toEqual([third.id]);
  });

  it('are known again for the very same head, configuration, pull request and project, and for no other', async () => {
    const made = await add();
    const subject = { projectId, pullRequest: 7, head, configuration };
    expect(await store.read.approvals.findDecided(subject)).toBeUndefined();
    await decide(made.id, 'approved');
    expect(await store.read.approvals.findDecided(subject)).toMatchObject({ id: made.id, hasSecrets: true });
    for (const other of [
      { head: 'b'.repeat(40) },
      { configuration: 'd'.repeat(64) },
      { pullRequest: 8 },
      { pullRequest: undefined },
      { projectId: projectId + 1 },
    ])
      expect(await store.read.approvals.findDecided({ ...subject, ...other })).toBeUndefined();
  });

  it('of a push are not those of a pull request with the same commit', async () => {
    const push = await add({ pullRequest: undefined, reason: 'signature' });
    await decide(push.id, 'approved');
    expect(await store.read.approvals.findDecided({ projectId, head, configuration })).toMatchObject({ id: push.id });
    expect(await store.read.approvals.findDecided({ projectId, pullRequest: 7, head, configuration })).toBeUndefined();
  });

  it('say what was decided last, and nothing of what was overtaken', async () => {
    const [first, second, third] = [await add(), await add(), await add()];
    const subject = { projectId, pullRequest: 7, head, configuration };
    await decide(second.id, 'approved', 'wei', later(5));
    await decide(first.id, 'declined', 'bo', later(9));
    await decide(third.id, 'overtaken', '#12', later(11));
    expect(await store.read.approvals.findDecided(subject)).toMatchObject({ id: first.id, state: 'declined' });
    // Of two in the same moment the later one counts.
    const fourth = await add({ state: 'approved', decidedBy: 'wei', createdAt: later(9) });
    expect(await store.read.approvals.findDecided(subject)).toMatchObject({ id: fourth.id, state: 'approved' });
  });

  it('that a write undoes were never decided', async () => {
    const made = await add();
    await expect(
      store.write(async ({ approvals }) => {
        expect(await approvals.decide(made.id, { state: 'approved', hasSecrets: true, by: 'wei', at: later(1) })).toBe(
          true,
        );
        throw new Error('the rest of it failed');
      }),
    ).rejects.toThrow('the rest of it failed');
    expect(await store.read.approvals.findByPipeline(made.pipelineId)).toEqual(made);
    expect(await decide(made.id, 'declined')).toBe(true);
  });
});

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, someTime } from '../../test/support/store-world.ts';
import type { NewPullRequest, PullRequest } from '../core/pull-request.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);

describe.each(databases)('pull requests on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('need the database', () => {});
    return;
  }

  let store: Store;
  let shop: number;
  let fork: number;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    shop = (await createProject(store, (await createPerson(store, 'mei')).id, 'shop')).id;
    fork = (await createProject(store, (await createPerson(store, 'ann')).id, 'shop')).id;
  });
  afterEach(() => store.close());
  afterAll(stop);

  const proposal = (more: Partial<NewPullRequest> = {}): NewPullRequest => ({
    projectId: shop,
    title: '修正总额',
    sourceProjectId: fork,
    sourceBranch: 'fix',
    targetBranch: 'main',
    head: 'a'.repeat(40),
    authorName: 'ann',
    authorId: 5,
    createdAt: someTime,
    ...more,
  });
  const open = (more: Partial<NewPullRequest> = {}): Promise<PullRequest> =>
    store.write(async ({ pullRequests }) =>
      pullRequests.create({ ...proposal(more), number: await pullRequests.nextNumber(more.projectId ?? shop) }),
    );
  const update = (changed: PullRequest) => store.write(({ pullRequests }) => pullRequests.update(changed));

  it('are open when they are made, and found by their number within the project', async () => {
    const made = await open({ authorId: undefined });
    expect(made).toEqual({
      ...proposal({ authorId: undefined }),
      id: made.id,
      number: 1,
      state: 'open',
      revision: 1,
      updatedAt: someTime,
    });
    expect(await store.read.pullRequests.find(shop, 1)).toEqual(made);
    expect(await store.read.pullRequests.find(shop, 2)).toBeUndefined();
    expect(await store.read.pullRequests.find(fork, 1)).toBeUndefined();
  });

  it('have numbers without a gap in each project, also when many are opened at once', async () => {
    const made = await Promise.all([...Array.from({ length: 20 }, () => open()), open({ projectId: fork })]);
    expect(
      made
        .slice(0, 20)
        .map(({ number }) => number)
        .toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(made[20]?.number).toBe(1);
    expect(await store.read.pullRequests.nextNumber(shop)).toBe(21);
  });

  it('do not share a number', async () => {
    await open();
    await expect(
      store.write(({ pullRequests }) => pullRequests.create({ ...proposal({ title: 'again' }), number: 1 })),
    ).rejects.toThrow();
    expect((await store.read.pullRequests.list(shop, undefined, 10)).map(({ title }) => title)).toEqual(['修正总额']);
  });

  it('are changed by whoever looked at their newest revision, and by nobody else', async () => {
    const made = await open();
    const changes = Array.from({ length: 20 }, (_, index) => ({
      ...made,
      head: index.toString(16).padStart(40, '0'),
      updatedAt: later(index),
    }));
    const results = await Promise.all(changes.map(update));
    const written = results.filter((result) => result !== undefined);
    expect(written).toHaveLength(1);
    const [now] = written;
    expect(now).toEqual({ ...changes[results.indexOf(now)], revision: 2 });
    expect(await store.read.pullRequests.find(shop, 1)).toEqual(now);
    expect(await update({ ...made, state: 'closed' })).toBeUndefined();
    expect(await update({ ...now!, state: 'closed', targetBranch: 'release', title: 'Other' })).toMatchObject({
      revision: 3,
      state: 'closed',
      targetBranch: 'release',
      title: 'Other',
    });
    expect(await update({ ...made, id: made.id + 100 })).toBeUndefined();
  });

  it('keep where they come from and who made them, whatever a change says', async () => {
    const made = await open();
    await update({ ...made, sourceProjectId: shop, sourceBranch: 'evil', authorName: 'mei', authorId: 1, number: 9 });
    expect(await store.read.pullRequests.find(shop, 1)).toEqual({ ...made, revision: 2 });
  });

  it('are listed the newest first, by their state, up to a limit', async () => {
    const [first, second, third] = [await open(), await open({ sourceBranch: 'b' }), await open({ projectId: fork })];
    await update({ ...first, state: 'closed' });
    const numbers = async (state: 'open' | 'closed' | undefined, limit = 10) =>
      (await store.read.pullRequests.list(shop, state, limit)).map(({ number }) => number);
    expect(await numbers(undefined)).toEqual([2, 1]);
    expect(await numbers('open')).toEqual([second.number]);
    expect(await numbers('closed')).toEqual([first.number]);
    expect(await numbers(undefined, 1)).toEqual([2]);
    expect((await store.read.pullRequests.list(fork, undefined, 10)).map(({ id }) => id)).toEqual([third.id]);
  });

  it('that follow a branch are the open ones of it, over all projects', async () => {
    const here = await open();
    const elsewhere = await open({ projectId: fork });
    await open({ sourceBranch: 'other' });
    await open({ sourceProjectId: shop });
    const closed = await open();
    await update({ ...closed, state: 'closed' });
    expect((await store.read.pullRequests.listOpenFrom(fork, 'fix')).map(({ id }) => id)).toEqual([
      here.id,
      elsewhere.id,
    ]);
  });

  it('are gone through in pieces, each once', async () => {
    const made = [await open(), await open(), await open(), await open()];
    await update({ ...made[1]!, state: 'closed' });
    const seen: number[] = [];
    let after = 0;
    for (;;) {
      const piece = await store.read.pullRequests.listOpenAfter(after, 2);
      if (piece.length === 0) break;
      seen.push(...piece.map(({ number }) => number));
      after = piece.at(-1)!.id;
    }
    expect(seen).toEqual([1, 3, 4]);
  });
});

import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, someTime } from '../../test/support/store-world.ts';
import type { Happening, StoredHappening } from '../core/events.ts';
import type { Stores } from '../core/unit-of-work.ts';
import { armFailpoints } from '../lib/failpoint.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
/** Its time stands still, so that only the number of callers bounds a commit. */
const heldClock = { now: () => someTime, monotonicMs: () => 0 };

describe.each(databases)('a write on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }

  let store: Store;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: heldClock, logger: silentLogger });
  });
  afterEach(async () => {
    armFailpoints(undefined);
    await store.close();
  });
  afterAll(stop);

  it('answers what its callback answers, and readers see it then', async () => {
    const answer = await store.write(async ({ settings }) => {
      await settings.set('a', '1');
      return 42;
    });
    expect(answer).toBe(42);
    expect(await store.read.settings.get('a')).toBe('1');
  });

  it('is invisible to readers until it is committed', async () => {
    let seenMeanwhile: string | undefined = 'not read';
    await store.write(async ({ settings }) => {
      await settings.set('a', '1');
      expect(await settings.get('a')).toBe('1');
      seenMeanwhile = await store.read.settings.get('a');
    });
    expect(seenMeanwhile).toBeUndefined();
  });

  it('that throws undoes itself and nobody else', async () => {
    const [before, failing, after] = await Promise.allSettled([
      store.write(({ settings }) => settings.set('before', '1')),
      store.write(async ({ settings }) => {
        await settings.set('failing', '1');
        throw new Error('changed my mind');
      }),
      store.write(({ settings }) => settings.set('after', '1')),
    ]);
    expect([before.status, failing.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(failing).toMatchObject({ reason: { message: 'changed my mind' } });
    expect(await store.read.settings.get('before')).toBe('1');
    expect(await store.read.settings.get('failing')).toBeUndefined();
    expect(await store.read.settings.get('after')).toBe('1');
    expect(store.commits).toBe(1);
  });

  it('whose statement the database refuses undoes itself and nobody else', async () => {
    const [good, bad, alsoGood] = await Promise.allSettled([
      store.write(({ settings }) => settings.set('good', '1')),
      store.write(({ projects }) => projects.setRole(404, 404, 'write')),
      store.write(({ settings }) => settings.set('also-good', '1')),
    ]);
    expect([good.status, bad.status, alsoGood.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.read.settings.get('also-good')).toBe('1');
  });

  it('shares its commit: 600 writers at once need three', async () => {
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => store.write(({ settings }) => settings.set(`key-${i}`, String(i)))),
    );
    expect(await store.read.settings.get('key-599')).toBe('599');
    expect(store.commits).toBe(3);
  });

  it('publishes what happened after the commit, in order, and before its promise settles', async () => {
    const mei = await createPerson(store, 'mei');
    const project = await createProject(store, mei.id, 'storefront');
    const heard: StoredHappening[] = [];
    const known: (string | undefined)[] = [];
    const reads: Promise<void>[] = [];
    const leave = store.happenings.subscribe((happening) => {
      heard.push(happening);
      reads.push(store.read.settings.get(`write-${heard.length}`).then((value) => void known.push(value)));
    });
    await Promise.all(
      [1, 2, 3].map((n) =>
        store.write(async ({ settings, happenings }) => {
          await happenings.append(
            [{ type: 'push-received', projectId: project.id, eventId: n, ref: 'r', after: 'a' }],
            someTime,
          );
          await settings.set(`write-${n}`, 'committed');
          expect(heard).toEqual([]);
        }),
      ),
    );
    expect(heard.map(({ happening }) => 'eventId' in happening && happening.eventId)).toEqual([1, 2, 3]);
    expect(heard.map(({ sequence }) => sequence)).toEqual(
      heard.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
    );
    await Promise.all(reads);
    expect(known).toEqual(['committed', 'committed', 'committed']);

    leave();
    await store.write(({ happenings }) =>
      happenings.append([{ type: 'members-changed', projectId: project.id }], someTime),
    );
    expect(heard).toHaveLength(3);
  });

  it('stores many happenings at once in their order, as they were given', async () => {
    const heard: StoredHappening[] = [];
    store.happenings.subscribe((happening) => heard.push(happening));
    const given = Array.from(
      { length: 25 },
      (_, i): Happening => ({
        type: 'project-changed',
        projectId: i,
        slug: `shop/"it's" ${i} \u0000 中文`,
      }),
    );
    const before = await store.read.happenings.lastSequence();
    await store.write(({ happenings }) => happenings.append(given, someTime));
    expect(heard.map(({ happening }) => happening)).toEqual(given);
    expect(
      (await store.read.happenings.since(before, 100))?.map(({ happening, sequence }) => [sequence, happening]),
    ).toEqual(heard.map(({ happening, sequence }) => [sequence, happening]));
  });

  it('publishes nothing of a callback that threw', async () => {
    const heard: StoredHappening[] = [];
    store.happenings.subscribe((happening) => heard.push(happening));
    await expect(
      store.write(async ({ happenings }) => {
        await happenings.append([{ type: 'access-changed', personId: 1 }], someTime);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(heard).toEqual([]);
    expect(await store.read.happenings.lastSequence()).toBe(0);
  });

  it('keeps telling the other listeners when one throws', async () => {
    const heard: string[] = [];
    store.happenings.subscribe(() => {
      throw new Error('broken listener');
    });
    store.happenings.subscribe(({ happening }) => heard.push(happening.type));
    await store.write(({ happenings }) => happenings.append([{ type: 'access-changed', personId: 1 }], someTime));
    expect(heard).toEqual(['access-changed']);
  });

  it('refuses stores that were kept beyond the callback', async () => {
    let kept: Stores | undefined;
    await store.write(async (stores) => {
      kept = stores;
    });
    await expect(kept?.settings.set('late', '1')).rejects.toThrow('callback of this write has ended');
  });

  it('refuses to write through the stores for reading', async () => {
    await expect(store.read.settings.set('a', '1')).rejects.toThrow(/read-?only/);
  });

  it('whose commit fails is refused with DATABASE_FAILED, and so is every later one', async () => {
    armFailpoints('commit.before=throw');
    const both = await Promise.allSettled([
      store.write(({ settings }) => settings.set('a', '1')),
      store.write(({ settings }) => settings.set('b', '1')),
    ]);
    for (const one of both) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_FAILED' } });
    await expect(store.write(({ settings }) => settings.set('c', '1'))).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
    });
    expect((await store.whenSuspect).code).toBe('DATABASE_FAILED');
    expect(await store.read.settings.get('a')).toBeUndefined();
  });

  it('that was asked for before close is done, one asked for after it is refused', async () => {
    const writing = store.write(({ settings }) => settings.set('a', '1'));
    const closing = store.close();
    await expect(store.write(({ settings }) => settings.set('b', '1'))).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
    });
    await writing;
    await closing;
  });

  it('whose callback waits for something else is warned about, and given up when it hangs', async () => {
    const warnings: string[] = [];
    const where = await create();
    const hanging = await openStore(where, {
      clock: heldClock,
      logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const writing = hanging.write(() => new Promise(() => {}));
      const outcome = expect(writing).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
      // The transaction begins in its own time; the timers exist once the callback runs.
      await vi.waitUntil(() => vi.getTimerCount() > 0);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(warnings).toEqual([expect.stringContaining('holds up all others')]);
      await vi.advanceTimersByTimeAsync(29_000);
      await outcome;
    } finally {
      vi.useRealTimers();
    }
    await hanging.close();
  });
});

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, someTime } from '../../test/support/store-world.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);

describe.each(databases)('how often caches were asked for, on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }

  let store: Store;
  let [shop, mine] = [0, 0];
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    const mei = await createPerson(store, 'mei');
    shop = (await createProject(store, mei.id, 'shop')).id;
    mine = (await createProject(store, mei.id, 'mine')).id;
  });
  afterEach(() => store.close());
  afterAll(stop);

  it('is counted by key and project, the key used last first', async () => {
    await store.write(async ({ cacheUses }) => {
      await cacheUses.note(shop, 'npm-1', false, later(1));
      await cacheUses.note(shop, 'go-1', true, later(2));
      await cacheUses.note(shop, 'npm-1', true, later(3));
      await cacheUses.note(shop, 'npm-1', true, later(4));
      await cacheUses.note(mine, 'npm-1', false, later(5));
    });
    expect(await store.read.cacheUses.list(shop)).toEqual([
      { key: 'npm-1', hits: 2, misses: 1, usedAt: later(4) },
      { key: 'go-1', hits: 1, misses: 0, usedAt: later(2) },
    ]);
    expect(await store.read.cacheUses.list(mine)).toEqual([{ key: 'npm-1', hits: 0, misses: 1, usedAt: later(5) }]);
  });

  it('is kept of the 500 keys used last', async () => {
    await store.write(async ({ cacheUses }) => {
      for (let i = 0; i < 503; i += 1) await cacheUses.note(shop, `npm-${i}`, false, later(i));
      await cacheUses.note(mine, 'old', false, later(0));
    });
    const kept = await store.read.cacheUses.list(shop);
    expect([kept.length, kept[0]?.key, kept.at(-1)?.key]).toEqual([500, 'npm-502', 'npm-3']);
    expect(await store.read.cacheUses.list(mine)).toHaveLength(1);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { cookie, heldClock, openServerWorld } from '../../test/support/server-world.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore } from '../store/open-store.ts';
import { housekeeping } from './housekeeping.ts';

describe('housekeeping', () => {
  it('forgets at its start what is older than a day, and keeps the rest', async () => {
    const clock = heldClock();
    const deps = { clock, logger: silentLogger };
    const store = await openStore({ kind: 'memory' }, deps);
    onTestFinished(() => store.close());
    const happen = () =>
      store.write((stores) => stores.happenings.append([{ type: 'access-changed', personId: 1 }], clock.now()));
    await happen();
    clock.advance(23 * 3_600_000);
    await happen();
    clock.advance(2 * 3_600_000);

    const feature = housekeeping({ store, ...deps });
    await feature.start?.();
    await feature.stop?.();
    expect(await store.read.happenings.since(0, 10)).toBeUndefined();
    expect(await store.read.happenings.since(1, 10)).toHaveLength(1);
  });

  it('forgets all that has run out, in more than one batch, and nobody is signed out by it', async () => {
    const world = await openServerWorld();
    onTestFinished(() => world.close());
    const { store, clock } = world;
    const mei = await world.person('mei');
    for (let i = 0; i < 1_203; i += 1) await world.session(mei);
    await store.write((stores) => stores.rateLimits.take('x', 1, { capacity: 1, perSecond: 1 }, clock.now()));
    clock.advance(11 * 3_600_000);
    const present = await world.session(mei);
    clock.advance(3_600_000);

    const feature = housekeeping({ store, clock, logger: silentLogger });
    await feature.start?.();
    await feature.stop?.();
    expect(await store.read.sessions.list(mei.id)).toHaveLength(1);
    expect((await world.request('/api/v1/me', { headers: cookie(present) })).status).toBe(200);
    expect(await store.write((stores) => stores.rateLimits.prune(clock.now(), 10))).toBe(0);
  });
});

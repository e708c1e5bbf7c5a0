import { describe, expect, it, onTestFinished } from 'vitest';
import { heldClock } from '../../test/support/server-world.ts';
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
});

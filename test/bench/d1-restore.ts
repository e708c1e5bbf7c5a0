import { CacheWorld } from './cache-world.ts';
import type { Benchmark } from './harness.ts';

export const benchmark: Benchmark = {
  id: 'D1',
  title: 'restore of a cache: 283 MiB in 7,681 files',
  async prepare() {
    const world = await CacheWorld.start();
    await world.save('base');
    return {
      comparisons: [
        {
          variant: 'mounted',
          peer: 'zstd -d | tar x',
          unit: 'ms',
          gantry: () => world.restore(),
          peerRun: () => world.unpack(),
          goal: '≤ 15 ms, ≥ 50×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 15 && ratio !== undefined && ratio.p50 >= 50,
        },
      ],
      notes: ['the peer writes into the page cache: a burst'],
      cleanUp: () => world.stop(),
    };
  },
};

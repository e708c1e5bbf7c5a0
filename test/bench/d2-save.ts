import { CacheWorld } from './cache-world.ts';
import type { Benchmark } from './harness.ts';

export const benchmark: Benchmark = {
  id: 'D2',
  title: 'save of a cache: 283 MiB in 7,681 files',
  async prepare() {
    const world = await CacheWorld.start();
    let saves = 0;
    return {
      comparisons: [
        {
          variant: 'renamed',
          peer: 'tar c | zstd',
          unit: 'ms',
          gantry: () => {
            saves += 1;
            return world.save(`key-${saves}`);
          },
          peerRun: () => world.pack(),
          goal: '≤ 30 ms, ≥ 35×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 30 && ratio !== undefined && ratio.p50 >= 35,
        },
      ],
      notes: ['until the entry can be used; its way to the disk is not waited for on either side'],
      cleanUp: () => world.stop(),
    };
  },
};

import { describe, expect, it } from 'vitest';
import { simulateSeeds } from '../support/simulation/simulate-seeds.ts';

/** A seed that failed is looked at by itself: `GANTRY_SIMULATION_SEED=1234 npm run test:faults -- simulation`. */
const only = process.env['GANTRY_SIMULATION_SEED'];
const seeds = only ? [Number(only)] : Array.from({ length: 10_000 }, (_, at) => at + 1);

describe('the deterministic simulation', () => {
  it('keeps every invariant of the engine over ten thousand seeds', async () => {
    expect(await simulateSeeds(seeds)).toBeGreaterThan(seeds.length);
  }, 1_200_000);
});

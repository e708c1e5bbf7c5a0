import { describe, expect, it } from 'vitest';
import { simulate } from '../support/simulation/simulation.ts';

/** A seed that failed is looked at by itself: `GANTRY_SIMULATION_SEED=1234 npm run test:faults -- simulation`. */
const only = process.env['GANTRY_SIMULATION_SEED'];
const seeds = only ? [Number(only)] : Array.from({ length: 10_000 }, (_, at) => at + 1);

describe('the deterministic simulation', () => {
  it('keeps every invariant of the engine over ten thousand seeds', async () => {
    let started = 0;
    for (const seed of seeds) started += (await simulate(seed)).started;
    expect(started).toBeGreaterThan(seeds.length);
  }, 1_200_000);
});

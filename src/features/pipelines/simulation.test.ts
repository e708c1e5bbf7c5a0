import { describe, expect, it } from 'vitest';
import { type SimulationOptions, simulate } from '../../../test/support/simulation/simulation.ts';

/** The first seed that finds the planted mistake, and what it says. */
async function finding(sabotage: NonNullable<SimulationOptions['sabotage']>): Promise<string> {
  for (let seed = 1; seed <= 30; seed += 1) {
    try {
      await simulate(seed, { sabotage });
    } catch (error) {
      if (error instanceof Error) return error.message;
    }
  }
  return 'nothing found';
}

describe('every order of faults', () => {
  it('loses nothing, runs nothing twice and ends, for three hundred seeds', async () => {
    let deaths = 0;
    let started = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const report = await simulate(seed);
      deaths += report.serverDeaths + report.runnerDeaths;
      started += report.started;
    }
    // A simulation in which nothing happens proves nothing.
    expect(deaths).toBeGreaterThan(1_000);
    expect(started).toBeGreaterThan(5_000);
  }, 120_000);

  it('is found to be broken by a store that does not keep what it said yes to', async () => {
    expect(await finding('store-forgets')).toMatch(/^Seed \d+: /);
  }, 60_000);

  it('is found to be broken by a gate that opens before the start is recorded', async () => {
    expect(await finding('gate-opens-unrecorded')).toMatch(/^Seed \d+: step \d+ runs and the record says waiting/);
  }, 60_000);

  it('happens again in the same way for the same seed', async () => {
    expect(await simulate(42)).toEqual(await simulate(42));
  }, 60_000);
});

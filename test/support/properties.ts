import fc from 'fast-check';

/**
 * fast-check with a seed that stays: what a change must pass does not depend on luck. `SEED=7 npx vitest run …` looks
 * elsewhere, and `SEED=random` wherever chance leads.
 */
const { SEED: seed = '20261126' } = process.env;
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });

export { fc };

import { defineConfig } from 'vitest/config';

/** What kills, fills and starves: slower than the unit tests, and run apart from them. */
export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    // Real processes, disks and clocks: one more try on a machine that is shared, and the report says so.
    retry: process.env['CI'] ? 1 : 0,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
  },
});

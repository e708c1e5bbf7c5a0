import { defineConfig } from 'vitest/config';

/** What composes images of tools and lets them fetch packages from the registries: slow, and needs a network. */
export default defineConfig({
  test: {
    include: ['test/images/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    // A busy machine is slow, not wrong.
    expect: { poll: { timeout: 15_000 } },
  },
});

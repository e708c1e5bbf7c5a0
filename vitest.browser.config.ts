import { defineConfig } from 'vitest/config';

/** The web UI in a real browser, and the parts of it that need none. */
export default defineConfig({
  test: {
    globalSetup: ['test/browser/build-ui.ts'],
    include: ['test/browser/**/*.test.ts', 'ui/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Each with a browser of its own.
    maxWorkers: 2,
    // What is waited for is never a matter of one second: a busy machine draws late, and a lost piece never comes.
    expect: { poll: { timeout: 15_000 } },
  },
});

import { defineConfig } from 'vitest/config';

const shared = {
  testTimeout: 120_000,
  hookTimeout: 60_000,
  // What is waited for is never a matter of one second: a busy machine draws late, and a lost piece never comes.
  expect: { poll: { timeout: 15_000 } },
};

/** Tests that say how fast something is drawn: nothing else runs beside them. */
const timed = ['test/browser/log.test.ts'];

/** The web UI in a real browser, and the parts of it that need none. */
export default defineConfig({
  test: {
    globalSetup: ['test/browser/build-ui.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'pages',
          include: ['test/browser/**/*.test.ts', 'ui/**/*.test.ts'],
          exclude: timed,
          // Each with a browser of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...shared, name: 'timed', include: timed, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});

import { defineConfig } from 'vitest/config';

/** The web UI in a real browser (`npx vite build` first), and the parts of it that need none. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts', 'ui/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The UI as it was built for this run. */
    uiFolder: string;
  }
}

/** Builds the UI once for all browser tests, into a folder of this run. The build itself fails above its budget. */
export default async function buildUi(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-ui-'));
  const root = join(import.meta.dirname, '../..');
  // A process of its own: in this one NODE_ENV is "test", which would bring React's development build.
  await promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', folder, '--emptyOutDir'],
    { cwd: root, env: { ...process.env, NODE_ENV: 'production' } },
  );
  project.provide('uiFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package's folder: the sources run from `src/app`, the build from `dist/src/app`. */
export const rootFolder = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}

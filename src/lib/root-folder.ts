import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package's folder: of the sources as of a build, which runs from `dist/src`. */
export const rootFolder = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}

import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { GantryError } from '../core/errors.ts';

/** Where server and runners of one data folder meet. */
export interface RunnerFolder {
  readonly folder: string;
  /** The server listens here; runners call, and call again when it is back. */
  readonly socketPath: string;
  /** One file for each runner that lives. */
  readonly recordsFolder: string;
}

/** The kernel's limit for the path of a socket, without its closing zero (unix(7)). */
const maxSocketPathBytes = 107;

/**
 * Makes the folder, for nobody but us: whoever may connect may run steps. It is named after the data folder, so that
 * two on one host never meet; where the run folder is too deep or not ours to write to, it stands in the temporary one.
 */
export function openRunnerFolder(options: { readonly dataFolder: string; readonly runFolder: string }): RunnerFolder {
  const name = createHash('sha256').update(realOf(options.dataFolder)).digest('hex').slice(0, 12);
  const candidates = [join(options.runFolder, name), join(tmpdir(), `gantry-${process.getuid?.() ?? 0}`, name)];
  const refusals: string[] = [];
  for (const folder of candidates) {
    const socketPath = join(folder, 'server.sock');
    if (Buffer.byteLength(socketPath) > maxSocketPathBytes)
      refusals.push(`${folder}: its path is too long for a socket`);
    else {
      const refusal = makePrivate(folder);
      if (refusal === undefined) return { folder, socketPath, recordsFolder: join(folder, 'runners') };
      refusals.push(`${folder}: ${refusal}`);
    }
  }
  throw new GantryError('CONFIG_INVALID', `Cannot make a folder for the runner’s socket: ${refusals.join('; ')}`);
}

function makePrivate(folder: string): string | undefined {
  try {
    mkdirSync(join(folder, 'runners'), { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    if (!found.isDirectory()) return 'it is no folder';
    if (process.getuid && found.uid !== process.getuid()) return 'it belongs to somebody else';
    if ((found.mode & 0o077) !== 0) return 'others may enter it';
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

import { execFile } from 'node:child_process';
import { statfsSync } from 'node:fs';

/** Bytes that the folders take on the disk; `undefined` when they cannot be measured. Follows no link. */
export function measureDiskBytes(du: string, folders: readonly string[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile(du, ['-s', '-x', '-c', '-B1', '--', ...folders], { env: {}, maxBuffer: 1 << 20 }, (_error, stdout) => {
      // Files that vanish while it walks make it complain and still count the rest.
      const total = stdout.trimEnd().split('\n').at(-1)?.split('\t')[0];
      resolve(total === undefined || total === '' ? undefined : Number(total));
    });
  });
}

export interface DiskWatch {
  /** Stops watching, and looks once more: what was written since the last look counts as well. */
  stop(): Promise<boolean>;
}

/** Even where nothing seems to grow, the folders are measured so often. */
const longestWithoutMeasureMs = 10_000;

/**
 * Watches the size of folders until it is stopped or the limit is passed: once a second, less often when measuring takes
 * long. A measure is left out while the whole disk lost less than half of what the folders have left, and their writers
 * have no more than that in memory: then they cannot have reached the limit. Something else may give as much back to the
 * disk meanwhile, but not take from their memory what was just written, unless it is short.
 */
export function watchDiskLimit(options: {
  readonly du: string;
  readonly folders: readonly string[];
  readonly limitBytes: number;
  /** Bytes of files that the writers brought into memory so far. */
  readonly fileBytes: () => number;
  readonly onExceeded: () => void;
}): DiskWatch {
  const freeAtStart = readFreeBytes(options.folders[0]!);
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let last: { bytes: number; freeBytes: number; fileBytes: number; atMs: number } | undefined;
  const again = (delayMs: number): void => {
    timer = setTimeout(() => void look(), delayMs);
    timer.unref();
  };
  const look = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const freeBytes = readFreeBytes(options.folders[0]!);
    const fileBytes = options.fileBytes();
    if (last && startedAtMs - last.atMs < longestWithoutMeasureMs) {
      const grownBytes = Math.max(last.freeBytes - freeBytes, fileBytes - last.fileBytes);
      if (2 * grownBytes < options.limitBytes - last.bytes) return again(1_000);
    }
    const bytes = await measureDiskBytes(options.du, options.folders);
    if (isStopped) return;
    if (bytes !== undefined && bytes > options.limitBytes) return options.onExceeded();
    if (bytes !== undefined) last = { bytes, freeBytes, fileBytes, atMs: startedAtMs };
    again(Math.max(1_000, 5 * (performance.now() - startedAtMs)));
  };
  again(1_000);
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      const grownBytes = Math.max(freeAtStart - readFreeBytes(options.folders[0]!), options.fileBytes());
      if (2 * grownBytes < options.limitBytes - (last?.bytes ?? 0)) return false;
      const bytes = await measureDiskBytes(options.du, options.folders);
      return bytes !== undefined && bytes > options.limitBytes;
    },
  };
}

/** Asked for at once: the answer takes microseconds, to have another thread ask for it twenty times as long. */
function readFreeBytes(folder: string): number {
  try {
    const found = statfsSync(folder);
    return found.bfree * found.bsize;
  } catch {
    // Unknown is as if the disk were full: then every look is a measure.
    return Number.NEGATIVE_INFINITY;
  }
}

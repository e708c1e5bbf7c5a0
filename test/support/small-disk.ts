import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why no small disk can be had here; `undefined` when one can. */
export function findSmallDiskHindrance(): string | undefined {
  if (process.getuid?.() !== 0) return 'a file system can be mounted by root only';
  const folder = mkdtempSync(join(tmpdir(), 'gantry-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
    execFileSync('umount', [folder]);
    return undefined;
  } catch (error) {
    return `no file system can be mounted here: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file system of its own, as large as it is told to be. */
export class SmallDisk {
  readonly folder: string;
  readonly #ballast: string;

  /** Mounted at `folder`, which is made; absent = somewhere in the folder of temporary files. */
  constructor(sizeMiB: number, folder = mkdtempSync(join(tmpdir(), 'gantry-small-'))) {
    this.folder = folder;
    this.#ballast = join(folder, 'ballast');
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder]);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Takes what is free, but for so much. */
  fill(leaveBytes = 0): void {
    const file = openSync(this.#ballast, 'a');
    const piece = Buffer.alloc(4_096, 1);
    try {
      while (this.freeBytes > leaveBytes && writeSync(file, piece) > 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  relieve(): void {
    rmSync(this.#ballast, { force: true });
  }

  remove(): void {
    execFileSync('umount', ['-l', this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../lib/logger.ts';

/** What is removed in so much time is deleted by one program: a start of it costs more than the deleting does. */
const gatherMs = 250;
/** A disk with less free than this, and than this share of it, is short of room. */
const shortOfRoom = { bytes: 8 * 2 ** 30, share: 0.1 };

/**
 * Removes folders that steps have written, off everybody's path: renamed at once, deleted by `rm`, which walks by
 * descriptors and so copes with trees deeper than a path may be long.
 */
export class BackgroundRemoval {
  readonly #trash: string;
  readonly #rm: string;
  readonly #chmod: string | undefined;
  readonly #logger: Logger;
  #sequence = 0;
  #hasFailed = false;
  #running: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly folder: string;
    readonly rm: string;
    /** For users other than root: overlays leave a folder that nobody may enter, its owner included. */
    readonly chmod?: string | undefined;
    readonly logger: Logger;
  }) {
    this.#trash = join(options.folder, 'trash');
    this.#rm = options.rm;
    this.#chmod = options.chmod;
    this.#logger = options.logger;
    mkdirSync(this.#trash, { recursive: true, mode: 0o700 });
  }

  /** The folder is gone from its place when this returns. */
  remove(folder: string): void {
    if (!existsSync(folder)) return;
    this.#sequence += 1;
    renameSync(folder, join(this.#trash, `${process.pid}-${Date.now()}-${this.#sequence}`));
    this.#soon ??= setTimeout(() => this.sweep(), gatherMs);
  }

  /** Starts to delete what lies in the trash, also what a dead runner left there. */
  sweep(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
      if (readdirSync(this.#trash).length > 0 && !this.#hasFailed) this.sweep();
    });
  }

  /** Whether so little of the disk is free that what lies in the trash had better be gone before more is written. */
  get isShortOfRoom(): boolean {
    const { bavail, blocks, bsize } = statfsSync(this.#trash);
    return bavail * bsize < Math.min(shortOfRoom.bytes, shortOfRoom.share * blocks * bsize);
  }

  /** Settles when what lies in the trash now is deleted; not waiting for what comes after. */
  async makeRoom(): Promise<void> {
    // A program that is already at it may have begun before the last folder came.
    for (let pass = 0; pass < 2; pass += 1) {
      this.sweep();
      await this.#running;
    }
  }

  /** Settles when nothing is left to delete. */
  async idle(): Promise<void> {
    if (this.#soon) this.sweep();
    while (this.#running) await this.#running;
  }

  async #sweep(): Promise<void> {
    const names = readdirSync(this.#trash).slice(0, 200);
    if (names.length === 0) return;
    if (this.#chmod) await this.#run([this.#chmod, '-R', 'u+rwX', '--', ...names]);
    const code = await this.#run([this.#rm, '-rf', '--one-file-system', '--', ...names]);
    this.#hasFailed = code !== 0;
    if (code !== 0) this.#logger.warn('Files of finished steps could not be removed', { folder: this.#trash, code });
  }

  #run(command: readonly string[]): Promise<number | null> {
    return new Promise((resolve) => {
      const child = spawn(command[0]!, command.slice(1), { cwd: this.#trash, stdio: 'ignore', env: {} });
      child.once('error', () => resolve(null));
      child.once('exit', resolve);
    });
  }
}

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../lib/logger.ts';

/**
 * Removes folders that steps have written, off everybody's path: renamed at once, deleted by `rm`, which walks by
 * descriptors and so copes with trees deeper than a path may be long.
 */
export class BackgroundRemoval {
  readonly #trash: string;
  readonly #program: string;
  readonly #logger: Logger;
  #sequence = 0;
  #running: Promise<void> | undefined;

  constructor(options: { readonly folder: string; readonly program: string; readonly logger: Logger }) {
    this.#trash = join(options.folder, 'trash');
    this.#program = options.program;
    this.#logger = options.logger;
    mkdirSync(this.#trash, { recursive: true, mode: 0o700 });
  }

  /** The folder is gone from its place when this returns. */
  remove(folder: string): void {
    if (!existsSync(folder)) return;
    this.#sequence += 1;
    renameSync(folder, join(this.#trash, `${process.pid}-${Date.now()}-${this.#sequence}`));
    this.sweep();
  }

  /** Starts to delete what lies in the trash, also what a dead runner left there. */
  sweep(): void {
    this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
      if (readdirSync(this.#trash).length > 0 && !this.#hasFailed) this.sweep();
    });
  }

  /** Settles when nothing is left to delete. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #hasFailed = false;

  async #sweep(): Promise<void> {
    const names = readdirSync(this.#trash).slice(0, 200);
    if (names.length === 0) return;
    const code = await new Promise<number | null>((resolve) => {
      const child = spawn(this.#program, ['-rf', '--one-file-system', '--', ...names], {
        cwd: this.#trash,
        stdio: 'ignore',
        env: {},
      });
      child.once('error', () => resolve(null));
      child.once('exit', resolve);
    });
    this.#hasFailed = code !== 0;
    if (code !== 0) this.#logger.warn('Files of finished steps could not be removed', { folder: this.#trash, code });
  }
}

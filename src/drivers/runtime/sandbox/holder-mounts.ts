import type { CacheMounts, LockedPlace } from '../caches/cache-mounts.ts';
import { type OverlayFolders, overlayMount } from '../caches/overlay.ts';
import { runProgram } from '../caches/run-program.ts';
import type { NamespaceHolder } from './namespace-holder.ts';

const copyTimeoutMs = 600_000;

/** Caches in the namespace of a job's holder: what is mounted there is seen by sandboxes that run already. */
export class HolderMounts implements CacheMounts {
  readonly #holder: NamespaceHolder;
  readonly #isRootless: boolean;
  readonly #cp: string;

  constructor(options: { readonly holder: NamespaceHolder; readonly isRootless: boolean; readonly cp: string }) {
    this.#holder = options.holder;
    this.#isRootless = options.isRootless;
    this.#cp = options.cp;
  }

  /** A cache is durable by its record alone, which is written after a sync of its own: its upper needs none. */
  mount(number: number, folders: OverlayFolders): Promise<void> {
    return this.#holder.mountCache(number, overlayMount(folders, { isRootless: this.#isRootless, isKept: false }));
  }

  show(number: number, path: string, how: { readonly isOver?: boolean } = {}): Promise<boolean> {
    return this.#holder.showCache(number, path, how);
  }

  async lock(number: number, path: string): Promise<LockedPlace> {
    try {
      await this.#holder.lockCache(number, true);
    } catch (error) {
      throw new Error(`files below ${path} are open for writing`, { cause: error });
    }
    // Whoever runs sees what is mounted in its place.
    return { isInUse: false };
  }

  unlock(number: number): Promise<void> {
    return this.#holder.lockCache(number, false);
  }

  drop(number: number): Promise<void> {
    return this.#holder.dropCache(number);
  }

  async copy(number: number, target: string): Promise<void> {
    const source = `/proc/${this.#holder.pid}/root${this.#holder.placeOfCache(number)}`;
    const copied = await runProgram([this.#cp, '-a', '--reflink=auto', '-T', source, target], {
      timeoutMs: copyTimeoutMs,
    });
    if (copied.code !== 0) throw new Error(`its layers could not be joined: ${copied.stderr.trim().slice(0, 500)}`);
  }

  whole<Result>(work: () => Promise<Result>): Promise<Result> {
    return work();
  }
}

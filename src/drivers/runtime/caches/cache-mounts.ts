import type { OverlayFolders } from './overlay.ts';

/** Where a runtime mounts the caches of one job. Places are numbered by who asks for them, each number once. */
export interface CacheMounts {
  /** Mounts the folders at a place: done again with others, over what was there. */
  mount(number: number, folders: OverlayFolders): Promise<void>;
  /**
   * Shows a mounted place at a path of the workspace; answers false when something is there already. `isOver`: over what
   * it showed there before. Follows no link.
   */
  show(number: number, path: string, how?: { readonly isOver?: boolean }): Promise<boolean>;
  /**
   * From then on, until it is unlocked, nobody writes to it. Answers whether somebody goes on with these very folders after
   * that: they cannot be given away then. Rejects where somebody may write; the message is the end of a sentence.
   */
  lock(number: number, path: string): Promise<{ readonly isInUse: boolean }>;
  unlock(number: number): Promise<void>;
  /** Nobody needs what is mounted there any more. */
  drop(number: number): Promise<void>;
  /** Copies what is mounted there, all its layers as one, to a folder that is not there yet. */
  copy(number: number, target: string): Promise<void>;
  /** Nothing else is mounted or begins to run meanwhile. */
  whole<Result>(work: () => Promise<Result>): Promise<Result>;
}

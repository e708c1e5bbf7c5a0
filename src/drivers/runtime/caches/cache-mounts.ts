import type { OverlayFolders } from './overlay.ts';

/** What is known of a place while nobody writes to it. */
export interface LockedPlace {
  /** Somebody goes on with these very folders once it is unlocked: they cannot be given away. */
  readonly isInUse: boolean;
}

/** Where a runtime mounts the caches of one job. Places are numbered by who asks for them, each number once. */
export interface CacheMounts {
  /** Mounts the folders at a place: done again with others, over what was there. */
  mount(number: number, folders: OverlayFolders): Promise<void>;
  /**
   * Shows a mounted place at a path of the workspace; answers false when something is there already. `isOver`: over what
   * it showed there before. Follows no link.
   */
  show(number: number, path: string, how?: { readonly isOver?: boolean }): Promise<boolean>;
  /** Until it is unlocked nobody writes to it. Rejects where somebody may; the message is the end of a sentence. */
  lock(number: number, path: string): Promise<LockedPlace>;
  unlock(number: number): Promise<void>;
  /** Nobody needs what is mounted there any more. */
  drop(number: number): Promise<void>;
  /** Copies what is mounted there, all its layers as one, to a folder that is not there yet. */
  copy(number: number, target: string): Promise<void>;
  /** Nothing else is mounted or begins to run meanwhile. */
  whole<Result>(work: () => Promise<Result>): Promise<Result>;
}

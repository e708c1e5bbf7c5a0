import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../lib/logger.ts';
import { BackgroundRemoval } from './background-removal.ts';
import { cachesFolder } from './cache-records.ts';
import { type CacheLimits, CacheStore } from './cache-store.ts';
import { type Generation, generationName, isDeadGeneration, isOfInstance, isOnlyGeneration } from './generation.ts';
import { findHostProgram } from './host-programs.ts';

/** What a runner has on its disk for caches and results of steps, whichever of its runtimes runs them. */
export interface CacheHome {
  readonly store: CacheStore;
  readonly removal: BackgroundRemoval;
  /** Absolute path. */
  readonly du: string;
  /** Where this run of the runner has what steps write; made when it is asked for, on the file system of the store. */
  folder(): string;
  /** Removes what runners of this instance left here that are gone. Answers in words. */
  reap(): readonly string[];
  /** Waits for what is being saved and removed, and takes the folder of this run away where nobody else has files in it. */
  close(): Promise<void>;
}

/** Opens the caches below the data folder of a runner; `undefined` where this host has not the programs for it. */
export function openCacheHome(options: {
  readonly folder: string;
  readonly generation: Generation;
  readonly limits: CacheLimits;
  readonly logger: Logger;
}): CacheHome | undefined {
  const { folder, generation, limits, logger } = options;
  const [du, rm, chmod, sync] = (['du', 'rm', 'chmod', 'sync'] as const).map(findHostProgram);
  if (!du || !rm || !chmod || !sync) return undefined;
  const generations = join(folder, 'generations');
  const own = join(generations, generationName(generation));
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const isRootless = process.getuid?.() !== 0;
  const removal = new BackgroundRemoval({ folder, rm, chmod: isRootless ? chmod : undefined, logger });
  const store = new CacheStore({
    folder: cachesFolder(folder),
    removal,
    syncProgram: sync,
    isAlone: () => isOnlyGeneration(generations, generation),
    limits,
    logger,
  });
  return {
    store,
    removal,
    du,
    folder() {
      mkdirSync(own, { recursive: true, mode: 0o700 });
      return own;
    },
    reap() {
      store.collect();
      const dead = readdirSync(generations).filter(
        (name) => isOfInstance(name, generation) && isDeadGeneration(name, generation),
      );
      for (const name of dead) removal.remove(join(generations, name));
      if (existsSync(folder)) removal.sweep();
      return dead.map((name) => `files of the runner ${name}`);
    },
    async close() {
      await store.settled();
      await removal.idle();
      const inside = existsSync(own) ? readdirSync(own) : ['nothing'];
      if (inside.length === 0) rmdirSync(own);
    },
  };
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git } from './git.ts';
import { isMissing, syncFolder } from './sync-folder.ts';

/** From when on a repository is tidied: each costs every reader a little. */
export interface TidyLimits {
  readonly looseObjects: number;
  readonly packs: number;
}

export const tidyLimits: TidyLimits = { looseObjects: 4_000, packs: 40 };

const timeoutMs = 30 * 60_000;

/**
 * Gathers loose objects into a pack, and many packs into one, beside clones and pushes that go on. No object is ever
 * dropped: what no reference reaches may belong to a push that is about to move one. Answers whether there was anything
 * to do.
 */
export async function tidyRepository(repository: string, limits: TidyLimits, signal: AbortSignal): Promise<boolean> {
  const options = { repository, timeoutMs, signal };
  const isScattered = (await countLoose(repository)) > limits.looseObjects;
  if (isScattered) {
    await git(['repack', '-l', '-q'], options);
    // The new pack's name must be durable before the loose objects that it replaces go.
    await syncFolder(join(repository, 'objects/pack'));
    await git(['prune-packed', '-q'], options);
  }
  const isLayered = (await countPacks(repository)) > limits.packs;
  if (isLayered) {
    await git(['repack', '-a', '-d', '-k', '-l', '-q'], options);
    await syncFolder(join(repository, 'objects/pack'));
  }
  return isScattered || isLayered;
}

/** About how many: ids are spread evenly, so a few of the 256 folders speak for all. */
async function countLoose(repository: string): Promise<number> {
  const sample = ['17', '4b', '8e', 'd2'];
  const counts = await Promise.all(sample.map((name) => countIn(join(repository, 'objects', name))));
  return (counts.reduce((sum, count) => sum + count, 0) * 256) / sample.length;
}

async function countPacks(repository: string): Promise<number> {
  return countIn(join(repository, 'objects/pack'), '.pack');
}

async function countIn(folder: string, suffix = ''): Promise<number> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(suffix)).length;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

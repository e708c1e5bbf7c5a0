import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { git } from './git.ts';
import { PackIndex } from './pack-index.ts';
import { isMissing, syncFolder } from './sync-folder.ts';

/** From when on a repository is tidied: each costs every reader a little. */
export interface TidyLimits {
  readonly looseObjects: number;
  readonly packs: number;
}

export const tidyLimits: TidyLimits = { looseObjects: 4_000, packs: 40 };

const timeoutMs = 30 * 60_000;

export interface TidyOptions {
  readonly limits: TidyLimits;
  /** Added to git's environment: whose it is, should it outlive us. */
  readonly environment: Readonly<Record<string, string>>;
  /** Does the work while nobody pushes or fetches; `false` when no such moment was to be had. */
  readonly alone: (work: () => Promise<void>) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/**
 * Gathers loose objects into a pack, and many packs into one, beside clones and pushes that go on: only packs are taken
 * away alone, and left for the next time where that cannot be. No object is ever dropped: what no reference reaches may
 * belong to a push that is about to move one. Answers whether there was anything to do.
 */
export async function tidyRepository(repository: string, options: TidyOptions): Promise<boolean> {
  const { limits, alone } = options;
  const isScattered = (await countLoose(repository)) > limits.looseObjects;
  if (isScattered) {
    const before = new Set(await packNames(repository));
    await git(['repack', '-l', '-q'], { ...options, repository, timeoutMs });
    const made = (await packNames(repository)).filter((name) => !before.has(name));
    await dropLoose(repository, made);
  }
  const isLayered = (await countPacks(repository)) > limits.packs;
  if (isLayered) {
    const before = await packNames(repository);
    const united = await packEverything(repository, options);
    if (united.length === 0) return isScattered;
    await dropLoose(repository, united);
    await alone(() =>
      dropPacks(
        repository,
        before.filter((name) => !united.includes(name)),
      ),
    );
  }
  return isScattered || isLayered;
}

/**
 * One pack of all there is, what no reference reaches included, with a bitmap where git can make one. As `git repack -a -d
 * -k` does it, but for the taking away, which that would do in the same breath. Answers its name.
 */
async function packEverything(repository: string, options: TidyOptions): Promise<readonly string[]> {
  const what = ['--all', '--reflog', '--indexed-objects', '--keep-unreachable', '--pack-loose-unreachable', '--local'];
  const how = ['--non-empty', '--delta-base-offset', '--keep-true-parents', '--write-bitmap-index-quiet', '--quiet'];
  const made = await git(['pack-objects', ...what, ...how, join(repository, 'objects/pack/pack')], {
    ...options,
    repository,
    timeoutMs,
  });
  const ids = made.toString('latin1').split('\n').filter(Boolean);
  return ids.map((id) => `pack-${id}`);
}

/**
 * Removes the loose objects that these packs hold. Their folders stay: `git prune-packed` takes one away with its last
 * object, in the very moment, it may be, in which a push moves one into it, and is refused for that.
 */
async function dropLoose(repository: string, packs: readonly string[]): Promise<void> {
  const objects = join(repository, 'objects');
  // The packs' names must be durable before what they replace goes.
  await syncFolder(join(objects, 'pack'));
  for (const pack of packs) {
    const index = await PackIndex.open(join(objects, 'pack', `${pack}.idx`));
    if (!index) continue;
    try {
      for (let byte = 0; byte < 256; byte += 1) {
        const folder = join(objects, byte.toString(16).padStart(2, '0'));
        const loose = await namesIn(folder);
        if (loose.length === 0) continue;
        const packed = new Set((await index.idsBeginningWith(byte)).map((id) => id.slice(2)));
        for (const name of loose) if (packed.has(name)) await rm(join(folder, name), { force: true });
      }
    } finally {
      await index.close();
    }
  }
}

/** Without its pack an index is not looked at; and by it the next time finds what a crash left of them. */
async function dropPacks(repository: string, names: readonly string[]): Promise<void> {
  const folder = join(repository, 'objects/pack');
  const files = await readdir(folder);
  for (const name of names) {
    const its = files.filter((file) => file.startsWith(`${name}.`));
    for (const file of its.sort((a, b) => turnOf(a) - turnOf(b))) await rm(join(folder, file), { force: true });
  }
}

function turnOf(file: string): number {
  if (file.endsWith('.pack')) return 0;
  return file.endsWith('.idx') ? 2 : 1;
}

/** Packs that git sees. One without its index is still on its way here: nobody has read its objects yet. */
async function packNames(repository: string): Promise<readonly string[]> {
  const files = await readdir(join(repository, 'objects/pack'));
  return files.filter((file) => /^pack-[0-9a-f]{40}\.idx$/.test(file)).map((file) => basename(file, '.idx'));
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
  return (await namesIn(folder)).filter((name) => name.endsWith(suffix)).length;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

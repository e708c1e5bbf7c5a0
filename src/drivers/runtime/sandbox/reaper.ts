import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../lib/clock.ts';
import type { BackgroundRemoval } from '../caches/background-removal.ts';
import { type Generation, generationPrefix, isDeadGeneration, isOfInstance } from '../caches/generation.ts';
import type { Cgroups } from './cgroups.ts';
import { removeNetwork, removeRulesWithoutBridge } from './job-network.ts';

export interface ReaperOptions {
  readonly own: Generation;
  /** Folder of generation folders on the data disk, and the run folder with theirs. */
  readonly generationsFolder: string;
  readonly runFolder: string;
  readonly cgroups: Cgroups | undefined;
  readonly removal: BackgroundRemoval;
  readonly clock: Clock;
  /** Absent where there is no network to clean. */
  readonly network: { readonly ip: string; readonly nft: string } | undefined;
}

/** A dead runner of another instance is left to its own for so long: its next runner would miss what it expects. */
const foreignAfterMs = 45_000;

/**
 * Removes what runners left behind when they died: processes and control groups, network, folders. Those of other
 * instances on this host too, as of a test that was killed or an installation that was deleted: nobody else would. Only
 * generations whose process is gone are touched.
 */
export class Reaper {
  readonly #options: ReaperOptions;
  /** Dead runners of other instances, and when they were first seen so. */
  readonly #foreign = new Map<string, number>();
  #hasLookedForRules = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** All are tried, also when one removal fails. Answers in words. */
  async reap(): Promise<readonly string[]> {
    const { own, removal, network } = this.#options;
    const removed: string[] = [];
    const dead = [...findGenerations(this.#options)].filter((name) => isDeadGeneration(name, own));
    for (const name of this.#foreign.keys()) if (!dead.includes(name)) this.#foreign.delete(name);
    for (const name of dead) if (this.#isDue(name)) removed.push(...(await reapGeneration(name, this.#options)));
    if (network && !this.#hasLookedForRules) {
      this.#hasLookedForRules = true;
      const tables = await removeRulesWithoutBridge(network.nft);
      if (tables > 0) removed.push(`${tables} tables of rules without a network`);
    }
    removal.sweep();
    return removed;
  }

  #isDue(name: string): boolean {
    const { own, clock } = this.#options;
    if (isOfInstance(name, own)) return true;
    const nowMs = clock.monotonicMs();
    const sinceMs = this.#foreign.get(name) ?? nowMs;
    this.#foreign.set(name, sinceMs);
    return nowMs - sinceMs >= foreignAfterMs;
  }
}

async function reapGeneration(name: string, options: ReaperOptions): Promise<readonly string[]> {
  const removed: string[] = [];
  const attempts: readonly (readonly [string, () => boolean | Promise<boolean>])[] = [
    ['control groups', () => removeGroups(options.cgroups, name)],
    ['network', async () => !!options.network && removeNetwork({ generation: name, ...options.network })],
    ['files', () => removeFolder(options, join(options.generationsFolder, name))],
    ['pipes', () => removePipes(join(options.runFolder, name))],
  ];
  for (const [what, attempt] of attempts) {
    try {
      if (await attempt()) removed.push(`${what} of the runner ${name}`);
    } catch (error) {
      removed.push(`not the ${what} of the runner ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return removed;
}

/** Wherever a generation may have left something: a crash may have come after any of its steps. */
function findGenerations(options: ReaperOptions): ReadonlySet<string> {
  return new Set([
    ...listFolder(options.generationsFolder),
    ...listFolder(options.runFolder),
    ...(options.cgroups?.generations() ?? []),
    ...bridgeGenerations(),
  ]);
}

/** Our bridges carry their generation as an alias. */
function bridgeGenerations(): readonly string[] {
  return listFolder('/sys/class/net', 'gantry').map((name) => {
    try {
      return readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim();
    } catch {
      return '';
    }
  });
}

function listFolder(folder: string, prefix: string = generationPrefix): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : [];
}

/** What was just killed keeps its group busy for a moment. */
async function removeGroups(cgroups: Cgroups | undefined, generation: string): Promise<boolean> {
  let removed = 0;
  for (let attempt = 0; attempt < 40 && cgroups?.generations().includes(generation); attempt += 1) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 25));
    removed += cgroups.removeGeneration(generation);
  }
  return removed > 0;
}

/** The run folder holds nothing that a step has written, and may be on another file system than the trash. */
function removePipes(folder: string): boolean {
  if (!existsSync(folder)) return false;
  rmSync(folder, { recursive: true, force: true });
  return true;
}

function removeFolder(options: ReaperOptions, folder: string): boolean {
  if (!existsSync(folder)) return false;
  options.removal.remove(folder);
  return true;
}

import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CacheAccess, CacheEvent } from '../../../core/cache.ts';
import type { CachePlan } from '../../../core/plan.ts';
import { faultWords } from '../../../lib/fault-words.ts';
import type { CacheMounts } from './cache-mounts.ts';
import { type CacheStore, type LeasedEntry, type Lookup, longestCacheChain } from './cache-store.ts';
import { measureDiskBytes } from './disk-usage.ts';
import type { OverlayFolders } from './overlay.ts';

/** Whoever runs as whatever user may write, as in a temp volume. */
const everybody = 0o777;

export interface JobCachesOptions {
  readonly access: CacheAccess;
  readonly store: CacheStore;
  readonly mounts: CacheMounts;
  /** Private to the job. */
  readonly folder: string;
  /** Mount point of the workspace. */
  readonly workspace: string;
  /** Without root all owners are the one that we are. */
  readonly isRootless: boolean;
  readonly du: string;
}

/** One path of a cache, and the number of its place. */
export interface CachePlace {
  readonly path: string;
  readonly number: number;
  /** Below the workspace; absent for a path of the step's own. */
  readonly inWorkspace: string | undefined;
  /** Why it is not mounted, as the end of a sentence. */
  fault: string | undefined;
}

/** What a step's cache is of, besides its plan. */
export interface CacheUser {
  /** Name of the step. */
  readonly step: string;
  /** Digest of its image: what was saved in another one is not mounted. */
  readonly imageDigest: string;
  /** Why a path of the step's own cannot be mounted in that image. */
  findFault(path: string): string | undefined;
}

/** The caches of one job: paths in the workspace are mounted once for all of its steps, others for each step alone. */
export class JobCaches {
  readonly options: JobCachesOptions;
  /** Paths of the workspace that are mounted, and whose cache they are. */
  readonly mounted = new Map<string, { readonly key: string; readonly step: string }>();
  readonly #leases = new Set<LeasedEntry>();
  #numbers = 0;

  constructor(options: JobCachesOptions) {
    this.options = options;
  }

  /** The cache of a step, before anything of it is mounted. */
  stage(plan: CachePlan, user: CacheUser): StepCache {
    const { workspace } = this.options;
    const places = plan.paths.map((path): CachePlace => {
      this.#numbers += 1;
      const isShared = path.startsWith(`${workspace}/`);
      return {
        path,
        number: this.#numbers,
        inWorkspace: isShared ? path.slice(workspace.length + 1) : undefined,
        fault: isShared ? undefined : user.findFault(path),
      };
    });
    return new StepCache(this, plan, user, places, join(this.options.folder, `c${this.#numbers}`));
  }

  keep(entry: LeasedEntry): void {
    this.#leases.add(entry);
  }

  /** The job is gone: what it had mounted may be collected. */
  release(): void {
    for (const entry of this.#leases) entry.release();
  }
}

type Tell = (event: CacheEvent) => void;

/** The cache of one step, from its staging to its end. */
export class StepCache {
  readonly #job: JobCaches;
  readonly #plan: CachePlan;
  readonly #user: CacheUser;
  readonly #places: readonly CachePlace[];
  readonly #folder: string;
  #entry: LeasedEntry | undefined;
  /** Whether what the step leaves is worth an entry of its own. */
  #isToSave = false;
  #uppers = 0;

  constructor(job: JobCaches, plan: CachePlan, user: CacheUser, places: readonly CachePlace[], folder: string) {
    this.#job = job;
    this.#plan = plan;
    this.#user = user;
    this.#places = places;
    this.#folder = folder;
    mkdirSync(this.#upper, { recursive: true });
  }

  /** Places of the step alone that can be mounted. */
  get ownPlaces(): readonly CachePlace[] {
    return this.#places.filter(({ inWorkspace, fault }) => inWorkspace === undefined && fault === undefined);
  }

  /** Places in the workspace that nobody has mounted yet. */
  get sharedPlaces(): readonly CachePlace[] {
    return this.#places.filter(
      ({ inWorkspace, fault, path }) =>
        inWorkspace !== undefined && fault === undefined && !this.#job.mounted.has(path),
    );
  }

  /** Where the step's writes go: their size counts for its disk limit. */
  get folder(): string {
    return this.#folder;
  }

  /** Mounts these of its places as `restore` would at this moment: where it finds the same then, it is done. */
  async foresee(places: readonly CachePlace[]): Promise<void> {
    const found = this.#find();
    try {
      for (const [index, place] of this.#places.entries())
        if (places.includes(place)) await this.#mountAt(place, index);
    } finally {
      if (found.kind === 'found') this.#entry = undefined;
    }
  }

  /** Mounts the entry, or empty folders. Never rejects: without its cache a step runs all the same. */
  async restore(tell: Tell): Promise<void> {
    await this.#job.options.mounts.whole(() => this.#restore(tell));
  }

  async #restore(tell: Tell): Promise<void> {
    const { key } = this.#plan;
    const startedAtMs = performance.now();
    try {
      const shared = this.#places.map(({ path }) => this.#job.mounted.get(path)).find((owner) => owner?.key === key);
      const found = this.#find();
      for (const [index, place] of this.#places.entries()) await this.#mount(place, index);
      const faults = this.#places.filter(({ fault }) => fault !== undefined);
      this.#isToSave = !shared && faults.length === 0 && !(found.kind === 'found' && found.entry.isExact);
      if (shared) return tell({ kind: 'shared', key, step: shared.step });
      if (faults.length === this.#places.length)
        return tell({ kind: 'unused', key, why: `${faults[0]!.path}: ${faults[0]!.fault}` });
      if (found.kind === 'found')
        tell({
          kind: 'restored',
          key,
          from: found.entry.record.key,
          savedBy: found.entry.record.savedBy,
          sizeBytes: found.entry.record.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
          elapsedMs: performance.now() - startedAtMs,
        });
      else tell({ kind: 'missed', key, nearest: found.nearest, otherImage: found.otherImage });
      for (const { path, fault } of faults) tell({ kind: 'unused', key, path, why: fault! });
    } catch (error) {
      this.#isToSave = false;
      tell({ kind: 'unused', key, why: faultWords(error) });
    }
  }

  /** Makes what the step left an entry, unless the key was there. Never rejects: a step that passed has passed. */
  async save(tell: Tell): Promise<void> {
    if (!this.#isToSave) return;
    await this.#job.options.mounts.whole(() => this.#save(tell));
  }

  async #save(tell: Tell): Promise<void> {
    const { key } = this.#plan;
    const startedAtMs = performance.now();
    const locked: CachePlace[] = [];
    try {
      const { access, du, mounts, store } = this.#job.options;
      const refuse = (why: string): void => tell({ kind: 'not-saved', key, why });
      if (!this.#entry && this.#places.every((_, index) => readdirSync(join(this.#upper, String(index))).length === 0))
        return refuse('its paths are empty');
      const below = this.#entry?.record.layers ?? [];
      const sizeBelow = below.reduce((sum, layer) => sum + layer.sizeBytes, 0);
      const known = store.findHindrance(access, this.#name, sizeBelow);
      if (known !== undefined) return refuse(known);
      // To walk through thousands of files takes as long as all the rest: done meanwhile.
      const measuring = measureDiskBytes(du, [this.#upper]);
      let isInUse = false;
      for (const place of this.#places) {
        isInUse = (await mounts.lock(place.number, place.path)).isInUse || isInUse;
        locked.push(place);
      }
      const ownBytes = await measuring;
      if (ownBytes === undefined) throw new Error('its size could not be measured');
      const hindrance = store.findHindrance(access, this.#name, sizeBelow + ownBytes);
      if (hindrance !== undefined) throw new Error(hindrance);
      const isGivenAway = !isInUse && below.length < longestCacheChain;
      const saved = isGivenAway ? this.#saveUpper(ownBytes) : await this.#saveCopy(locked);
      this.#job.keep(saved);
      // What is kept is whole, whatever becomes of its place in this job.
      const fault = await (isGivenAway ? this.#goOnOver() : Promise.resolve()).then(
        () => undefined,
        (error: unknown) => faultWords(error),
      );
      const total = saved.record.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
      tell({ kind: 'saved', key, sizeBytes: total, elapsedMs: performance.now() - startedAtMs });
      if (fault !== undefined) tell({ kind: 'unused', key, why: fault });
    } catch (error) {
      await this.#unlock(locked);
      tell({ kind: 'not-saved', key, why: faultWords(error) });
    }
  }

  #find(): Lookup {
    const { access, store } = this.#job.options;
    const found = store.find(access, { ...this.#plan, image: this.#user.imageDigest });
    if (found.kind === 'found') {
      this.#entry = found.entry;
      this.#job.keep(found.entry);
    }
    return found;
  }

  get #name(): CachePlan & { readonly image: string } {
    return { ...this.#plan, image: this.#user.imageDigest };
  }

  async #unlock(locked: CachePlace[]): Promise<void> {
    for (const { number } of locked.splice(0)) await this.#job.options.mounts.unlock(number).catch(() => undefined);
  }

  /** The upper itself becomes the entry's topmost layer. */
  #saveUpper(sizeBytes: number): LeasedEntry {
    const { access, store } = this.#job.options;
    const saved = store.save(access, this.#name, { upper: this.#upper, sizeBytes, base: this.#entry });
    this.#entry = saved;
    this.#uppers += 1;
    return saved;
  }

  /** What is in the workspace goes on over the entry with a new upper. */
  async #goOnOver(): Promise<void> {
    const { mounts } = this.#job.options;
    for (const [index, place] of this.#places.entries()) {
      if (place.inWorkspace === undefined) {
        await mounts.drop(place.number);
        continue;
      }
      await this.#mountAt(place, index);
      await mounts.show(place.number, place.inWorkspace, { isOver: true });
    }
  }

  /**
   * Where somebody goes on with the upper, or many layers over each other would cost every look-up: the content of all of
   * them is copied into one. Nobody waits for more than the copy.
   */
  async #saveCopy(locked: CachePlace[]): Promise<LeasedEntry> {
    const { access, du, mounts, store } = this.#job.options;
    const copy = join(this.#folder, 'copy');
    mkdirSync(copy);
    for (const [index, { number }] of this.#places.entries()) await mounts.copy(number, join(copy, String(index)));
    await this.#unlock(locked);
    const sizeBytes = await measureDiskBytes(du, [copy]);
    if (sizeBytes === undefined) throw new Error('its size could not be measured');
    return store.save(access, this.#name, { upper: copy, sizeBytes, base: undefined });
  }

  async #mount(place: CachePlace, index: number): Promise<void> {
    if (place.fault !== undefined) return;
    if (place.inWorkspace === undefined) {
      await this.#mountAt(place, index);
      return;
    }
    const owner = this.#job.mounted.get(place.path);
    if (owner) {
      if (owner.key !== this.#plan.key) place.fault = `step "${owner.step}" has the cache "${owner.key}" there`;
      return;
    }
    await this.#mountAt(place, index);
    try {
      if (await this.#job.options.mounts.show(place.number, place.inWorkspace))
        this.#job.mounted.set(place.path, { key: this.#plan.key, step: this.#user.step });
      else place.fault = 'the workspace has files there';
    } catch (error) {
      place.fault = error instanceof Error ? error.message : String(error);
    }
  }

  #mountAt({ number }: CachePlace, index: number): Promise<void> {
    return this.#job.options.mounts.mount(number, this.#folders(index));
  }

  #folders(index: number): OverlayFolders {
    const { isRootless, store } = this.#job.options;
    const below = this.#entry?.layersOf(index) ?? [];
    const [upper, work] = [join(this.#upper, String(index)), join(this.#folder, `work${this.#uppers}`, String(index))];
    for (const folder of [upper, work]) mkdirSync(folder, { recursive: true });
    const top = below.at(-1);
    // The root of an overlay looks as its upper does.
    const like = top === undefined ? undefined : statSync(top);
    chmodSync(upper, like ? like.mode & 0o7777 : everybody);
    if (like && !isRootless) chownSync(upper, like.uid, like.gid);
    return { lowers: below.length > 0 ? below : [store.emptyFolder], upper, work };
  }

  get #upper(): string {
    return join(this.#folder, `upper${this.#uppers}`);
  }
}

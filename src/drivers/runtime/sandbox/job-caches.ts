import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CacheAccess, CacheEvent } from '../../../core/cache.ts';
import type { CachePlan } from '../../../core/plan.ts';
import { type CacheStore, type LeasedEntry, longestCacheChain } from './cache-store.ts';
import { measureDiskBytes } from './disk-usage.ts';
import type { Bind } from './launcher.ts';
import { findOccupant } from './mount-points.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import { overlayMount } from './overlay.ts';
import { runProgram } from './run-program.ts';

/** Whoever runs as whatever user may write, as in a temp volume. */
const everybody = 0o777;
const copyTimeoutMs = 600_000;

export interface JobCachesOptions {
  readonly access: CacheAccess;
  readonly store: CacheStore;
  readonly holder: NamespaceHolder;
  /** Private to the job. */
  readonly folder: string;
  /** Mount point of the workspace. */
  readonly workspace: string;
  readonly isRootless: boolean;
  readonly du: string;
  readonly cp: string;
}

/** One path of a cache, and the number under which the holder has it. */
interface Place {
  readonly path: string;
  readonly number: number;
  /** Below the workspace; absent for a path of the step's own. */
  readonly inWorkspace: string | undefined;
  /** Why it is not mounted, as the end of a sentence. */
  fault: string | undefined;
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

  /** Foresees the mounts of a step's cache in a sandbox that is launched after this. `layers` are those of its root. */
  stage(step: string, plan: CachePlan, layers: readonly string[]): StepCache {
    const { workspace } = this.options;
    const places = plan.paths.map((path): Place => {
      this.#numbers += 1;
      const isShared = path.startsWith(`${workspace}/`);
      return {
        path,
        number: this.#numbers,
        inWorkspace: isShared ? path.slice(workspace.length + 1) : undefined,
        fault: isShared ? undefined : findOccupant(layers, path),
      };
    });
    return new StepCache(this, step, plan, places, join(this.options.folder, `c${this.#numbers}`));
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
  /** Mounts of its sandbox: empty until `restore`. */
  readonly binds: readonly Bind[];
  readonly #job: JobCaches;
  readonly #step: string;
  readonly #plan: CachePlan;
  readonly #places: readonly Place[];
  readonly #folder: string;
  #entry: LeasedEntry | undefined;
  /** Whether what the step leaves is worth an entry of its own. */
  #isToSave = false;
  #uppers = 0;

  constructor(job: JobCaches, step: string, plan: CachePlan, places: readonly Place[], folder: string) {
    this.#job = job;
    this.#step = step;
    this.#plan = plan;
    this.#places = places;
    this.#folder = folder;
    this.binds = places
      .filter(({ inWorkspace, fault }) => inWorkspace === undefined && fault === undefined)
      .map(({ path, number }) => ({
        source: job.options.holder.makeCachePlace(number),
        target: path,
        isWritable: true,
      }));
    mkdirSync(this.#upper, { recursive: true });
  }

  /** Where the step's writes go: their size counts for its disk limit. */
  get folder(): string {
    return this.#folder;
  }

  /** Mounts the entry, or empty folders. Never rejects: without its cache a step runs all the same. */
  async restore(tell: Tell): Promise<void> {
    const { key } = this.#plan;
    const startedAtMs = performance.now();
    try {
      const shared = this.#places.map(({ path }) => this.#job.mounted.get(path)).find((owner) => owner?.key === key);
      const { access, store } = this.#job.options;
      const found = store.find(access, this.#plan);
      if (found.kind === 'found') {
        this.#entry = found.entry;
        this.#job.keep(found.entry);
      }
      for (const [index, place] of this.#places.entries()) await this.#mount(place, index);
      const faults = this.#places.filter(({ fault }) => fault !== undefined);
      this.#isToSave = !shared && faults.length === 0 && found.kind === 'missed';
      if (found.kind === 'found' && !found.entry.isExact) this.#isToSave = !shared && faults.length === 0;
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
      else tell({ kind: 'missed', key, nearest: found.nearest });
      for (const { path, fault } of faults) tell({ kind: 'unused', key, path, why: fault! });
    } catch (error) {
      this.#isToSave = false;
      tell({ kind: 'unused', key, why: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Makes what the step left an entry, unless the key was there. Never rejects: a step that passed has passed. */
  async save(tell: Tell): Promise<void> {
    if (!this.#isToSave) return;
    const { key } = this.#plan;
    const startedAtMs = performance.now();
    const locked: Place[] = [];
    try {
      const { access, du, store } = this.#job.options;
      const refuse = (why: string): void => tell({ kind: 'not-saved', key, why });
      if (!this.#entry && this.#places.every((_, index) => readdirSync(join(this.#upper, String(index))).length === 0))
        return refuse('its paths are empty');
      const ownBytes = await measureDiskBytes(du, [this.#upper]);
      if (ownBytes === undefined) return refuse('its size could not be measured');
      const below = this.#entry?.record.layers ?? [];
      const sizeBytes = ownBytes + below.reduce((sum, layer) => sum + layer.sizeBytes, 0);
      const hindrance = store.findHindrance(access, this.#plan, sizeBytes);
      if (hindrance !== undefined) return refuse(hindrance);
      for (const place of this.#places) {
        await this.#lock(place);
        locked.push(place);
      }
      const saved = below.length < longestCacheChain ? await this.#saveUpper(ownBytes) : await this.#saveCopy(locked);
      this.#job.keep(saved);
      const total = saved.record.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
      tell({ kind: 'saved', key, sizeBytes: total, elapsedMs: performance.now() - startedAtMs });
    } catch (error) {
      await this.#unlock(locked);
      tell({ kind: 'not-saved', key, why: error instanceof Error ? error.message : String(error) });
    }
  }

  async #lock({ number, path }: Place): Promise<void> {
    try {
      await this.#job.options.holder.lockCache(number, true);
    } catch (error) {
      throw new Error(`files below ${path} are open for writing`, { cause: error });
    }
  }

  async #unlock(locked: Place[]): Promise<void> {
    for (const { number } of locked.splice(0))
      await this.#job.options.holder.lockCache(number, false).catch(() => undefined);
  }

  /** The upper itself becomes the entry's topmost layer; what is in the workspace goes on over it with a new upper. */
  async #saveUpper(sizeBytes: number): Promise<LeasedEntry> {
    const { access, holder, store } = this.#job.options;
    const saved = store.save(access, this.#plan, { upper: this.#upper, sizeBytes, base: this.#entry });
    this.#entry = saved;
    this.#uppers += 1;
    for (const [index, place] of this.#places.entries()) {
      if (place.inWorkspace === undefined) {
        await holder.dropCache(place.number);
        continue;
      }
      await holder.mountCache(place.number, this.#overlay(index));
      await holder.showCache(place.number, place.inWorkspace, { isOver: true });
    }
    return saved;
  }

  /** Many layers over each other cost every look-up: their content is copied into one. */
  async #saveCopy(locked: Place[]): Promise<LeasedEntry> {
    const { access, cp, du, holder, store } = this.#job.options;
    const copy = join(this.#folder, 'copy');
    mkdirSync(copy);
    for (const [index, { number }] of this.#places.entries()) {
      const source = `/proc/${holder.pid}/root${holder.placeOfCache(number)}`;
      const copied = await runProgram([cp, '-a', '--reflink=auto', '-T', source, join(copy, String(index))], {
        timeoutMs: copyTimeoutMs,
      });
      if (copied.code !== 0) throw new Error(`its layers could not be joined: ${copied.stderr.trim().slice(0, 500)}`);
    }
    const sizeBytes = await measureDiskBytes(du, [copy]);
    if (sizeBytes === undefined) throw new Error('its size could not be measured');
    const saved = store.save(access, this.#plan, { upper: copy, sizeBytes, base: undefined });
    await this.#unlock(locked);
    return saved;
  }

  async #mount(place: Place, index: number): Promise<void> {
    if (place.fault !== undefined) return;
    const { holder } = this.#job.options;
    if (place.inWorkspace === undefined) {
      await holder.mountCache(place.number, this.#overlay(index));
      return;
    }
    const owner = this.#job.mounted.get(place.path);
    if (owner) {
      if (owner.key !== this.#plan.key) place.fault = `step "${owner.step}" has the cache "${owner.key}" there`;
      return;
    }
    await holder.mountCache(place.number, this.#overlay(index));
    try {
      if (await holder.showCache(place.number, place.inWorkspace))
        this.#job.mounted.set(place.path, { key: this.#plan.key, step: this.#step });
      else place.fault = 'the workspace has files there';
    } catch (error) {
      place.fault = error instanceof Error ? error.message : String(error);
    }
  }

  /** A cache is durable by its record alone, which is written after a sync of its own: its upper needs none. */
  #overlay(index: number): ReturnType<typeof overlayMount> {
    const { isRootless, store } = this.#job.options;
    const below = this.#entry?.layersOf(index) ?? [];
    const [upper, work] = [join(this.#upper, String(index)), join(this.#folder, `work${this.#uppers}`, String(index))];
    for (const folder of [upper, work]) mkdirSync(folder, { recursive: true });
    const top = below.at(-1);
    // The root of an overlay looks as its upper does.
    const like = top === undefined ? undefined : statSync(top);
    chmodSync(upper, like ? like.mode & 0o7777 : everybody);
    if (like && !isRootless) chownSync(upper, like.uid, like.gid);
    return overlayMount(
      { lowers: below.length > 0 ? below : [store.emptyFolder], upper, work },
      { isRootless, isKept: false },
    );
  }

  get #upper(): string {
    return join(this.#folder, `upper${this.#uppers}`);
  }
}

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CacheAccess, readableScopes } from '../../../core/cache.ts';
import { GantryError } from '../../../core/errors.ts';
import type { CachePlan } from '../../../core/plan.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { BackgroundRemoval } from './background-removal.ts';
import { type CacheRecord, CacheRecords, sizeOf } from './cache-records.ts';
import { runProgram } from './run-program.ts';

export interface CacheLimits {
  /** What one entry may have. */
  readonly entryBytes: number;
  readonly projectBytes: number;
  readonly totalBytes: number;
}

export const defaultCacheLimits: CacheLimits = {
  entryBytes: 2 * 2 ** 30,
  projectBytes: 10 * 2 ** 30,
  totalBytes: 50 * 2 ** 30,
};

/** Layers over each other that an entry may have: beyond that its content is copied into one. */
export const longestCacheChain = 4;
const syncTimeoutMs = 600_000;
/** Whoever waits for the entry goes on first: a program that writes to the disk would be in its way. */
const sealAfterMs = 50;
/** Results of steps that a project may have, and how long one stays that nobody takes. */
const maxResults = 500;
const resultRetentionMs = 30 * 24 * 3_600_000;

/** What an entry is saved as. */
export interface EntryName {
  readonly key: string;
  readonly paths: readonly string[];
  /** Digest of the image whose step saves it, of a cache. */
  readonly image?: string;
  readonly result?: CacheRecord['result'];
}

/** An entry for as long as somebody has it mounted. */
export interface LeasedEntry {
  readonly record: CacheRecord;
  readonly isExact: boolean;
  /** Its folders for the path with this number, the lowest first. */
  layersOf(path: number): readonly string[];
  /** Folder of one of its layers. */
  folderOf(layer: string): string;
  /** Gives the lease back: from then on it may be collected. */
  release(): void;
}

export type Lookup =
  | { readonly kind: 'found'; readonly entry: LeasedEntry }
  | {
      readonly kind: 'missed';
      readonly nearest: string | undefined;
      /** Number of the pipeline that saved the very key in a step of another image. */
      readonly otherImage: number | undefined;
    };

/**
 * Entries of caches on the disk of this host. An entry is a record and the folders that it names; folders are never
 * written to again, and several entries may lie on the same. The record decides: it is written last and removed first.
 */
export class CacheStore {
  readonly #folder: string;
  readonly #removal: BackgroundRemoval;
  readonly #syncProgram: string;
  readonly #isAlone: () => boolean;
  readonly #limits: CacheLimits;
  readonly #logger: Logger;
  /** Saved, and on their way to the disk: used already, and lost with a crash. By project and id. */
  readonly #unsealed = new Map<string, CacheRecord>();
  readonly #sealing = new Set<Promise<void>>();
  /** How many have a layer mounted, by the path of its folder. */
  readonly #leases = new Map<string, number>();

  constructor(options: {
    readonly folder: string;
    readonly removal: BackgroundRemoval;
    readonly syncProgram: string;
    /** Whether no other runner works on the folder: its leases are not known here. */
    readonly isAlone: () => boolean;
    readonly limits: CacheLimits;
    readonly logger: Logger;
  }) {
    this.#folder = options.folder;
    this.#removal = options.removal;
    this.#syncProgram = options.syncProgram;
    this.#isAlone = options.isAlone;
    this.#limits = options.limits;
    this.#logger = options.logger;
    mkdirSync(join(this.#folder, 'empty'), { recursive: true, mode: 0o755 });
    this.collect();
  }

  /** A folder with nothing in it. */
  get emptyFolder(): string {
    return join(this.#folder, 'empty');
  }

  /**
   * The entry with the key, or the newest that begins as `restore` says; of the pipeline's own scope first. What a step of
   * another image saved is not found (performance.md 5.5): it may hold what only runs there.
   */
  find(access: CacheAccess, plan: CachePlan & { readonly image: string }): Lookup {
    const records = new CacheRecords(this.#folder, access.projectId);
    const scopes = readableScopes(access);
    for (const scope of scopes) {
      const record = this.#findExact(records, access.projectId, idOf(scope, plan));
      if (record) return { kind: 'found', entry: this.#lease(records, record, true) };
    }
    const all = this.#readable(records, access.projectId, scopes, plan.paths);
    const readable = all.filter(({ image }) => image === plan.image);
    for (const beginning of plan.restore) {
      const matching = readable.filter(({ key }) => key.startsWith(beginning));
      for (const scope of scopes) {
        const [newest] = matching
          .filter((record) => record.scope === scope)
          .toSorted((left, right) => right.savedAtMs - left.savedAtMs);
        if (newest) return { kind: 'found', entry: this.#lease(records, newest, false) };
      }
    }
    const otherImage = all.find(({ key, image }) => key === plan.key && image !== plan.image)?.savedBy;
    return { kind: 'missed', nearest: nearestOf(readable, plan.key), otherImage };
  }

  /** The result of a step with this key that the pipeline may read. */
  findResult(access: CacheAccess, key: string): LeasedEntry | undefined {
    const records = new CacheRecords(this.#folder, access.projectId);
    for (const scope of readableScopes(access)) {
      const record = this.#findExact(records, access.projectId, idOf(scope, anyResult(key)));
      if (record?.result) return this.#lease(records, record, true);
    }
    return undefined;
  }

  /** The newest result of the step with this label, of the pipeline's own scope first. */
  latestResult(access: CacheAccess, label: string): CacheRecord | undefined {
    const records = new CacheRecords(this.#folder, access.projectId);
    const all = [...this.#unsealedOf(access.projectId), ...records.list().map(({ record }) => record)];
    const mine = all.filter(({ result }) => result?.label === label);
    for (const scope of readableScopes(access)) {
      const [newest] = mine
        .filter((record) => record.scope === scope)
        .toSorted((left, right) => right.savedAtMs - left.savedAtMs);
      if (newest) return newest;
    }
    return undefined;
  }

  /** Forgets the result with this key of the pipeline's own scope. */
  forgetResult(access: CacheAccess, key: string): void {
    const id = idOf(access.scope, anyResult(key));
    this.#unsealed.delete(nameOf(access.projectId, id));
    new CacheRecords(this.#folder, access.projectId).remove(id);
  }

  /** As the end of a sentence: why nothing of this size is saved under the key. */
  findHindrance(access: CacheAccess, plan: EntryName, sizeBytes: number): string | undefined {
    const id = idOf(access.scope, plan);
    const records = new CacheRecords(this.#folder, access.projectId);
    if (this.#findExact(records, access.projectId, id)) return 'another step has saved this key meanwhile';
    const limit = Math.min(this.#limits.entryBytes, this.#limits.projectBytes, this.#limits.totalBytes);
    return sizeBytes > limit ? `it has ${mebibytes(sizeBytes)}, and an entry may have ${mebibytes(limit)}` : undefined;
  }

  /**
   * Makes what lies in `upper` (one folder per path) an entry, on top of the layers of `base`: by one rename. Used from
   * now on; on the disk once it is synced, which nobody waits for. Nobody may write to it any more.
   */
  save(
    access: CacheAccess,
    plan: EntryName,
    content: { readonly upper: string; readonly sizeBytes: number; readonly base: LeasedEntry | undefined },
  ): LeasedEntry {
    const hindrance = this.findHindrance(
      access,
      plan,
      content.sizeBytes + (content.base ? sizeOf(content.base.record) : 0),
    );
    if (hindrance !== undefined) throw new GantryError('REQUEST_INVALID', `Cannot save the cache: ${hindrance}`);
    const records = new CacheRecords(this.#folder, access.projectId);
    mkdirSync(records.layersFolder, { recursive: true, mode: 0o700 });
    const layer = { id: randomBytes(16).toString('hex'), sizeBytes: content.sizeBytes };
    const record: CacheRecord = {
      id: idOf(access.scope, plan),
      key: plan.key,
      scope: access.scope,
      architecture: process.arch,
      ...(plan.image === undefined ? {} : { image: plan.image }),
      paths: plan.paths,
      layers: [...(content.base?.record.layers ?? []), layer],
      savedBy: access.pipeline,
      savedAtMs: Date.now(),
      ...(plan.result ? { result: plan.result } : {}),
    };
    renameSync(content.upper, join(records.layersFolder, layer.id));
    this.#unsealed.set(nameOf(access.projectId, record.id), record);
    const entry = this.#lease(records, record, true);
    const sealing = delay(sealAfterMs)
      .then(() => this.#seal(records, access.projectId, record))
      .finally(() => this.#sealing.delete(sealing));
    this.#sealing.add(sealing);
    return entry;
  }

  /** Settles when what was saved is on the disk. */
  async settled(): Promise<void> {
    while (this.#sealing.size > 0) await Promise.allSettled(this.#sealing);
  }

  /** Removes entries beyond the limits, the ones unused for longest first, and layers that no entry has. */
  collect(): void {
    const projects = CacheRecords.projects(this.#folder).map((id) => ({
      id,
      records: new CacheRecords(this.#folder, id),
    }));
    const found = projects.map(({ id, records }) => ({ id, records, all: [...records.list()] }));
    for (const { records } of found) removeOldResults(records);
    for (const { records, all } of found)
      removeUntil(
        this.#limits.projectBytes,
        all.map((one) => ({ records, ...one })),
      );
    const kept = found.flatMap(({ records }) => records.list().map((one) => ({ records, ...one })));
    removeUntil(this.#limits.totalBytes, kept);
    if (!this.#isAlone()) return;
    for (const { id, records } of projects) this.#sweep(id, records);
  }

  #sweep(projectId: number, records: CacheRecords): void {
    const unsealed = this.#unsealedOf(projectId);
    const used = new Set(
      [...records.list().map(({ record }) => record), ...unsealed].flatMap(({ layers }) => layers.map(({ id }) => id)),
    );
    for (const name of existsSync(records.layersFolder) ? readdirSync(records.layersFolder) : []) {
      const path = join(records.layersFolder, name);
      if (!used.has(name) && !this.#leases.has(path)) this.#removal.remove(path);
    }
    // Records are written in one go: a draft that is seen was left by a crash.
    for (const name of readdirSync(records.folder))
      if (name.endsWith('.new')) rmSync(join(records.folder, name), { force: true });
  }

  /** The record is written after the content is on the disk: then it also holds after a loss of power. */
  async #seal(records: CacheRecords, projectId: number, record: CacheRecord): Promise<void> {
    const top = record.layers.at(-1)!;
    try {
      const synced = await runProgram([this.#syncProgram, '-f', join(records.layersFolder, top.id)], {
        timeoutMs: syncTimeoutMs,
      });
      if (synced.code !== 0) throw new Error(synced.stderr.trim() || 'sync failed');
      // It may have been forgotten meanwhile.
      if (this.#unsealed.get(nameOf(projectId, record.id)) === record) records.write(record);
    } catch (error) {
      this.#logger.warn('An entry of a cache could not be recorded', { error, projectId, key: record.key });
    } finally {
      const name = nameOf(projectId, record.id);
      if (this.#unsealed.get(name) === record) this.#unsealed.delete(name);
    }
    this.collect();
  }

  #findExact(records: CacheRecords, projectId: number, id: string): CacheRecord | undefined {
    const record = this.#unsealed.get(nameOf(projectId, id)) ?? records.find(id);
    return record && isWhole(records, record) ? record : undefined;
  }

  #readable(
    records: CacheRecords,
    projectId: number,
    scopes: readonly string[],
    paths: readonly string[],
  ): readonly CacheRecord[] {
    return [...this.#unsealedOf(projectId), ...records.list().map(({ record }) => record)].filter(
      (record) =>
        record.result === undefined &&
        scopes.includes(record.scope) &&
        record.architecture === process.arch &&
        record.paths.join('\n') === paths.join('\n') &&
        isWhole(records, record),
    );
  }

  #unsealedOf(projectId: number): readonly CacheRecord[] {
    return [...this.#unsealed].filter(([name]) => name.startsWith(`${projectId}/`)).map(([, record]) => record);
  }

  #lease(records: CacheRecords, record: CacheRecord, isExact: boolean): LeasedEntry {
    const folders = record.layers.map(({ id }) => join(records.layersFolder, id));
    for (const folder of folders) this.#leases.set(folder, (this.#leases.get(folder) ?? 0) + 1);
    records.noteUse(record.id);
    let isReleased = false;
    return {
      record,
      isExact,
      layersOf: (path) => folders.map((folder) => join(folder, String(path))),
      folderOf: (layer) => join(records.layersFolder, layer),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        for (const folder of folders) {
          const left = (this.#leases.get(folder) ?? 1) - 1;
          if (left > 0) this.#leases.set(folder, left);
          else this.#leases.delete(folder);
        }
      },
    };
  }
}

/** The name under which whatever step has a result with this key. */
function anyResult(key: string): EntryName {
  return {
    key,
    paths: [],
    result: {
      label: '',
      origin: { pipeline: 0, workflow: '', step: '', stepId: 0, workflowId: 0, attempt: 0 },
      parts: {},
    },
  };
}

/** Results take hardly a byte where a step has no outputs: their number and their age are what bounds them. */
function removeOldResults(records: CacheRecords): void {
  const oldestMs = Date.now() - resultRetentionMs;
  const results = records
    .list()
    .filter(({ record }) => record.result)
    .toSorted((left, right) => right.usedAtMs - left.usedAtMs);
  results.forEach(({ record, usedAtMs }, index) => {
    if (index >= maxResults || usedAtMs < oldestMs) records.remove(record.id);
  });
}

/** Removes what was used longest ago until the rest fits; a layer that two entries have counts once. */
function removeUntil(
  limitBytes: number,
  entries: readonly { readonly records: CacheRecords; readonly record: CacheRecord; readonly usedAtMs: number }[],
): void {
  const kept = entries.toSorted((left, right) => right.usedAtMs - left.usedAtMs);
  while (kept.length > 0 && bytesOf(kept) > limitBytes) {
    const oldest = kept.pop()!;
    oldest.records.remove(oldest.record.id);
  }
}

function bytesOf(entries: readonly { readonly record: CacheRecord }[]): number {
  const layers = new Map(
    entries.flatMap(({ record }) => record.layers.map(({ id, sizeBytes }) => [id, sizeBytes] as const)),
  );
  return layers.values().reduce((sum, bytes) => sum + bytes, 0);
}

function isWhole(records: CacheRecords, { layers }: CacheRecord): boolean {
  return layers.every(({ id }) => existsSync(join(records.layersFolder, id)));
}

/** A result's key says all that decides about it; nobody can give a cache the id of one. */
function idOf(scope: string, { key, paths, image = '', result }: EntryName): string {
  const names = result ? ['', 'result', process.arch, scope, key] : [process.arch, image, scope, key, ...paths];
  return createHash('sha256').update(names.join('\0')).digest('hex').slice(0, 32);
}

function nameOf(projectId: number, id: string): string {
  return `${projectId}/${id}`;
}

/** The key that begins alike for longest. */
function nearestOf(records: readonly CacheRecord[], key: string): string | undefined {
  let nearest: { readonly key: string; readonly length: number } | undefined;
  for (const record of records) {
    let length = 0;
    while (length < key.length && record.key[length] === key[length]) length += 1;
    if (length > (nearest?.length ?? 0)) nearest = { key: record.key, length };
  }
  return nearest?.key;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

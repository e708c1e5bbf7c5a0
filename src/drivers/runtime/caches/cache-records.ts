import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CacheEntry, CacheShelf } from '../../../core/cache.ts';
import type { ReuseOrigin, ReuseParts } from '../../../core/step-reuse.ts';

/** What makes folders an entry. Folders without a record are rubbish of a crash. */
export interface CacheRecord {
  readonly id: string;
  readonly key: string;
  readonly scope: string;
  readonly architecture: string;
  /** Digest of the image whose step saved it; absent for a result. */
  readonly image?: string;
  readonly paths: readonly string[];
  /** The lowest first; each holds one folder per path, named by its number. */
  readonly layers: readonly { readonly id: string; readonly sizeBytes: number }[];
  readonly savedBy: number;
  readonly savedAtMs: number;
  /** Of a step's result: whose it is, and what its key is made of. Absent = a cache. */
  readonly result?: {
    readonly label: string;
    readonly origin: ReuseOrigin;
    readonly parts: ReuseParts;
  };
}

export interface FoundRecord {
  readonly record: CacheRecord;
  readonly usedAtMs: number;
}

/** Where a runner has the caches: on the file system of the folders that steps write to, or nothing could be renamed. */
export function cachesFolder(runnerDataFolder: string): string {
  return join(runnerDataFolder, 'caches');
}

/** The records of one project's entries: one file each, whose time stamp says when the entry was used last. */
export class CacheRecords {
  readonly folder: string;

  constructor(root: string, projectId: number) {
    this.folder = join(root, `p${projectId}`);
  }

  static projects(root: string): readonly number[] {
    if (!existsSync(root)) return [];
    return readdirSync(root).flatMap((name) => (/^p\d+$/.test(name) ? [Number(name.slice(1))] : []));
  }

  /** Where the layers of all entries of the project lie. */
  get layersFolder(): string {
    return join(this.folder, 'layers');
  }

  find(id: string): CacheRecord | undefined {
    return readRecord(join(this.folder, `${id}.json`), id);
  }

  list(): readonly FoundRecord[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder).flatMap((name) => {
      if (!name.endsWith('.json')) return [];
      const path = join(this.folder, name);
      const record = readRecord(path, name.slice(0, -'.json'.length));
      const usedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      return record && usedAtMs !== undefined ? [{ record, usedAtMs }] : [];
    });
  }

  /** On the disk when this returns. Answers false when there is one with this id: the first that saves a key wins. */
  write(record: CacheRecord): boolean {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const draft = join(this.folder, `${record.id}.${process.pid}.new`);
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, JSON.stringify(record));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(draft, join(this.folder, `${record.id}.json`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    syncFolder(this.folder);
    return true;
  }

  /** Whether it was there. Its layers stay until nobody has them mounted. */
  remove(id: string): boolean {
    const path = join(this.folder, `${id}.json`);
    if (!existsSync(path)) return false;
    rmSync(path, { force: true });
    syncFolder(this.folder);
    return true;
  }

  noteUse(id: string): void {
    const path = join(this.folder, `${id}.json`);
    const now = new Date();
    // One that was removed meanwhile is not used any more.
    if (existsSync(path)) utimesSync(path, now, now);
  }
}

/** The entries below the folder of caches of a runner on this host, for whoever looks at them from outside. */
export function createCacheShelf(root: string): CacheShelf {
  return {
    async list(projectId) {
      return new CacheRecords(root, projectId)
        .list()
        .toSorted((left, right) => right.usedAtMs - left.usedAtMs)
        .map(({ record, usedAtMs }) => entryOf(record, usedAtMs));
    },
    async remove(projectId, id) {
      return /^[0-9a-f]{32}$/.test(id) && new CacheRecords(root, projectId).remove(id);
    },
  };
}

function entryOf(record: CacheRecord, usedAtMs: number): CacheEntry {
  const { id, key, scope, paths, savedBy, savedAtMs, result } = record;
  return {
    id,
    kind: result ? 'step-result' : 'cache',
    key: result?.label ?? key,
    scope,
    paths,
    savedBy,
    sizeBytes: sizeOf(record),
    savedAt: new Date(savedAtMs),
    usedAt: new Date(usedAtMs),
  };
}

/** Bytes of all layers together. */
export function sizeOf({ layers }: Pick<CacheRecord, 'layers'>): number {
  return layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function readRecord(path: string, id: string): CacheRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as Partial<CacheRecord>;
    if (record.id !== id || typeof record.key !== 'string' || !record.layers || !record.paths) return undefined;
    return record as CacheRecord;
  } catch {
    return undefined;
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, ownIdentity, type ProcessIdentity } from '../../../lib/process-identity.ts';

/** What a build has in an engine while it runs, so that another process can take it away when this one is killed. */
export interface BuildRecord {
  readonly id: string;
  /** Address of the engine. */
  readonly engine: string;
  readonly owner: ProcessIdentity;
  /** Names that it alone uses. */
  readonly tags: readonly string[];
  /** Names that an image has there while it is pushed, and the image that had each before. */
  readonly pushes: readonly { readonly name: string; readonly before?: string | undefined }[];
}

/** The record of a build that runs here. Each note is on the disk before what it tells of is made. */
export interface OpenBuildRecord {
  noteTag(tag: string): void;
  notePush(name: string, before: string | undefined): void;
  /** What a push had there is gone again. */
  noteNoPush(name: string): void;
  /** It is over. Where something of it is left it counts as abandoned from now on. */
  end(isGone: boolean): void;
}

const maxFileBytes = 2 ** 20;
const maxFiles = 10_000;

/** Records of builds, one file for each, in a folder that the runners of an installation share. */
export class BuildRecords {
  readonly #folder: string;
  readonly #engine: string;
  readonly #owner = ownIdentity();
  readonly #running = new Set<string>();

  constructor(folder: string, engine: string) {
    this.#folder = folder;
    this.#engine = engine;
  }

  open(id: string): OpenBuildRecord {
    let record: BuildRecord = { id, engine: this.#engine, owner: this.#owner, tags: [], pushes: [] };
    const path = this.#pathOf(id);
    const keep = (change: Partial<BuildRecord>): void => {
      record = { ...record, ...change };
      mkdirSync(this.#folder, { recursive: true });
      // Whole or not at all: whoever reads it does so because this process has ended anywhere.
      writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    };
    this.#running.add(id);
    // Also the build itself goes on in the engine when nobody is left who waits for it.
    keep({});
    return {
      noteTag: (tag) => keep({ tags: [...record.tags, tag] }),
      notePush: (name, before) => keep({ pushes: [...record.pushes, { name, before }] }),
      noteNoPush: (name) => keep({ pushes: record.pushes.filter((each) => each.name !== name) }),
      end: (isGone) => {
        this.#running.delete(id);
        if (isGone && record.pushes.length === 0) rmSync(path, { force: true });
      },
    };
  }

  /** Of builds in this engine whose process is gone, or that are over here with something left. What cannot be read is no record, and removed. */
  abandoned(): readonly BuildRecord[] {
    return this.#files().flatMap((file) => {
      const path = join(this.#folder, file);
      const record = readRecord(path);
      if (!record) {
        rmSync(path, { force: true });
        return [];
      }
      return record.engine === this.#engine && !this.#isRunning(record) ? [record] : [];
    });
  }

  #isRunning({ id, owner }: BuildRecord): boolean {
    return this.#isOwn(owner) ? this.#running.has(id) : isAlive(owner);
  }

  #isOwn({ pid, startTicks, bootId }: ProcessIdentity): boolean {
    return pid === this.#owner.pid && startTicks === this.#owner.startTicks && bootId === this.#owner.bootId;
  }

  forget(id: string): void {
    rmSync(this.#pathOf(id), { force: true });
  }

  #files(): readonly string[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => /^[0-9a-f]+\.json$/.test(name))
        .slice(0, maxFiles);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

function readRecord(path: string): BuildRecord | undefined {
  try {
    if (statSync(path).size > maxFileBytes) return undefined;
    const { id, engine, owner, tags, pushes } = JSON.parse(readFileSync(path, 'utf8')) as Partial<BuildRecord>;
    const isWhole = typeof id === 'string' && typeof engine === 'string' && typeof owner?.pid === 'number';
    return isWhole && Array.isArray(tags) && Array.isArray(pushes) ? { id, engine, owner, tags, pushes } : undefined;
  } catch {
    // Gone meanwhile, or damaged: in neither case there is anything to go by.
    return undefined;
  }
}

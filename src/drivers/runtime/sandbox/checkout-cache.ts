import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SubmoduleSource } from '../../../core/checkout.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { BackgroundRemoval } from '../caches/background-removal.ts';
import { runProgram } from '../caches/run-program.ts';
import type { RepositorySpec } from '../runtime.ts';
import type { CheckoutMaker, CheckoutSummary } from './checkout-maker.ts';

/** A near commit below a checkout saves work; a long chain of them costs every look-up. */
const longestChain = 8;
/** Sealed checkouts that are kept; beyond that the ones unused for longest go. */
const keptCheckouts = 64;

/** A sealed work tree: folders for the lower side of an overlay, the lowest first. Never written to again. */
export interface Checkout {
  readonly layers: readonly string[];
  readonly summary: CheckoutSummary;
  /** Whether it was there before, or made from the checkout of a near commit. */
  readonly origin: 'kept' | 'near' | 'fresh';
  /** Gives the lease back: from then on it may be collected. */
  release(): void;
}

/** The record that makes a folder a sealed checkout; a folder without one is rubbish of a crash. */
interface Entry {
  readonly key: string;
  readonly repository: string;
  readonly base?: string | undefined;
  readonly summary: CheckoutSummary;
  usedAtMs: number;
  leases: number;
}

/** Sealed checkouts by (repository, commit): a commit that was seen costs a mount, a near one the difference. */
export class CheckoutCache {
  readonly #folder: string;
  readonly #maker: CheckoutMaker;
  readonly #removal: BackgroundRemoval;
  readonly #syncProgram: string;
  readonly #isAlone: () => boolean;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #making = new Map<string, Promise<Entry>>();
  readonly #closing = new AbortController();
  #sequence = 0;

  constructor(options: {
    readonly folder: string;
    readonly maker: CheckoutMaker;
    readonly removal: BackgroundRemoval;
    readonly syncProgram: string;
    /** Whether no other runner works on the folder: its leases are not known here. */
    readonly isAlone: () => boolean;
    readonly logger: Logger;
  }) {
    this.#folder = options.folder;
    this.#maker = options.maker;
    this.#removal = options.removal;
    this.#syncProgram = options.syncProgram;
    this.#isAlone = options.isAlone;
    this.#logger = options.logger;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#load();
  }

  /**
   * The checkout of a commit, leased to the caller. Two callers at once share one making. Throws CheckoutFailure when
   * git refuses, with what it said.
   */
  provide(repository: RepositorySpec): Promise<Checkout> {
    const { folder, commit, path = '' } = repository;
    // What lies in a folder of the workspace says so; any other is the same checkout as before there were such.
    const label = path === '' ? folder : `${folder}\0${path}`;
    return this.#obtain(`${label}\0${commit}`, label, (draft, near) =>
      this.#maker.make({ repository, folder: draft, near, signal: this.#closing.signal }),
    );
  }

  /**
   * The trees of submodules, to be laid over the checkout that they are in: they depend on nothing else of it. Leased, and
   * throws, as `provide` does.
   */
  provideSubmodules(submodules: readonly SubmoduleSource[], top: string): Promise<Checkout> {
    const label = `submodules\0${top}\0${JSON.stringify(submodules)}`;
    return this.#obtain(label, undefined, (draft) =>
      this.#maker.makeSubmodules({ submodules, top, folder: draft, signal: this.#closing.signal }),
    );
  }

  /** `label`: what those have in common of which one may lie below the other; absent = none. */
  async #obtain(
    name: string,
    label: string | undefined,
    make: (draft: string, near: readonly string[]) => Promise<CheckoutSummary>,
  ): Promise<Checkout> {
    const key = createHash('sha256').update(name).digest('hex').slice(0, 32);
    let entry = this.#entries.get(key);
    let origin: Checkout['origin'] = 'kept';
    if (!entry) {
      let making = this.#making.get(key);
      if (!making) {
        making = this.#make(key, label, make).finally(() => this.#making.delete(key));
        this.#making.set(key, making);
      }
      entry = await making;
      origin = entry.base === undefined ? 'fresh' : 'near';
    }
    entry.usedAtMs = Date.now();
    const chain = this.#chain(entry);
    for (const link of chain) link.leases += 1;
    let isReleased = false;
    return {
      layers: chain.map((link) => this.#treeOf(link.key)).toReversed(),
      summary: entry.summary,
      origin,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        for (const link of chain) link.leases -= 1;
        this.#collect();
      },
    };
  }

  /** Ends what is being made; checkouts that are leased stay as they are. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#making.values());
  }

  async #make(
    key: string,
    label: string | undefined,
    make: (draft: string, near: readonly string[]) => Promise<CheckoutSummary>,
  ): Promise<Entry> {
    const base = label === undefined ? undefined : this.#findNear(label);
    const baseChain = base ? this.#chain(base) : [];
    for (const link of baseChain) link.leases += 1;
    this.#sequence += 1;
    const draft = join(this.#folder, `.draft-${process.pid}-${Date.now()}-${this.#sequence}`);
    try {
      const summary = await make(draft, baseChain.map((link) => this.#treeOf(link.key)).toReversed());
      const target = join(this.#folder, key);
      // Another runner on this folder may have made the same one: theirs is as good.
      if (existsSync(target)) this.#removal.remove(target);
      mkdirSync(target, { mode: 0o700 });
      renameSync(join(draft, 'tree'), join(target, 'tree'));
      const entry: Entry = {
        key,
        repository: label ?? '',
        base: base?.key,
        summary,
        usedAtMs: Date.now(),
        leases: 0,
      };
      this.#entries.set(key, entry);
      void this.#seal(entry);
      return entry;
    } finally {
      for (const link of baseChain) link.leases -= 1;
      this.#removal.remove(draft);
    }
  }

  /** The record is written after the tree is on the disk: then it also holds after a loss of power. */
  async #seal(entry: Entry): Promise<void> {
    const synced = await runProgram([this.#syncProgram, '-f', this.#treeOf(entry.key)], { timeoutMs: 600_000 });
    if (synced.code !== 0 || this.#entries.get(entry.key) !== entry) return;
    const { key, repository, base, summary } = entry;
    const path = join(this.#folder, `${key}.json`);
    try {
      writeFileSync(`${path}.new`, JSON.stringify({ key, repository, base, summary }));
      renameSync(`${path}.new`, path);
    } catch (error) {
      this.#logger.warn('A checkout could not be recorded: it is made again after a restart', { error });
    }
  }

  /** Reads the records; what has none, or whose base is gone, is removed. */
  #load(): void {
    const names = readdirSync(this.#folder);
    for (const name of names.filter((each) => each.endsWith('.json'))) {
      const entry = readEntry(join(this.#folder, name));
      if (entry && `${entry.key}.json` === name && existsSync(this.#treeOf(entry.key)))
        this.#entries.set(entry.key, entry);
    }
    for (const entry of this.#entries.values()) {
      if (this.#chain(entry).at(-1)?.base !== undefined) this.#entries.delete(entry.key);
    }
    for (const name of names) {
      // A draft of another runner that is at work here is younger than this.
      if (!this.#entries.has(name.replace(/\.json$/, '')) && !isRecentDraft(name)) {
        this.#removal.remove(join(this.#folder, name));
      }
    }
  }

  #findNear(repository: string): Entry | undefined {
    return [...this.#entries.values()]
      .filter((entry) => entry.repository === repository && this.#chain(entry).length < longestChain)
      .toSorted((left, right) => right.usedAtMs - left.usedAtMs)[0];
  }

  /** The entry and what lies below it, the topmost first. Ends early where a base is missing. */
  #chain(entry: Entry): readonly Entry[] {
    const chain = [entry];
    for (let next = entry; next.base !== undefined && chain.length <= longestChain; ) {
      const base = this.#entries.get(next.base);
      if (!base) break;
      chain.push(base);
      next = base;
    }
    return chain;
  }

  #collect(): void {
    if (this.#entries.size <= keptCheckouts || !this.#isAlone()) return;
    const bases = new Set([...this.#entries.values()].map((entry) => entry.base));
    const idle = [...this.#entries.values()]
      .filter((entry) => entry.leases === 0 && !bases.has(entry.key))
      .toSorted((left, right) => left.usedAtMs - right.usedAtMs);
    for (const entry of idle.slice(0, this.#entries.size - keptCheckouts)) {
      this.#entries.delete(entry.key);
      // The record goes first: a tree without one is rubbish, a record without a tree would be a lie.
      this.#removal.remove(join(this.#folder, `${entry.key}.json`));
      this.#removal.remove(join(this.#folder, entry.key));
    }
  }

  #treeOf(key: string): string {
    return join(this.#folder, key, 'tree');
  }
}

function isRecentDraft(name: string): boolean {
  const madeAtMs = Number(/^\.draft-\d+-(\d+)-/.exec(name)?.[1] ?? 0);
  return Date.now() - madeAtMs < 3_600_000;
}

function readEntry(path: string): Entry | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as Partial<Entry>;
    const { key, repository, base, summary } = record;
    if (typeof key !== 'string' || typeof repository !== 'string' || !summary) return undefined;
    return { key, repository, base, summary, usedAtMs: 0, leases: 0 };
  } catch {
    return undefined;
  }
}

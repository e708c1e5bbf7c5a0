/** Who may read an entry: `protected` = every pipeline of the project; a reference = the pipelines of that reference alone. */
export type CacheScope = string;

/** What the default branch and branches protected by their name save: all pipelines of the project may read it. */
export const protectedScope = 'protected';

/** What a pipeline may read and write: nothing flows from a branch to those that are protected. */
export interface CacheAccess {
  readonly projectId: number;
  readonly scope: CacheScope;
  /** It reads its own scope alone: what others saved may hold what steps with secrets left. */
  readonly isAlone?: boolean | undefined;
  /** Number of the pipeline, for the record of what it saves. */
  readonly pipeline: number;
}

/** The scopes that a pipeline reads, its own first. */
export function readableScopes({ scope, isAlone }: Pick<CacheAccess, 'scope' | 'isAlone'>): readonly CacheScope[] {
  return isAlone || scope === protectedScope ? [scope] : [scope, protectedScope];
}

export const cacheKinds = ['cache', 'step-result'] as const;
export type CacheKind = (typeof cacheKinds)[number];

/** Folders that a step left, kept under a key. Never written to again. */
export interface CacheEntry {
  /** Unique in its project. */
  readonly id: string;
  /** `step-result`: what a step left that may be reused. */
  readonly kind: CacheKind;
  /** Of a step's result, the name of the step. */
  readonly key: string;
  readonly scope: CacheScope;
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  /** Number of the pipeline that saved it. */
  readonly savedBy: number;
  readonly savedAt: Date;
  readonly usedAt: Date;
}

/** The entries that lie on this host. */
export interface CacheShelf {
  /** The least lately used last. */
  list(projectId: number): Promise<readonly CacheEntry[]>;
  /** Whether it was there. Steps that have it mounted keep it until they end. */
  remove(projectId: number, id: string): Promise<boolean>;
}

/** What a runtime did with the cache of a step, as it happens. */
export type CacheEvent =
  | {
      readonly kind: 'restored';
      readonly key: string;
      /** Key of the entry, which is another one where `restore` found it. */
      readonly from: string;
      readonly savedBy: number;
      readonly sizeBytes: number;
      readonly elapsedMs: number;
    }
  | {
      readonly kind: 'missed';
      readonly key: string;
      readonly nearest?: string | undefined;
      readonly otherImage?: number | undefined;
    }
  /** An earlier step of the job has it mounted. */
  | { readonly kind: 'shared'; readonly key: string; readonly step: string }
  /** One path of it, or the whole; `why` is the end of a sentence. */
  | { readonly kind: 'unused'; readonly key: string; readonly path?: string | undefined; readonly why: string }
  | { readonly kind: 'saved'; readonly key: string; readonly sizeBytes: number; readonly elapsedMs: number }
  | { readonly kind: 'not-saved'; readonly key: string; readonly why: string };

/** `hit`: the key itself; `near`: one that begins as `restore` says; `miss`: nothing. */
export const cacheResults = ['hit', 'near', 'miss'] as const;
export type CacheResult = (typeof cacheResults)[number];

/** What became of a step's cache. */
export interface CacheReport {
  readonly key: string;
  readonly result: CacheResult;
  /** Key of the entry that was mounted. */
  readonly from?: string | undefined;
  /** Number of the pipeline that saved that one. */
  readonly savedBy?: number | undefined;
  /** After a miss: an entry that begins alike, which `restore` did not ask for. */
  readonly nearest?: string | undefined;
  /** After a miss: number of the pipeline that saved the very key in a step of another image. */
  readonly otherImage?: number | undefined;
}

/** How often a key was asked for. */
export interface CacheUse {
  readonly key: string;
  readonly hits: number;
  readonly misses: number;
  readonly usedAt: Date;
}

export interface CacheUseStore {
  /** A `near` counts as a miss: the key itself was not there. Of a project the keys used last are kept. */
  note(projectId: number, key: string, isHit: boolean, at: Date): Promise<void>;
  /** Used last first. */
  list(projectId: number): Promise<readonly CacheUse[]>;
}

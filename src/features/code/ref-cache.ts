import { git } from './git.ts';
import type { RepositoryFolders } from './repository-folders.ts';

export interface CachedRef {
  readonly name: string;
  readonly object: string;
  /** What an annotated tag stands for in the end. */
  readonly peeled?: string | undefined;
  /** The commit behind it; absent for a tag of a file or folder. */
  readonly commit?: string | undefined;
}

/** The most references that are kept in memory, over all projects. */
const maxCachedRefs = 200_000;

/**
 * References of each project, in git's order. Forgotten by whoever changes them and never by time: a push invalidates
 * before its client hears that it was taken.
 */
export class RefCache {
  readonly #folders: RepositoryFolders;
  /** In the order of their last use. */
  readonly #refs = new Map<number, { readonly list: Promise<readonly CachedRef[]>; count: number }>();

  constructor(folders: RepositoryFolders) {
    this.#folders = folders;
  }

  list(projectId: number): Promise<readonly CachedRef[]> {
    const known = this.#refs.get(projectId);
    const entry = known ?? { list: this.#read(projectId), count: 0 };
    this.#refs.delete(projectId);
    this.#refs.set(projectId, entry);
    if (!known)
      entry.list.then(
        (list) => {
          entry.count = list.length;
          this.#makeRoom();
        },
        () => this.#forget(projectId, entry),
      );
    return entry.list;
  }

  /** A list that is being read right now may be older than the change: it is not kept either. */
  invalidate(projectId: number): void {
    this.#refs.delete(projectId);
  }

  #forget(projectId: number, entry: unknown): void {
    if (this.#refs.get(projectId) === entry) this.#refs.delete(projectId);
  }

  #makeRoom(): void {
    let total = [...this.#refs.values()].reduce((sum, { count }) => sum + count + 1, 0);
    for (const [projectId, { count }] of this.#refs) {
      if (total <= maxCachedRefs || this.#refs.size === 1) return;
      this.#refs.delete(projectId);
      total -= count + 1;
    }
  }

  async #read(projectId: number): Promise<readonly CachedRef[]> {
    const format = '%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(refname)';
    const answer = await git(['for-each-ref', `--format=${format}`], {
      repository: this.#folders.folder(projectId),
      maxOutputBytes: 256 * 2 ** 20,
    });
    return answer
      .toString('utf8')
      .split('\n')
      .flatMap((line) => {
        const [object = '', kind = '', peeled = '', peeledKind = '', ...name] = line.split(' ');
        if (line === '') return [];
        const commit = kind === 'commit' ? object : peeledKind === 'commit' ? peeled : undefined;
        return [{ name: name.join(' '), object, peeled: peeled || undefined, commit }];
      });
  }
}

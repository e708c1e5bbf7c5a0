import { git } from './git.ts';
import type { ObjectReaders } from './object-reader.ts';
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
  readonly #objects: ObjectReaders;
  /** In the order of their last use. */
  readonly #refs = new Map<number, { readonly list: Promise<readonly CachedRef[]>; count: number }>();

  constructor(folders: RepositoryFolders, objects: ObjectReaders) {
    this.#folders = folders;
    this.#objects = objects;
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
    const folder = this.#folders.folder(projectId);
    const answer = await git(['for-each-ref', `--format=${format}`], {
      repository: folder,
      maxOutputBytes: 256 * 2 ** 20,
    });
    const lines = answer.toString('utf8').split('\n').filter(Boolean);
    return Promise.all(
      lines.map(async (line) => {
        const [object = '', kind = '', inner = '', innerKind = '', ...name] = line.split(' ');
        const ref = { name: name.join(' '), object };
        if (kind === 'commit') return { ...ref, commit: object };
        if (kind !== 'tag') return ref;
        // git peels a tag of a tag once here, and we want what lies at its end.
        const end =
          innerKind === 'tag' ? await this.#objects.info(folder, `${inner}^{}`) : { id: inner, kind: innerKind };
        return { ...ref, peeled: end?.id, commit: end?.kind === 'commit' ? end.id : undefined };
      }),
    );
  }
}

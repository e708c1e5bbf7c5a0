import { GantryError } from '../../core/errors.ts';
import type { GitCommit, GitEntry, GitFile, GitRef, Repository, ResolvedRevision } from '../../core/repository.ts';
import { formatSize } from '../../lib/size.ts';
import { changedPaths } from './changed-paths.ts';
import { git, runGit } from './git.ts';
import { readCommitObject, readTreeObject, type TreeEntry } from './git-objects.ts';
import type { ObjectReaders } from './object-reader.ts';
import type { RefCache } from './ref-cache.ts';
import type { RepositoryFolders } from './repository-folders.ts';

const limits = {
  fileBytes: 2 ** 20,
  treeBytes: 16 * 2 ** 20,
  commitBytes: 2 ** 20,
  cachedTrees: 512,
  changedPaths: 10_000,
} as const;

/**
 * Reads repositories by the ids of objects alone: names and paths that people wrote are looked up here, in lists that git
 * gave us, and never handed to it.
 */
export class GitRepository implements Repository {
  readonly #folders: RepositoryFolders;
  readonly #refs: RefCache;
  readonly #objects: ObjectReaders;
  /** By project and tree, in the order of their last use. A tree never changes. */
  readonly #trees = new Map<string, Promise<readonly TreeEntry[] | undefined>>();

  constructor(folders: RepositoryFolders, refs: RefCache, objects: ObjectReaders) {
    this.#folders = folders;
    this.#refs = refs;
    this.#objects = objects;
  }

  folder(projectId: number): string {
    return this.#folders.folder(projectId);
  }

  async refs(projectId: number): Promise<readonly GitRef[]> {
    return (await this.#refs.list(projectId)).flatMap(({ name, object, commit }) =>
      commit === undefined ? [] : [{ name, object, commit }],
    );
  }

  async resolve(projectId: number, revision: string): Promise<ResolvedRevision | undefined> {
    const refs = await this.refs(projectId);
    // Branches before tags, as people mean it; git's own order would let a tag hide a branch.
    for (const name of [revision, `refs/heads/${revision}`, `refs/tags/${revision}`]) {
      const ref = name.startsWith('refs/') ? refs.find((known) => known.name === name) : undefined;
      if (ref) return { commit: ref.commit, ref: ref.name };
    }
    const id = revision.toLowerCase();
    if (!/^[0-9a-f]{4,40}$/.test(id)) return undefined;
    const info = await this.#objects.info(this.folder(projectId), `${id}^{commit}`);
    return info ? { commit: info.id } : undefined;
  }

  async commit(projectId: number, id: string): Promise<GitCommit | undefined> {
    if (!/^[0-9a-f]{40}$/.test(id)) return undefined;
    const folder = this.folder(projectId);
    const info = await this.#objects.info(folder, id);
    if (info?.kind !== 'commit') return undefined;
    if (info.sizeBytes > limits.commitBytes) throw tooLarge(`commit ${id}`, limits.commitBytes);
    const found = await this.#objects.read(folder, id);
    return found && readCommitObject(id, found.bytes);
  }

  async readFile(
    projectId: number,
    commit: string,
    path: string,
    limitBytes: number = limits.fileBytes,
  ): Promise<GitFile | undefined> {
    const entry = await this.#find(projectId, commit, path);
    if (entry?.kind !== 'file') return undefined;
    const folder = this.folder(projectId);
    const info = await this.#objects.info(folder, entry.object);
    if (info?.kind !== 'blob') return undefined;
    if (info.sizeBytes > limitBytes) throw tooLarge('the file', limitBytes);
    const found = await this.#objects.read(folder, entry.object);
    return found && { blob: entry.object, sizeBytes: info.sizeBytes, bytes: found.bytes };
  }

  async listFolder(projectId: number, commit: string, path: string): Promise<readonly GitEntry[] | undefined> {
    const tree = await this.#treeAt(projectId, commit, path);
    if (!tree) return undefined;
    const folder = this.folder(projectId);
    const entries = await Promise.all(
      tree.map(async ({ name, kind, mode, object }): Promise<GitEntry> => {
        const info = kind === 'file' || kind === 'link' ? await this.#objects.info(folder, object) : undefined;
        return { name, kind, mode, object, sizeBytes: info?.sizeBytes };
      }),
    );
    const isFolder = (entry: GitEntry): number => (entry.kind === 'folder' ? 0 : 1);
    return entries.sort((a, b) => isFolder(a) - isFolder(b) || (a.name < b.name ? -1 : 1));
  }

  async commits(
    projectId: number,
    revision: string,
    options: { readonly limit: number; readonly skip?: number; readonly path?: string },
  ): Promise<readonly GitCommit[]> {
    const start = await this.resolve(projectId, revision);
    if (!start) return [];
    const args = ['rev-list', `--max-count=${whole(options.limit)}`, `--skip=${whole(options.skip ?? 0)}`];
    // Pathspecs are literal by the wrapper's environment; a path that cannot be one has no commits.
    const paths = options.path ? [options.path] : [];
    if (paths.some((path) => path.includes('\0') || partsOf(path) === undefined)) return [];
    const answer = await git([...args, '--end-of-options', start.commit, '--', ...paths], {
      repository: this.folder(projectId),
    });
    const ids = answer.toString('latin1').split('\n').filter(Boolean);
    const commits = await Promise.all(ids.map((id) => this.commit(projectId, id)));
    return commits.filter((commit) => commit !== undefined);
  }

  async changedPaths(projectId: number, before: string, after: string): Promise<readonly string[] | undefined> {
    const [older, newer] = await Promise.all([this.commit(projectId, before), this.commit(projectId, after)]);
    if (!older || !newer) return undefined;
    return changedPaths((id) => this.#tree(projectId, id), older.tree, newer.tree, limits.changedPaths);
  }

  async mergeBase(projectId: number, one: string, other: string): Promise<string | undefined> {
    if (![one, other].every((id) => /^[0-9a-f]{40}$/.test(id))) return undefined;
    const { exitCode, stdout } = await runGit(['merge-base', one, other], { repository: this.folder(projectId) });
    const id = stdout.toString('latin1').trim();
    return exitCode === 0 && /^[0-9a-f]{40}$/.test(id) ? id : undefined;
  }

  async diffOf(projectId: number, before: string, after: string, paths: readonly string[], limitBytes: number) {
    const [older, newer] = await Promise.all([this.commit(projectId, before), this.commit(projectId, after)]);
    if (!older || !newer) return undefined;
    const wanted = paths.filter((path) => !path.includes('\0') && partsOf(path.replace(/\/$/, '')) !== undefined);
    const how = ['--no-color', '--no-ext-diff', '--no-textconv', '--no-renames', '--unified=3'];
    const answer = await git(['diff', ...how, '--end-of-options', older.id, newer.id, '--', ...wanted], {
      repository: this.folder(projectId),
    });
    return { text: answer.toString('utf8', 0, limitBytes), isCut: answer.length > limitBytes };
  }

  async #find(projectId: number, commit: string, path: string): Promise<TreeEntry | undefined> {
    const parts = partsOf(path);
    const last = parts?.pop();
    if (parts === undefined || last === undefined) return undefined;
    const tree = await this.#treeAt(projectId, commit, parts.join('/'));
    return tree?.find((entry) => entry.nameBytes.equals(Buffer.from(last)));
  }

  async #treeAt(projectId: number, commit: string, path: string): Promise<readonly TreeEntry[] | undefined> {
    const parts = path === '' ? [] : partsOf(path);
    const top = parts && (await this.commit(projectId, commit))?.tree;
    if (!top) return undefined;
    let tree = await this.#tree(projectId, top);
    for (const part of parts) {
      const entry = tree?.find((inner) => inner.nameBytes.equals(Buffer.from(part)));
      if (entry?.kind !== 'folder') return undefined;
      tree = await this.#tree(projectId, entry.object);
    }
    return tree;
  }

  #tree(projectId: number, id: string): Promise<readonly TreeEntry[] | undefined> {
    const key = `${projectId}:${id}`;
    const tree = this.#trees.get(key) ?? this.#readTree(projectId, id);
    this.#trees.delete(key);
    this.#trees.set(key, tree);
    tree.catch(() => this.#trees.delete(key));
    for (const oldest of this.#trees.keys()) {
      if (this.#trees.size <= limits.cachedTrees) break;
      this.#trees.delete(oldest);
    }
    return tree;
  }

  async #readTree(projectId: number, id: string): Promise<readonly TreeEntry[] | undefined> {
    const folder = this.folder(projectId);
    const info = await this.#objects.info(folder, id);
    if (info?.kind !== 'tree') return undefined;
    if (info.sizeBytes > limits.treeBytes) throw tooLarge('the folder', limits.treeBytes);
    const found = await this.#objects.read(folder, id);
    return found && readTreeObject(found.bytes);
  }
}

/** Parts of a path below the top; `undefined` for what cannot be one. */
function partsOf(path: string): string[] | undefined {
  const parts = path.split('/');
  return parts.some((part) => part === '' || part === '.' || part === '..') ? undefined : parts;
}

function whole(count: number): number {
  return Math.max(0, Math.min(Math.trunc(count), 1_000_000));
}

function tooLarge(what: string, limitBytes: number): GantryError {
  return new GantryError('REQUEST_TOO_LARGE', `Cannot read ${what}: it has more than ${formatSize(limitBytes)}`);
}

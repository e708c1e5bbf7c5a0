import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { git } from './git.ts';
import { hiddenRefPrefixes, keptRefPrefixes } from './ref-name.ts';
import { isMissing, syncFile, syncFolder } from './sync-folder.ts';

/**
 * The bare repositories of a data folder, one per project, named after the project's id so that a rename moves nothing.
 * Never a work tree, and no hook but the one that the server asks for.
 */
export class RepositoryFolders {
  readonly root: string;
  readonly #maxPushBytes: number;
  readonly #known = new Map<number, Promise<string>>();

  constructor(root: string, maxPushBytes: number) {
    this.root = root;
    this.#maxPushBytes = maxPushBytes;
  }

  /** Where the project's repository is, or will be. */
  folder(projectId: number): string {
    return join(this.root, `${projectId}.git`);
  }

  /**
   * The project's repository, made when it is not there: a crash between the project's row and its folder heals here.
   * On disk, names included, before it is answered.
   */
  ensure(project: { readonly id: number; readonly defaultBranch: string }): Promise<string> {
    let known = this.#known.get(project.id);
    if (!known) {
      known = this.#make(project.id, project.defaultBranch);
      this.#known.set(project.id, known);
      // A failure is told to those who wait and tried again by the next.
      known.catch(() => this.#known.delete(project.id));
    }
    return known;
  }

  async #make(projectId: number, defaultBranch: string): Promise<string> {
    const folder = this.folder(projectId);
    if (await exists(join(folder, 'config'))) {
      await this.#renewConfig(folder);
      if ((await readFile(join(folder, 'HEAD'), 'utf8')) !== `ref: refs/heads/${defaultBranch}\n`)
        await this.setDefaultBranch(projectId, defaultBranch);
      return folder;
    }
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    const making = join(this.root, `new-${projectId}-${randomBytes(6).toString('hex')}`);
    await git(['init', '--quiet', '--bare', '--template=', `--initial-branch=${defaultBranch}`, making]);
    await writeDurably(join(making, 'config'), repositoryConfig(this.#maxPushBytes));
    await syncFile(join(making, 'HEAD'));
    for (const inner of ['objects/info', 'objects/pack', 'objects', 'refs/heads', 'refs/tags', 'refs', '.'])
      await syncFolder(join(making, inner));
    await rename(making, folder);
    await syncFolder(this.root);
    await syncFolder(dirname(this.root));
    return folder;
  }

  /** An older Gantry made the repository: it is served by today's rules. */
  async #renewConfig(folder: string): Promise<void> {
    const wanted = repositoryConfig(this.#maxPushBytes);
    if ((await readFile(join(folder, 'config'), 'utf8')) !== wanted) {
      await writeDurably(join(folder, 'config'), wanted);
      await syncFolder(folder);
    }
  }

  /** Points HEAD at another branch, durably. */
  async setDefaultBranch(projectId: number, branch: string): Promise<void> {
    const folder = this.folder(projectId);
    await git(['symbolic-ref', 'HEAD', `refs/heads/${branch}`], { repository: folder });
    await syncFile(join(folder, 'HEAD'));
    await syncFolder(folder);
  }

  /**
   * Keeps the names that a push made or removed: git syncs files and never their folders, and a deletion syncs nothing.
   * `since` is when the push began, on the file system's clock.
   */
  async syncAfterPush(projectId: number, refs: readonly string[], sinceMs: number): Promise<void> {
    const folder = this.folder(projectId);
    const touched = new Set<string>([folder]);
    for (const ref of refs)
      for (let inner = dirname(ref); inner !== '.'; inner = dirname(inner)) touched.add(join(folder, inner));
    for (const path of await this.#changedObjectFolders(folder, sinceMs)) touched.add(path);
    await Promise.all([...touched].map(syncFolder));
  }

  /** `objects/`, `objects/pack` and those of its fan-out that changed. The kernel's clock ticks in steps: one second of slack. */
  async #changedObjectFolders(folder: string, sinceMs: number): Promise<readonly string[]> {
    const objects = join(folder, 'objects');
    const fanOut = (await readdir(objects)).filter((name) => /^(?:[0-9a-f]{2}|pack)$/.test(name));
    const changed = await Promise.all(
      fanOut.map(async (name) => {
        const path = join(objects, name);
        const mtimeMs = await stat(path).then((found) => found.mtimeMs, gone);
        return mtimeMs !== undefined && mtimeMs >= sinceMs - 1_000 ? path : undefined;
      }),
    );
    return [objects, ...changed.filter((path) => path !== undefined)];
  }

  /** What a reference reads on disk right now; `undefined` when there is none. Only for names that passed `refNameProblem`. */
  async readRef(projectId: number, ref: string): Promise<string | undefined> {
    const folder = this.folder(projectId);
    try {
      const object = (await readFile(join(folder, ref), 'latin1')).trim();
      if (/^[0-9a-f]{40}$/.test(object)) return object;
    } catch (error) {
      if (!isMissing(error) && !isFolder(error)) throw error;
    }
    return (await readPackedRefs(folder)).get(ref);
  }

  /** Whether any branch exists, without asking git. */
  async hasBranches(projectId: number): Promise<boolean> {
    const folder = this.folder(projectId);
    if (await hasFile(join(folder, 'refs/heads'))) return true;
    for (const ref of (await readPackedRefs(folder)).keys()) if (ref.startsWith('refs/heads/')) return true;
    return false;
  }

  /** Ids of the projects that have a repository here. */
  async list(): Promise<readonly number[]> {
    const paths = await entriesOf(this.root, /^\d+\.git$/);
    return paths.map((path) => Number.parseInt(basename(path), 10));
  }

  /**
   * Removes what a git that was killed left behind: quarantines, temporary packs and locks, as long as nothing touched
   * them for `untouchedMs`. Only while no git that writes can be running here. Answers what it removed, as paths below
   * the root.
   */
  async removeLeftovers(projectId: number, untouchedMs: number): Promise<readonly string[]> {
    const folder = this.folder(projectId);
    const left = [
      ...(await entriesOf(join(folder, 'objects'), /^tmp_objdir-/)),
      ...(await entriesOf(join(folder, 'objects/pack'), /^(?:tmp_|\.tmp-)/)),
      ...(await entriesOf(folder, /\.lock$/)),
      ...(await locksBelow(join(folder, 'refs'), 32)),
    ];
    const removed: string[] = [];
    for (const path of left) {
      const touchedAtMs = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY, // It went away by itself.
      );
      if (Date.now() - touchedAtMs < untouchedMs) continue;
      await rm(path, { recursive: true, force: true });
      removed.push(path.slice(this.root.length + 1));
    }
    return removed;
  }

  /** Repositories that were being made when the server died. */
  async removeHalfMade(): Promise<readonly string[]> {
    const halfMade = await entriesOf(this.root, /^new-\d+-[0-9a-f]{12}$/);
    for (const path of halfMade) await rm(path, { recursive: true, force: true });
    return halfMade.map((path) => basename(path));
  }
}

/**
 * reliability-security 11.2. Everything is synced before it counts (git's own default acknowledges a small push with no
 * sync at all), whatever comes in is checked, nothing is collected behind our back, and no hook comes from the repository.
 */
export function repositoryConfig(maxPushBytes: number): string {
  return `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	fsync = all
	fsyncMethod = fsync
	hooksPath = /dev/null
	logAllRefUpdates = false
[receive]
	fsckObjects = true
	maxInputSize = ${maxPushBytes}
	autogc = false
	updateServerInfo = false
	advertisePushOptions = true
	denyDeletes = false
	denyNonFastForwards = false
	denyDeleteCurrent = ignore
${keptRefPrefixes.map((prefix) => `\thideRefs = ${prefix.replace(/\/$/, '')}\n`).join('')}[transfer]
	fsckObjects = true
${hiddenRefPrefixes.map((prefix) => `\thideRefs = ${prefix.replace(/\/$/, '')}\n`).join('')}[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = false
	allowReachableSHA1InWant = true
[protocol "ext"]
	allow = never
[protocol "file"]
	allow = never
[gc]
	auto = 0
[maintenance]
	auto = false
`;
}

/** Writes beside the file and renames, so that a crash leaves the old or the new one. */
async function writeDurably(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(beside, 'wx', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await unlink(beside);
    throw error;
  } finally {
    await file.close();
  }
  await rename(beside, path);
}

async function readPackedRefs(folder: string): Promise<ReadonlyMap<string, string>> {
  const refs = new Map<string, string>();
  let text = '';
  try {
    text = await readFile(join(folder, 'packed-refs'), 'utf8');
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  for (const line of text.split('\n')) {
    const [, object, ref] = /^([0-9a-f]{40}) (\S+)$/.exec(line) ?? [];
    if (object !== undefined && ref !== undefined) refs.set(ref, object);
  }
  return refs;
}

async function hasFile(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(noEntries))
    if (entry.isFile() ? !entry.name.endsWith('.lock') : await hasFile(join(folder, entry.name))) return true;
  return false;
}

async function locksBelow(folder: string, depth: number): Promise<readonly string[]> {
  if (depth === 0) return [];
  const locks: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(noEntries)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) locks.push(...(await locksBelow(path, depth - 1)));
    else if (entry.name.endsWith('.lock')) locks.push(path);
  }
  return locks;
}

/** Paths of what lies in a folder under such a name. */
async function entriesOf(folder: string, name: RegExp): Promise<readonly string[]> {
  const names: readonly string[] = await readdir(folder).catch(noEntries);
  return names.filter((one) => name.test(one)).map((one) => join(folder, one));
}

function noEntries(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}

/** It went away by itself. */
function gone(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
}

function isFolder(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EISDIR';
}

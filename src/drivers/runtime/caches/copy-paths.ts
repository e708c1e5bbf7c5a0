import { constants } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises';
import { GantryError } from '../../../core/errors.ts';

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const sourceFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const targetFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Files that are copied at once. */
const copiesAtOnce = 8;
const deepestFolder = 200;

/** What may be copied; counted down while it is. */
export interface CopyBudget {
  bytesLeft: number;
  filesLeft: number;
}

export interface CopyRules {
  readonly budget: CopyBudget;
  /** Whether owners can be kept: only root may give files away. */
  readonly keepsOwners: boolean;
}

/**
 * Copies a file or folder below `root`, which steps write to, to `target`, which nobody else does. Answers false when it is
 * not there. No link is ever followed, whoever puts one in the way meanwhile: each folder is opened by the one above it.
 */
export async function copyOut(root: string, path: string, target: Place, rules: CopyRules): Promise<boolean> {
  const parts = path.split('/');
  const name = parts.pop()!;
  const opened: FileHandle[] = [];
  try {
    opened.push(await open(root, folderFlags));
    for (const part of parts) {
      const next = await openOrUndefined(within(opened.at(-1)!, part));
      if (!next) return false;
      opened.push(next);
    }
    if (!(await statOrUndefined(within(opened.at(-1)!, name)))) return false;
    const into = await open(target.folder, folderFlags);
    opened.push(into);
    await copyEntry({ folder: opened.at(-2)!, name }, { folder: into, name: target.name }, rules, 0);
    return true;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/** Puts what `copyOut` kept at a path below `root`, instead of whatever is there. Folders on the way are made. */
export async function copyIn(source: Place, root: string, path: string, rules: CopyRules): Promise<void> {
  const parts = path.split('/');
  const name = parts.pop()!;
  const opened: FileHandle[] = [];
  try {
    opened.push(await open(root, folderFlags));
    for (const part of parts) {
      const place = within(opened.at(-1)!, part);
      await mkdir(place, { mode: 0o755 }).catch(ignoring('EEXIST'));
      opened.push(await open(place, folderFlags));
    }
    const into = opened.at(-1)!;
    await removeEntry(into, name, 0);
    const from = await open(source.folder, folderFlags);
    opened.push(from);
    await copyEntry({ folder: from, name: source.name }, { folder: into, name }, rules, 0);
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/**
 * Makes a folder below `root`, which steps write to, with those on the way, and answers whether it is empty. No link is
 * followed: one in the way is an error of the kernel, as a file is.
 */
export async function makeEmptyFolder(root: string, path: string): Promise<boolean> {
  const opened: FileHandle[] = [];
  try {
    opened.push(await open(root, folderFlags));
    for (const part of path.split('/')) {
      const place = within(opened.at(-1)!, part);
      await mkdir(place, { mode: 0o755 }).catch(ignoring('EEXIST'));
      opened.push(await open(place, folderFlags));
    }
    return (await readdir(`/proc/self/fd/${opened.at(-1)!.fd}`)).length === 0;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/** A name in a folder that is trusted to be what its path says. */
export interface Place {
  readonly folder: string;
  readonly name: string;
}

interface Entry {
  readonly folder: FileHandle;
  readonly name: string;
}

async function copyEntry(from: Entry, to: Entry, rules: CopyRules, depth: number): Promise<void> {
  const source = within(from.folder, from.name);
  const target = within(to.folder, to.name);
  const facts = await lstat(source);
  rules.budget.filesLeft -= 1;
  rules.budget.bytesLeft -= facts.isFile() ? facts.size : 0;
  if (rules.budget.filesLeft < 0 || rules.budget.bytesLeft < 0)
    throw new GantryError('REQUEST_TOO_LARGE', 'Cannot copy it: it has more files or bytes than may be kept');
  if (facts.isSymbolicLink()) {
    await symlink(await readlink(source), target);
    return;
  }
  if (facts.isDirectory()) {
    if (depth >= deepestFolder)
      throw new GantryError(
        'REQUEST_TOO_LARGE',
        `Cannot copy it: it has more than ${deepestFolder} folders in each other`,
      );
    await mkdir(target, { mode: 0o700 });
    await copyFolder(source, target, rules, depth);
    return;
  }
  if (!facts.isFile())
    throw new GantryError('REQUEST_INVALID', `Cannot copy "${from.name}": it is neither a file, a folder nor a link`);
  await copyOneFile(source, target, rules);
}

async function copyFolder(source: string, target: string, rules: CopyRules, depth: number): Promise<void> {
  const from = await open(source, folderFlags);
  try {
    const to = await open(target, folderFlags);
    try {
      const names = await readdir(path(from));
      for (let next = 0; next < names.length; next += copiesAtOnce)
        await allSettled(
          names
            .slice(next, next + copiesAtOnce)
            .map((name) => copyEntry({ folder: from, name }, { folder: to, name }, rules, depth + 1)),
        );
      await keepLook(from, to, rules);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copyOneFile(source: string, target: string, rules: CopyRules): Promise<void> {
  const from = await open(source, sourceFlags);
  try {
    if (!(await from.stat()).isFile())
      throw new GantryError('REQUEST_INVALID', 'Cannot copy a file: it became something else meanwhile');
    const to = await open(target, targetFlags, 0o600);
    try {
      await copyFile(path(from), path(to), constants.COPYFILE_FICLONE);
      await keepLook(from, to, rules);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Owner, rights and time; the owner first, since giving a file away takes rights from it. */
async function keepLook(from: FileHandle, to: FileHandle, { keepsOwners }: CopyRules): Promise<void> {
  const { uid, gid, mode, atime, mtime } = await from.stat();
  if (keepsOwners) await to.chown(uid, gid);
  await to.chmod(mode & 0o7777);
  await to.utimes(atime, mtime);
}

async function removeEntry(folder: FileHandle, name: string, depth: number): Promise<void> {
  const place = within(folder, name);
  const facts = await statOrUndefined(place);
  if (!facts) return;
  if (!facts.isDirectory()) {
    await unlink(place);
    return;
  }
  if (depth >= deepestFolder)
    throw new GantryError(
      'REQUEST_TOO_LARGE',
      `Cannot remove it: it has more than ${deepestFolder} folders in each other`,
    );
  const inner = await open(place, folderFlags);
  try {
    for (const each of await readdir(path(inner))) await removeEntry(inner, each, depth + 1);
  } finally {
    await inner.close();
  }
  await rmdir(place);
}

/** All of them have ended before the first fault is told: nothing goes on writing behind the caller's back. */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

/** The path of what a handle has open, whatever has become of its name. */
function path({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}

function within(folder: FileHandle, name: string): string {
  return `${path(folder)}/${name}`;
}

function openOrUndefined(place: string): Promise<FileHandle | undefined> {
  return open(place, folderFlags).catch(ignoring('ENOENT', 'ENOTDIR', 'ELOOP'));
}

function statOrUndefined(place: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return lstat(place).catch(ignoring('ENOENT'));
}

function ignoring(...codes: readonly string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? '')) throw error;
    return undefined;
  };
}

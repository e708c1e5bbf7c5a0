import { createHash } from 'node:crypto';
import type { GitEntry, Repository } from '../../core/repository.ts';
import type { ReuseParts } from '../../core/step-reuse.ts';
import { matchGlob } from '../../engine/glob.ts';

/** Folders that are looked into for a pattern: beyond that the whole folder before its first star counts. */
const maxFolders = 2_000;
const absent = 'absent';

type Lister = (path: string) => Promise<readonly GitEntry[] | undefined>;

/**
 * What git has for the inputs of a step at a commit: ids of trees and files, which nobody has to read or hash. A pattern
 * stands for the files that it matches; `.git` for the commit itself. Files that decide how git writes the others into a
 * workspace come with them.
 */
export async function reuseInputs(
  repository: Pick<Repository, 'listFolder'>,
  project: { readonly id: number; readonly commit: string; readonly ref: string },
  inputs: readonly string[],
): Promise<ReuseParts> {
  const folders = new Map<string, Promise<readonly GitEntry[] | undefined>>();
  const list: Lister = (path) => {
    const known = folders.get(path);
    if (known) return known;
    const asking = repository.listFolder(project.id, project.commit, path);
    folders.set(path, asking);
    return asking;
  };
  const found = await Promise.all(
    inputs.map(async (input) => [input, await idOf(list, input, `${project.commit} ${project.ref}`)] as const),
  );
  const attributes = await Promise.all(
    [...new Set(inputs.flatMap((input) => foldersAbove(plainBeginning(input))))].map(async (folder) => {
      const path = folder === '' ? '.gitattributes' : `${folder}/.gitattributes`;
      const entry = await entryAt(list, path);
      return entry ? [[path, textOf(entry)] as const] : [];
    }),
  );
  return Object.fromEntries([...found, ...attributes.flat()]);
}

async function idOf(list: Lister, input: string, commit: string): Promise<string> {
  if (input === '.git' || input.startsWith('.git/')) return commit;
  if (!isPattern(input)) return input === '.' ? folderId(list, '') : textOf(await entryAt(list, input));
  const folder = plainBeginning(input);
  // All below a folder: its tree says so.
  if (input === `${folder}/**`) return textOf(await entryAt(list, folder));
  const matched: string[] = [];
  const open = [folder];
  for (let looked = 0; open.length > 0; looked += 1) {
    if (looked >= maxFolders) return folder === '' ? folderId(list, '') : textOf(await entryAt(list, folder));
    const path = open.pop()!;
    for (const entry of (await list(path)) ?? []) {
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      if (matchGlob(input, inner, 'woodpecker')) matched.push(`${inner} ${textOf(entry)}`);
      else if (entry.kind === 'folder') open.push(inner);
    }
  }
  return matched.length === 0 ? absent : checksum(matched.toSorted());
}

async function folderId(list: Lister, path: string): Promise<string> {
  const entries = await list(path);
  return entries ? checksum(entries.map((entry) => `${entry.name} ${textOf(entry)}`).toSorted()) : absent;
}

async function entryAt(list: Lister, path: string): Promise<GitEntry | undefined> {
  const slash = path.lastIndexOf('/');
  const entries = await list(path.slice(0, Math.max(0, slash)));
  return entries?.find(({ name }) => name === path.slice(slash + 1));
}

/** The mode too: whether a file may be run is part of what a step reads. */
function textOf(entry: GitEntry | undefined): string {
  return entry ? `${entry.mode} ${entry.object}` : absent;
}

function isPattern(input: string): boolean {
  return /[*?[\]{}\\]/.test(input);
}

/** The folders of a pattern before its first part that is none. */
function plainBeginning(input: string): string {
  if (!isPattern(input)) return input.slice(0, Math.max(0, input.lastIndexOf('/')));
  const parts = input.split('/');
  return parts.slice(0, parts.findIndex(isPattern)).join('/');
}

/** The folder itself, and all that it is in, up to the top. */
function foldersAbove(folder: string): readonly string[] {
  const parts = folder === '' || folder === '.' ? [] : folder.split('/');
  return ['', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))];
}

function checksum(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 40);
}

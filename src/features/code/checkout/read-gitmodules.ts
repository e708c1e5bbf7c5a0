import { GantryError } from '../../../core/errors.ts';
import { git, runGit } from '../git.ts';

/** A submodule as a commit has it. */
export interface WrittenSubmodule {
  readonly name: string;
  readonly path: string;
  readonly url: string;
  readonly commit: string;
}

const gitmodulesLimitBytes = 256 * 1024;
const longestPath = 1_024;

/**
 * The submodules of a commit, in the order of `.gitmodules`; those that its tree does not have are left out, and those
 * with `update = none`, as git does. Throws CHECKOUT_REFUSED for names and paths that git had to learn to refuse
 * (CVE-2018-11235, CVE-2018-17456, CVE-2019-1387, CVE-2021-21300, CVE-2024-32002, CVE-2025-48384).
 */
export async function readGitmodules(repository: string, commit: string): Promise<readonly WrittenSubmodule[]> {
  const file = await findEntry(repository, commit, '.gitmodules');
  if (!file) return [];
  if (!file.mode.startsWith('100')) throw refused('".gitmodules" is not an ordinary file');
  const size = Number((await git(['cat-file', '-s', file.object], { repository })).toString('latin1'));
  if (size > gitmodulesLimitBytes) throw refused(`".gitmodules" has more than ${gitmodulesLimitBytes} bytes`);
  const submodules: WrittenSubmodule[] = [];
  for (const [name, fields] of await readSections(repository, file.object)) {
    const { path, url, update } = fields;
    if (path === undefined || update === 'none') continue;
    const fault = findPathFault(path);
    if (fault !== undefined) throw refused(`the path "${plain(path)}" of the submodule "${plain(name)}" ${fault}`);
    const entry = await findEntry(repository, commit, path);
    // What is no submodule in the tree is none: a link on the way to it leads nowhere here.
    if (entry?.mode !== '160000') continue;
    if (!isSafeName(name)) throw refused(`"${plain(name)}" cannot be the name of a submodule`);
    if (url === undefined) throw refused(`".gitmodules" has no URL for the submodule "${path}"`);
    submodules.push({ name, path, url, commit: entry.object });
  }
  for (const submodule of submodules)
    for (const other of submodules)
      if (submodule !== other && (other.path === submodule.path || `${other.name}/`.startsWith(`${submodule.name}/`)))
        throw refused(`the submodules "${submodule.name}" and "${other.name}" would lie in one another`);
  return submodules;
}

async function readSections(
  repository: string,
  blob: string,
): Promise<ReadonlyMap<string, Readonly<Record<string, string | undefined>>>> {
  const answer = await runGit(['config', '--blob', blob, '--no-includes', '--list', '-z'], { repository });
  if (answer.exitCode !== 0) throw refused(`git cannot read ".gitmodules": ${plain(answer.stderr)}`);
  const sections = new Map<string, Record<string, string | undefined>>();
  for (const entry of answer.stdout.toString('utf8').split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url|update)\n(.*)$/s.exec(entry) ?? [];
    if (name === undefined || key === undefined) continue;
    const section = sections.get(name) ?? {};
    section[key] = value ?? '';
    sections.set(name, section);
  }
  return sections;
}

async function findEntry(
  repository: string,
  commit: string,
  path: string,
): Promise<{ readonly mode: string; readonly object: string } | undefined> {
  const answer = await git(['ls-tree', '-z', '--full-tree', commit, '--', path], { repository });
  const [, mode, object, found] = /^(\d{6}) \w+ ([0-9a-f]+)\t([^\0]*)/.exec(answer.toString('utf8')) ?? [];
  return mode !== undefined && object !== undefined && found === path ? { mode, object } : undefined;
}

/** Why a path may not be written to, as the end of a sentence. */
function findPathFault(path: string): string | undefined {
  if (path.length > longestPath) return `is longer than ${longestPath} characters`;
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return 'has a control character or a backslash in it';
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return 'leads out of its repository';
  if (parts.some((part) => part.startsWith('-'))) return 'begins with "-", as an option does';
  if (parts.some(isGitFolder)) return 'leads into the folder of git';
  return undefined;
}

/** `.git`, and what other file systems take for it. */
function isGitFolder(part: string): boolean {
  return /^(?:\.git|git~\d+)[. ]*(?::.*)?$/i.test(
    part.replaceAll(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, ''),
  );
}

/** It becomes a path below `.git/modules`. */
function isSafeName(name: string): boolean {
  if (name === '' || name.length > longestPath || /[\u0000-\u001f\u007f\\]/.test(name)) return false;
  return name
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..' && !part.startsWith('-') && !isGitFolder(part));
}

function refused(because: string): GantryError {
  return new GantryError('CHECKOUT_REFUSED', `Cannot check out the submodules: ${because}`);
}

/** For messages: what a hostile file says is a text of one line. */
function plain(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 200);
}

import type { GatheredCheckout, SubmoduleSource } from '../../core/checkout.ts';

/** What `.git` says of a work tree beside its objects and its index. */
export interface GitFilesOf {
  readonly commit: string;
  readonly remoteUrl: string;
  /** Branch that HEAD is on; absent, or no name of one = detached. */
  readonly branch?: string | undefined;
  /** Lines of `packed-refs`; empty = none. */
  readonly tags?: string | undefined;
  /** Commits at which its history ends. */
  readonly historyEnds?: readonly string[] | undefined;
  readonly submodules: readonly SubmoduleSource[];
  /** Path of the work tree, seen from these files; absent = the folder above them. */
  readonly workTree?: string | undefined;
}

/**
 * The files by their path below `.git`: HEAD, references and configuration as an ordinary clone has them. Nothing in them
 * comes from the repository but names that are plain, and no URL has credentials.
 */
export function gitFiles(options: GitFilesOf): ReadonlyMap<string, string> {
  const { commit, tags = '', historyEnds = [] } = options;
  const branch = options.branch !== undefined && isPlainBranch(options.branch) ? options.branch : undefined;
  const files = new Map<string, string>();
  files.set('HEAD', branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`);
  if (branch !== undefined) {
    files.set(`refs/heads/${branch}`, `${commit}\n`);
    files.set(`refs/remotes/origin/${branch}`, `${commit}\n`);
  }
  if (tags !== '') files.set('packed-refs', `# pack-refs with: peeled fully-peeled sorted \n${tags}`);
  if (historyEnds.length > 0) files.set('shallow', `${historyEnds.join('\n')}\n`);
  files.set('config', configuration(options, branch));
  return files;
}

/** Folder of a submodule's own `.git`, seen from the top repository's. */
export function gitFolderOf(submodule: SubmoduleSource, all: GatheredCheckout['submodules']): string {
  const parent = all.find(({ path }) => path === submodule.parent);
  return `${parent ? `${gitFolderOf(parent, all)}/` : ''}modules/${submodule.name}`;
}

/** Submodules that a repository of the checkout names itself; empty = the top one. */
export function submodulesOf(parent: string, all: GatheredCheckout['submodules']): readonly SubmoduleSource[] {
  return all.filter((submodule) => submodule.parent === parent);
}

/** How to get from one folder to another, both below the same one. */
export function relativePath(from: string, to: string): string {
  return `${'../'.repeat(from.split('/').length)}${to}`;
}

function configuration({ commit, remoteUrl, submodules, workTree }: GitFilesOf, branch: string | undefined): string {
  const isSha256 = commit.length === 64;
  return `[core]
\trepositoryformatversion = ${isSha256 ? 1 : 0}
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tcheckStat = minimal
\ttrustctime = false
${workTree === undefined ? '' : `\tworktree = ${quoted(workTree)}\n`}${
  isSha256 ? '[extensions]\n\tobjectformat = sha256\n' : ''
}[checkout]
\tworkers = 2
[remote "origin"]
\turl = ${quoted(remoteUrl)}
\tfetch = +refs/heads/*:refs/remotes/origin/*
${branch === undefined ? '' : `[branch ${quoted(branch)}]\n\tremote = origin\n\tmerge = ${quoted(`refs/heads/${branch}`)}\n`}${submodules
  .map(({ name, remoteUrl: url }) => `[submodule ${quoted(name)}]\n\tactive = true\n\turl = ${quoted(url)}\n`)
  .join('')}`;
}

/** git-config(1), "Syntax": within quotes only backslash and quote need an escape; line ends cannot be there. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[\r\n\0]/g, '').replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}

/** The name becomes a path: what git would refuse (git-check-ref-format) is not taken from anybody else either. */
function isPlainBranch(branch: string): boolean {
  if (branch === '' || branch.length > 240) return false;
  return branch
    .split('/')
    .every(
      (part) =>
        part !== '' &&
        !part.startsWith('.') &&
        !part.endsWith('.') &&
        !part.endsWith('.lock') &&
        !part.includes('..') &&
        !/[\u0000-\u0020\u007f~^:?*[\\]/.test(part),
    );
}

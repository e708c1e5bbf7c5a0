import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RepositorySpec } from '../runtime.ts';

/**
 * Writes what differs between jobs of one commit (HEAD, branch, origin) into the upper of a job's workspace, before it
 * is mounted over the sealed checkout: the step sees an ordinary clone.
 */
export function writeWorkTreeSettings(upper: string, repository: RepositorySpec): void {
  const { commit, remoteUrl } = repository;
  const branch = repository.branch !== undefined && isPlainBranch(repository.branch) ? repository.branch : undefined;
  const write = (path: string, text: string): void => {
    const target = join(upper, '.git', path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    writeFileSync(target, text, { mode: 0o644 });
  };
  write('HEAD', branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`);
  if (branch !== undefined) {
    write(`refs/heads/${branch}`, `${commit}\n`);
    write(`refs/remotes/origin/${branch}`, `${commit}\n`);
  }
  write('config', configuration(commit, remoteUrl, branch));
}

function configuration(commit: string, remoteUrl: string, branch: string | undefined): string {
  const isSha256 = commit.length === 64;
  return `[core]
\trepositoryformatversion = ${isSha256 ? 1 : 0}
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tcheckStat = minimal
\ttrustctime = false
${isSha256 ? '[extensions]\n\tobjectformat = sha256\n' : ''}[checkout]
\tworkers = 2
[remote "origin"]
\turl = ${quoted(remoteUrl)}
\tfetch = +refs/heads/*:refs/remotes/origin/*
${branch === undefined ? '' : `[branch ${quoted(branch)}]\n\tremote = origin\n\tmerge = ${quoted(`refs/heads/${branch}`)}\n`}`;
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

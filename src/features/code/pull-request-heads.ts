import { pullRequestRef } from '../../core/pull-request.ts';
import { git } from './git.ts';
import { ownerVariable } from './git-process.ts';
import type { KeyedLocks } from './keyed-locks.ts';
import type { RefCache } from './ref-cache.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import type { RepositoryGates } from './repository-gates.ts';

export interface PullRequestHeadsDeps {
  readonly folders: RepositoryFolders;
  readonly refs: RefCache;
  readonly locks: KeyedLocks;
  readonly gates: RepositoryGates;
}

/** How long git may take to copy what a fork has and its target has not. */
const copyTimeoutMs = 5 * 60_000;

/**
 * Brings the head of a pull request into the repository that it is for, under `refs/pull/<number>/head`. On disk, names
 * included, when it answers. Again it changes nothing.
 */
export async function keepHead(
  { folders, refs, locks, gates }: PullRequestHeadsDeps,
  target: { readonly projectId: number; readonly number: number },
  source: { readonly projectId: number; readonly commit: string },
): Promise<void> {
  const { projectId } = target;
  const ref = pullRequestRef(target.number);
  const release = await locks.acquire([`${projectId}:${ref}`]);
  try {
    if ((await folders.readRef(projectId, ref)) === source.commit) return;
    // Neither repository may lose packs meanwhile: one is read, and the other is told what it has.
    const leaveTarget = await gates.share(projectId, 'push');
    const leaveSource = source.projectId === projectId ? undefined : await gates.share(source.projectId, 'fetch');
    try {
      const sinceMs = Date.now();
      if (source.projectId !== projectId) await copyObjects({ folders, refs }, projectId, source);
      const repository = folders.folder(projectId);
      await git(['update-ref', '--', ref, source.commit], {
        repository,
        environment: { [ownerVariable]: folders.root },
      });
      refs.invalidate(projectId);
      await folders.syncAfterPush(projectId, [ref], sinceMs);
    } finally {
      leaveSource?.();
      leaveTarget();
    }
  } finally {
    release();
  }
}

/**
 * One pack of what the commit reaches and no reference here does. Git reads the fork's objects where they lie: no
 * transport is needed, and they were checked when they were pushed.
 */
async function copyObjects(
  { folders, refs }: Pick<PullRequestHeadsDeps, 'folders' | 'refs'>,
  projectId: number,
  source: { readonly projectId: number; readonly commit: string },
): Promise<void> {
  const repository = folders.folder(projectId);
  const known = new Set((await refs.list(projectId)).flatMap(({ commit }) => commit ?? []));
  const how = ['--revs', '--non-empty', '--delta-base-offset', '--quiet'];
  await git(['pack-objects', ...how, `${repository}/objects/pack/pack`], {
    repository,
    environment: {
      [ownerVariable]: folders.root,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: `${folders.folder(source.projectId)}/objects`,
    },
    input: [source.commit, ...[...known].map((commit) => `^${commit}`), ''].join('\n'),
    timeoutMs: copyTimeoutMs,
  });
}

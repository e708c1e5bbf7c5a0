import type { z } from 'zod';
import type { CommitView, EntryView, RefView } from '../../api/projects.ts';
import { GantryError } from '../../core/errors.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { GitCommit, GitRef, Repository } from '../../core/repository.ts';

type RefView = z.infer<typeof RefView>;
type EntryView = z.infer<typeof EntryView>;

/** The commit that `at` names, or the newest of the default branch. */
export async function commitAt(repository: Repository, project: Project, at: string | undefined): Promise<string> {
  const revision = at === undefined || at === '' || at === 'HEAD' ? `refs/heads/${project.defaultBranch}` : at;
  const found = await repository.resolve(project.id, revision);
  if (!found)
    throw new GantryError(
      'REF_NOT_FOUND',
      `Cannot find "${revision}" in "${projectSlug(project)}": it names no commit`,
    );
  return found.commit;
}

export function refView({ name, commit }: GitRef): RefView {
  const [, kind, short] = /^refs\/(heads|tags)\/(.+)$/s.exec(name) ?? [];
  return {
    name: short ?? name,
    kind: kind === 'heads' ? 'branch' : kind === 'tags' ? 'tag' : 'other',
    ref: name,
    commit,
  };
}

export function commitView(commit: GitCommit): CommitView {
  return {
    id: commit.id,
    parents: [...commit.parents],
    subject: commit.message.split('\n', 1)[0] ?? '',
    message: commit.message,
    authorName: commit.authorName,
    authorEmail: commit.authorEmail,
    authoredAt: commit.authoredAt.toISOString(),
    committedAt: commit.committedAt.toISOString(),
  };
}

/** One page of commits; the cursor counts those that were shown and names the commit that was asked from. */
export async function listCommits(
  repository: Repository,
  project: Project,
  query: {
    readonly limit: number;
    readonly after?: string | undefined;
    readonly at?: string | undefined;
    readonly path?: string | undefined;
  },
): Promise<{ items: CommitView[]; next: string | null }> {
  const [, from, shown] = /^([0-9a-f]{40})\.(\d{1,7})$/.exec(query.after ?? '') ?? [];
  if (query.after !== undefined && from === undefined)
    throw new GantryError('REQUEST_INVALID', 'Cannot list commits: "after" is not a cursor of this list');
  // An empty project has no commits, and that is no mistake.
  const isEmpty =
    query.at === undefined && !(await repository.resolve(project.id, `refs/heads/${project.defaultBranch}`));
  if (isEmpty && from === undefined) return { items: [], next: null };
  const start = from ?? (await commitAt(repository, project, query.at));
  const skip = Number(shown ?? 0);
  const path = query.path ? { path: query.path } : {};
  const commits = await repository.commits(project.id, start, { limit: query.limit + 1, skip, ...path });
  return {
    items: commits.slice(0, query.limit).map(commitView),
    next: commits.length > query.limit ? `${start}.${skip + query.limit}` : null,
  };
}

export async function showFolder(
  repository: Repository,
  project: Project,
  query: { readonly at?: string | undefined; readonly path: string },
): Promise<{ commit: string; path: string; items: EntryView[] }> {
  const commit = await commitAt(repository, project, query.at);
  const path = query.path.replace(/\/$/, '');
  const entries = await repository.listFolder(project.id, commit, path);
  if (!entries)
    throw new GantryError(
      'PATH_NOT_FOUND',
      `Cannot list "${path}" of "${projectSlug(project)}": it is no folder at ${commit.slice(0, 10)}`,
    );
  return {
    commit,
    path,
    items: entries.map(({ name, kind, sizeBytes }) => ({ name, kind, sizeBytes: sizeBytes ?? null })),
  };
}

export async function showFile(
  repository: Repository,
  project: Project,
  query: { readonly at?: string | undefined; readonly path: string },
): Promise<{ commit: string; path: string; sizeBytes: number; text: string | null }> {
  const commit = await commitAt(repository, project, query.at);
  const file = await repository.readFile(project.id, commit, query.path);
  if (!file)
    throw new GantryError(
      'PATH_NOT_FOUND',
      `Cannot show "${query.path}" of "${projectSlug(project)}": it is no file at ${commit.slice(0, 10)}`,
    );
  return { commit, path: query.path, sizeBytes: file.sizeBytes, text: textOf(file.bytes) };
}

/** The text, where it is text: UTF-8 without NUL. */
function textOf(bytes: Buffer): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // What is not UTF-8 is shown as a download and not as text.
    return null;
  }
}

import { architectureName } from '../engine/architecture.ts';
import type { BlobIds } from '../engine/cache-key.ts';
import type { CompileInput, CompileRules, EventFacts, FileEvent, PipelineFile } from '../engine/compile-input.ts';
import { systemClock } from '../lib/clock.ts';

/** What a person says of the event that is to be tried. */
export interface ExecEvent {
  readonly kind: FileEvent;
  /** Branch, or name of the tag; default: what is checked out. */
  readonly branch?: string | undefined;
  readonly ref?: string | undefined;
  readonly target?: string | undefined;
  readonly schedule?: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  /** Instead of what git finds. */
  readonly changedPaths?: readonly string[] | undefined;
  /** Number of the pipeline whose event is tried again. */
  readonly parentNumber?: number | undefined;
}

/** What the working tree says of the commit that the event is about. */
export interface CommitFacts {
  readonly commit: string;
  /** Branch that is checked out; absent where HEAD is detached. */
  readonly branch: string | undefined;
  readonly defaultBranch: string | undefined;
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  /** The commit that the change is compared with, and what it touched; absent where nobody can tell. */
  readonly before: string | undefined;
  readonly changedPaths: readonly string[] | undefined;
}

export interface LocalInput {
  readonly files: readonly PipelineFile[];
  readonly event: ExecEvent;
  readonly commit: CommitFacts;
  readonly personName: string;
  /** Where the project lives, as far as the folder says; its name otherwise. */
  readonly project: { readonly url: string; readonly slug: string } | { readonly name: string };
  /** Lower-case names of the secrets that there are. */
  readonly secretNames: readonly string[];
  readonly stepTimeoutMs: number;
  /** Of the files whose checksums the pipeline files ask for; absent = they are not looked up. */
  readonly blobs?: BlobIds;
  readonly rules?: CompileRules | undefined;
  /** What the server says of the project; absent = it was not asked. */
  readonly known?:
    | (Pick<CompileInput['project'], 'defaultBranch' | 'visibility'> & {
        readonly variables: Readonly<Record<string, string>>;
      })
    | undefined;
}

/** The input of the compiler for an event that a person thinks of. */
export function localInput(local: LocalInput): CompileInput {
  const { commit, event, project } = local;
  const [owner = 'local', name = 'project'] = ('slug' in project ? project.slug : `local/${project.name}`).split('/');
  const instanceUrl = 'url' in project ? project.url : 'http://localhost';
  const link = `${instanceUrl}/${owner}/${name}`;
  const defaultBranch = local.known?.defaultBranch ?? commit.defaultBranch ?? 'main';
  return {
    files: local.files,
    event: eventFacts(event, commit, defaultBranch, local.personName),
    project: {
      owner,
      name,
      visibility: local.known?.visibility ?? 'private',
      defaultBranch,
      link,
      cloneUrl: `${link}.git`,
    },
    // No pipeline of a server has this number.
    pipeline: { number: 0, createdAt: systemClock.now(), link: `${link}/pipelines/0` },
    instanceUrl,
    architecture: architectureName(process.arch),
    secretNames: local.secretNames,
    ...(local.known ? { variables: local.known.variables } : {}),
    stepTimeoutMs: local.stepTimeoutMs,
    ...(local.blobs ? { blobs: local.blobs } : {}),
    ...(local.rules ? { rules: local.rules } : {}),
  };
}

function eventFacts(event: ExecEvent, commit: CommitFacts, defaultBranch: string, personName: string): EventFacts {
  const { kind } = event;
  const here = commit.branch ?? defaultBranch;
  const branch =
    event.branch ?? event.ref?.replace(/^refs\/(heads|tags)\//, '') ?? branchFor(kind, here, defaultBranch);
  const isChange = kind === 'push' || kind === 'pull_request';
  return {
    kind,
    ref: event.ref ?? refFor(kind, branch),
    branch,
    before: commit.before ?? '0'.repeat(commit.commit.length),
    commit: commit.commit,
    message: commit.message,
    authorName: commit.authorName,
    authorEmail: commit.authorEmail,
    personName,
    parameters: event.parameters,
    target: event.target,
    schedule: event.schedule,
    parentNumber: event.parentNumber,
    changedPaths: event.changedPaths ?? (isChange ? commit.changedPaths : undefined),
    ...(kind === 'pull_request'
      ? {
          pullRequest: {
            number: 1,
            title: commit.message.split('\n')[0] ?? '',
            sourceBranch: here,
            targetBranch: branch,
            action: 'opened',
          },
        }
      : {}),
  };
}

/** A pull request goes to the default branch, and a tag needs a name that nobody mistakes for a release. */
function branchFor(kind: FileEvent, here: string, defaultBranch: string): string {
  if (kind === 'pull_request') return defaultBranch;
  return kind === 'tag' ? 'v0.0.0' : here;
}

function refFor(kind: FileEvent, branch: string): string {
  if (kind === 'pull_request') return 'refs/pull/1/head';
  return kind === 'tag' ? `refs/tags/${branch}` : `refs/heads/${branch}`;
}

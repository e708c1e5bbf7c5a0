/** Reading a project's repository. The implementation runs the real git; nobody else does. */
export interface Repository {
  /** The commit that a branch, tag or (abbreviated) commit id names. */
  resolve(projectId: number, revision: string): Promise<ResolvedRevision | undefined>;
  refs(projectId: number): Promise<readonly GitRef[]>;
  /** `undefined` when there is no such file. Refuses more than `limitBytes` (default 1 MiB) with REQUEST_TOO_LARGE. */
  readFile(projectId: number, commit: string, path: string, limitBytes?: number): Promise<GitFile | undefined>;
  /** Entries of a folder (`''` = the top), folders first; `undefined` when there is no such folder. */
  listFolder(projectId: number, commit: string, path: string): Promise<readonly GitEntry[] | undefined>;
  /** Newest first, from `revision`; `skip` of them are left out. */
  commits(
    projectId: number,
    revision: string,
    options: { readonly limit: number; readonly skip?: number; readonly path?: string },
  ): Promise<readonly GitCommit[]>;
  commit(projectId: number, id: string): Promise<GitCommit | undefined>;
  /**
   * Paths of files that differ between two commits; a renamed file has both of its names. `undefined` when nobody can
   * tell: one of them is not there, or the paths are more than 10,000.
   */
  changedPaths(projectId: number, before: string, after: string): Promise<readonly string[] | undefined>;
  /** The commit at which the histories of two commits part; `undefined` when they have none in common. */
  mergeBase(projectId: number, one: string, other: string): Promise<string | undefined>;
  /**
   * How files differ between two commits, as git's unified diff, cut after `limitBytes`; a path may be a folder.
   * `undefined` when one of the commits is not there.
   */
  diffOf(
    projectId: number,
    before: string,
    after: string,
    paths: readonly string[],
    limitBytes: number,
  ): Promise<{ readonly text: string; readonly isCut: boolean } | undefined>;
  /** Folder of the bare repository on this host, for checkouts by alternates. */
  folder(projectId: number): string;
}

export interface ResolvedRevision {
  readonly commit: string;
  /** `refs/heads/main` when a branch or tag was named. */
  readonly ref?: string | undefined;
}

export interface GitRef {
  readonly name: string;
  /** What the reference reads: a commit, or the tag object of an annotated tag. */
  readonly object: string;
  /** The commit behind it. */
  readonly commit: string;
}

export interface GitFile {
  readonly blob: string;
  readonly sizeBytes: number;
  readonly bytes: Buffer;
}

export interface GitEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'submodule';
  readonly mode: string;
  readonly object: string;
  readonly sizeBytes?: number | undefined;
}

export interface GitCommit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly tree: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredAt: Date;
  readonly committerName: string;
  readonly committedAt: Date;
  /** The whole message; its first line is the subject. */
  readonly message: string;
}

/** What happened to a pull request, in the words that pipeline files compare `action` with. */
export const pullRequestActions = ['opened', 'synchronized', 'edited', 'reopened', 'closed'] as const;
export type PullRequestAction = (typeof pullRequestActions)[number];

/**
 * Commits of a branch, here or in another project of this Gantry (a fork), that somebody proposes for a branch of this
 * project. Its head is kept in the project's own repository, under `refs/pull/<number>/head`.
 */
export interface PullRequest {
  readonly id: number;
  readonly projectId: number;
  /** Counts from 1 within its project. */
  readonly number: number;
  readonly title: string;
  /** Where the commits come from: this project itself, or a fork of it. */
  readonly sourceProjectId: number;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  /** The newest commit that was fetched. */
  readonly head: string;
  readonly state: 'open' | 'closed';
  /** Grows with each change: what makes an event of each exactly once. */
  readonly revision: number;
  readonly authorName: string;
  readonly authorId: number | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type NewPullRequest = Omit<PullRequest, 'id' | 'number' | 'state' | 'revision' | 'updatedAt'>;

/** A pull request as it was when something happened to it: kept with the event and its pipeline. */
export interface PullRequestFacts {
  readonly number: number;
  readonly title: string;
  /** `owner/name` of the project that the commits come from. */
  readonly source: string;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  readonly isFork: boolean;
  /** Who proposed it, or who brought its newest commit, may not write to the project. */
  readonly isOutsider: boolean;
  readonly authorName: string;
  readonly action: PullRequestAction;
}

/** The reference that keeps the head: git clients may fetch it, and nobody pushes to it. */
export function pullRequestRef(number: number): string {
  return `refs/pull/${number}/head`;
}

export interface PullRequestStore {
  find(projectId: number, number: number): Promise<PullRequest | undefined>;
  /** The newest first. */
  list(projectId: number, state: PullRequest['state'] | undefined, limit: number): Promise<readonly PullRequest[]>;
  /** Open ones that take their commits from this branch, over all projects, in the order of their making. */
  listOpenFrom(sourceProjectId: number, sourceBranch: string): Promise<readonly PullRequest[]>;
  /** All open ones whose ids are greater, in the order of their making. */
  listOpenAfter(id: number, limit: number): Promise<readonly PullRequest[]>;
  /** The next number of its project. */
  nextNumber(projectId: number): Promise<number>;
  create(pullRequest: NewPullRequest & { readonly number: number }): Promise<PullRequest>;
  /** Writes what may change, with the next revision, if nobody else changed it since; `undefined` when somebody did. */
  update(pullRequest: PullRequest): Promise<PullRequest | undefined>;
}

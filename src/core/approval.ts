import type { PullRequestFacts } from './pull-request.ts';
import type { Trust } from './trust.ts';

/** `overtaken`: nobody decided before its pull request got other commits or another target. */
export const approvalStates = ['waiting', 'approved', 'declined', 'overtaken'] as const;
export type ApprovalState = (typeof approvalStates)[number];

/** Of which pull requests the pipelines wait for somebody who lets them run. */
export const approvalPolicies = ['never', 'outsiders', 'forks', 'all'] as const;
export type ApprovalPolicy = (typeof approvalPolicies)[number];

/** Why a pipeline waits for a decision. */
export const approvalReasons = ['outsider', 'fork', 'pull-request', 'signature'] as const;
export type ApprovalReason = (typeof approvalReasons)[number];

/** What a decision is about: once any of it is another, the decision says nothing (reliability-security.md R7). */
export interface ApprovalSubject {
  readonly projectId: number;
  /** Number of the pull request; absent for a push to a project whose pipeline files must be signed. */
  readonly pullRequest?: number | undefined;
  readonly head: string;
  /** SHA-256 over the files that say what would run, and over where the commits would go. */
  readonly configuration: string;
}

/** Whether a pipeline may run, with whose word and with what. */
export interface Approval extends ApprovalSubject {
  readonly id: number;
  readonly pipelineId: number;
  readonly reason: ApprovalReason;
  readonly state: ApprovalState;
  /** Whether its steps get secrets of the project that their limits allow. */
  readonly hasSecrets: boolean;
  readonly decidedBy?: string | undefined;
  readonly decidedAt?: Date | undefined;
  readonly createdAt: Date;
}

export type NewApproval = Omit<Approval, 'id' | 'decidedAt'>;

export interface ApprovalStore {
  findByPipeline(pipelineId: number): Promise<Approval | undefined>;
  /** The last decision about the same head of the same pull request under the same configuration. */
  findDecided(subject: ApprovalSubject): Promise<Approval | undefined>;
  /** Those that wait, the oldest first. */
  listWaiting(projectId: number, limit: number): Promise<readonly Approval[]>;
  create(approval: NewApproval): Promise<Approval>;
  /** Whether it still waited: of several who decide at once one has decided. */
  decide(
    id: number,
    decision: {
      readonly state: 'approved' | 'declined' | 'overtaken';
      readonly hasSecrets: boolean;
      readonly by: string;
      readonly at: Date;
    },
  ): Promise<boolean>;
}

/** Why a pull request's pipeline needs a decision under the settings of its project; `undefined` when it needs none. */
export function approvalReasonOf(
  policy: ApprovalPolicy,
  { isFork, isOutsider }: Pick<PullRequestFacts, 'isFork' | 'isOutsider'>,
): ApprovalReason | undefined {
  if (policy === 'never') return undefined;
  if (isOutsider) return 'outsider';
  if (isFork && policy !== 'outsiders') return 'fork';
  return policy === 'all' ? 'pull-request' : undefined;
}

/** Whether a pipeline with such a state of approval may run. Absent = it was not asked for one. */
export function isHeld(approval: ApprovalState | undefined): boolean {
  return approval !== undefined && approval !== 'approved';
}

/** Whether steps may have what secrets' limits allow: never on the word of the commit's author alone. */
export function mayHaveSecrets({
  trust,
  hasApprovedSecrets,
}: {
  readonly trust?: Trust | undefined;
  readonly hasApprovedSecrets?: boolean | undefined;
}): boolean {
  return trust !== 'untrusted' || hasApprovedSecrets === true;
}

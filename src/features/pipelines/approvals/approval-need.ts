import { createHash } from 'node:crypto';
import {
  type ApprovalReason,
  type ApprovalState,
  type ApprovalSubject,
  approvalReasonOf,
} from '../../../core/approval.ts';
import type { Event } from '../../../core/event.ts';
import type { Project } from '../../../core/project.ts';
import type { TraceEntry } from '../../../core/trace.ts';
import type { Stores } from '../../../core/unit-of-work.ts';

/** What a pipeline needs somebody's word for. */
export interface ApprovalNeed extends ApprovalSubject {
  readonly reason: ApprovalReason;
}

/** What was decided about a need before its pipeline came. */
export interface ApprovalAtBirth {
  readonly state: ApprovalState;
  readonly hasSecrets: boolean;
  readonly decidedBy: string | undefined;
  readonly trace: TraceEntry;
}

/**
 * Why a pipeline of this event needs an approval, under the settings as they now are; `undefined` when it needs none.
 * `isSigned` is asked for only where the project wants signatures.
 */
export function approvalNeedOf(
  project: Project,
  event: Pick<Event, 'kind' | 'pullRequest'>,
  commit: string,
  files: readonly { readonly path: string; readonly text: string }[],
  isSigned: boolean,
): ApprovalNeed | undefined {
  const { pullRequest } = event;
  const reason =
    (pullRequest && approvalReasonOf(project.pipelines.pullRequestApproval, pullRequest)) ??
    (isSigned ? undefined : 'signature');
  if (!reason) return undefined;
  return {
    projectId: project.id,
    ...(pullRequest ? { pullRequest: pullRequest.number } : {}),
    head: commit,
    configuration: configurationHash(pullRequest?.targetBranch ?? '', files),
    reason,
  };
}

/** Whether somebody has let this very commit run under this very configuration. Within the write that makes the pipeline. */
export async function approvalAtBirth(stores: Stores, need: ApprovalNeed): Promise<ApprovalAtBirth> {
  const subject = { kind: 'event' } as const;
  const known = await stores.approvals.findDecided(need);
  if (known?.state === 'approved') {
    const number = (await stores.pipelines.find(known.pipelineId))?.number ?? 0;
    const values = { by: known.decidedBy ?? '', number, secrets: known.hasSecrets };
    return {
      state: 'approved',
      hasSecrets: known.hasSecrets,
      decidedBy: known.decidedBy,
      trace: { subject, rule: 'approval.known', verdict: 'noted', values },
    };
  }
  return {
    state: 'waiting',
    hasSecrets: false,
    decidedBy: undefined,
    trace: { subject, rule: 'approval.waiting', verdict: 'blocked', values: { reason: need.reason } },
  };
}

/** SHA-256 over the target and the files, each part with its length: no two of them read alike when put together. */
export function configurationHash(
  targetBranch: string,
  files: readonly { readonly path: string; readonly text: string }[],
): string {
  const hash = createHash('sha256');
  const add = (part: string): void => {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length}:`).update(bytes);
  };
  add(targetBranch);
  for (const { path, text } of files) {
    add(path);
    add(text);
  }
  return hash.digest('hex');
}

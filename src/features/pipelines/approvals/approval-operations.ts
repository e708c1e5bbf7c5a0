import type { ApprovalDetail, ApprovalView } from '../../../api/approvals.ts';
import { traceSentence } from '../../../api/messages/trace-sentences.ts';
import { pipelineView } from '../../../api/views/pipeline-view.ts';
import type { Approval } from '../../../core/approval.ts';
import { GantryError } from '../../../core/errors.ts';
import { isAtLeast } from '../../../core/permission.ts';
import type { Pipeline } from '../../../core/pipeline.ts';
import { type Project, projectSlug } from '../../../core/project.ts';
import type { Repository } from '../../../core/repository.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import { pipelineFilePaths } from '../../../engine/compile-input.ts';
import type { Clock } from '../../../lib/clock.ts';
import { nameOf } from '../../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../../feature.ts';
import type { Engine } from '../engine.ts';
import { getPipeline, getProject } from '../find-requested.ts';
import { decideApproval } from './decide-approval.ts';

export interface ApprovalOperationsDeps {
  readonly store: UnitOfWork;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly repository: Pick<Repository, 'diffOf' | 'resolve'>;
}

const listedAtOnce = 100;
const diffLimitBytes = 256 * 1024;
const noObject = /^0+$/;

/** The operations of `api/approvals.ts`. */
export function approvalOperations({ store, engine, clock, repository }: ApprovalOperationsDeps) {
  const { read } = store;

  async function getApproval(pipeline: Pipeline): Promise<Approval> {
    const approval = await read.approvals.findByPipeline(pipeline.id);
    if (approval) return approval;
    throw new GantryError(
      'APPROVAL_NOT_FOUND',
      `Cannot show the approval of pipeline #${pipeline.number}: it needs none`,
    );
  }

  /** A push that nobody signed is compared with what was there before it. */
  async function diffOf(project: Project, pipeline: Pipeline): Promise<{ diff: string; isDiffCut: boolean }> {
    const { pullRequest, commit } = pipeline;
    const target = pullRequest && (await repository.resolve(project.id, `refs/heads/${pullRequest.targetBranch}`));
    const before = target?.commit ?? pipeline.before;
    if (noObject.test(before)) return { diff: '', isDiffCut: false };
    const { path } = project.pipelines;
    const paths = path === undefined ? pipelineFilePaths : [path];
    const found = await repository.diffOf(project.id, before, commit, paths, diffLimitBytes);
    return found ? { diff: found.text, isDiffCut: found.isCut } : { diff: '', isDiffCut: false };
  }

  return {
    async listApprovals({ params }, { language }) {
      const project = await getProject(store, params);
      const items: ApprovalView[] = [];
      for (const approval of await read.approvals.listWaiting(project.id, listedAtOnce)) {
        const pipeline = await read.pipelines.find(approval.pipelineId);
        // One that was cancelled waits for nobody any more.
        if (pipeline?.status === 'blocked') items.push(approvalView(approval, pipeline, language));
      }
      return { items, next: null };
    },

    async getApproval({ params }, { language }): Promise<ApprovalDetail> {
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      const [approval, workflows, facts] = await Promise.all([
        getApproval(pipeline),
        read.pipelines.workflows(pipeline.id),
        read.pipelines.facts(pipeline.id),
      ]);
      const isOfTarget = facts?.filesFrom !== undefined;
      return {
        ...approvalView(approval, pipeline, language),
        workflows: workflows.map(({ name, plan }) => ({
          name,
          steps: plan.steps
            .filter(({ kind, skipped }) => kind !== 'clone' && !skipped)
            .map((step) => ({
              name: step.name,
              image: step.image,
              commands: [...step.commands],
              secrets: [...new Set(step.secrets.map(({ secret }) => secret))],
            })),
        })),
        ...(isOfTarget ? { diff: '', isDiffCut: false } : await diffOf(project, pipeline)),
      };
    },

    async decideApproval({ params, body }, request) {
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      await refuseOwnWork(project, pipeline, request);
      const state = body.decision === 'approve' ? ('approved' as const) : ('declined' as const);
      const decided = await decideApproval({ store, engine, clock }, pipeline, {
        state,
        hasSecrets: state === 'approved' && body.withSecrets,
        head: body.head,
        configuration: body.configuration,
        by: nameOf(request),
        audit: {
          actor: nameOf(request),
          action: `pipeline:${body.decision}`,
          subject: `${projectSlug(project)}:#${pipeline.number}`,
          remoteAddress: request.remoteAddress,
          requestId: request.requestId,
          projectId: project.id,
        },
      });
      return pipelineView(decided);
    },
  } satisfies OperationHandlers;

  /** Four eyes: whoever wrote it does not let it run, unless the whole project is theirs to change. */
  async function refuseOwnWork(project: Project, pipeline: Pipeline, request: RequestContext): Promise<void> {
    if (request.actor.kind !== 'person' || request.actor.person.isSiteAdmin) return;
    const { id, name } = request.actor.person;
    const event = await read.events.find(pipeline.eventId);
    const pullRequest = pipeline.pullRequest && (await read.pullRequests.find(project.id, pipeline.pullRequest.number));
    if (event?.personId !== id && pullRequest?.authorId !== id) return;
    if (isAtLeast(await read.projects.roleOf(project.id, id), 'admin')) return;
    await request.noteRefusal('pipeline:approve:refused', projectSlug(project));
    throw new GantryError(
      'ACCESS_DENIED',
      `Cannot decide about pipeline #${pipeline.number}: it is the work of ${name}, and somebody else has to look at it`,
    );
  }
}

function approvalView(approval: Approval, pipeline: Pipeline, language: 'en' | 'zh'): ApprovalView {
  const { pullRequest } = pipeline;
  return {
    pipeline: pipeline.number,
    state: approval.state,
    reason: approval.reason,
    why: traceSentence(
      { subject: { kind: 'event' }, rule: 'approval.waiting', verdict: 'blocked', values: { reason: approval.reason } },
      language,
    ),
    pullRequest: pullRequest
      ? {
          number: pullRequest.number,
          title: pullRequest.title,
          source: pullRequest.source,
          sourceBranch: pullRequest.sourceBranch,
          targetBranch: pullRequest.targetBranch,
          authorName: pullRequest.authorName,
          isFork: pullRequest.isFork,
        }
      : null,
    branch: pipeline.branch,
    personName: pipeline.personName,
    subject: pipeline.message.split('\n', 1)[0] ?? '',
    isUntrusted: pipeline.trust === 'untrusted',
    head: approval.head,
    configuration: approval.configuration,
    hasSecrets: approval.hasSecrets,
    decidedBy: approval.decidedBy ?? null,
    decidedAt: approval.decidedAt?.toISOString() ?? null,
    createdAt: approval.createdAt.toISOString(),
  };
}

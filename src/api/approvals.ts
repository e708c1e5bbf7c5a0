import { z } from 'zod';
import { approvalReasons, approvalStates } from '../core/approval.ts';
import { instant, listOf, type Operation } from './operation.ts';
import { PipelineView } from './pipelines.ts';
import { ProjectPath } from './projects.ts';

const PipelinePath = ProjectPath.extend({ number: z.coerce.number().int().min(1).max(2_147_483_647) });
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const commit = z.string().regex(/^[0-9a-f]{40}$/);

export const ApprovalView = z
  .object({
    pipeline: z.int().meta({ description: 'Number of the pipeline that waits' }),
    state: z.enum(approvalStates),
    reason: z.enum(approvalReasons),
    why: z.string().meta({ description: 'The reason as a sentence, in the language asked for' }),
    pullRequest: z
      .object({
        number: z.int(),
        title: z.string(),
        source: z.string(),
        sourceBranch: z.string(),
        targetBranch: z.string(),
        authorName: z.string(),
        isFork: z.boolean(),
      })
      .nullable(),
    branch: z.string(),
    personName: z.string().meta({ description: 'Who brought the commit' }),
    subject: z.string().meta({ description: 'First line of the commit’s message' }),
    isUntrusted: z.boolean(),
    head: commit.meta({ description: 'The commit that would run' }),
    configuration: sha256.meta({ description: 'SHA-256 over the pipeline files and the target branch' }),
    hasSecrets: z.boolean(),
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Approval', description: 'A pipeline that runs only if somebody lets it' });
export type ApprovalView = z.infer<typeof ApprovalView>;

export const ApprovalDetail = ApprovalView.extend({
  workflows: z
    .array(
      z.object({
        name: z.string(),
        steps: z.array(
          z.object({
            name: z.string(),
            image: z.string(),
            commands: z.array(z.string()),
            secrets: z.array(z.string()).meta({ description: 'Names of the secrets that it asks for' }),
          }),
        ),
      }),
    )
    .meta({ description: 'What would run' }),
  diff: z.string().meta({
    description:
      'How the pipeline files differ from those of the target branch, as a unified diff; empty = they do not',
  }),
  isDiffCut: z.boolean(),
}).meta({ id: 'ApprovalDetail' });
export type ApprovalDetail = z.infer<typeof ApprovalDetail>;

export const approvalOperations = {
  listApprovals: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/approvals',
    summary: 'Pipelines of a project that wait for an approval, the oldest first',
    action: 'pipeline:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(ApprovalView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  getApproval: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/approval',
    summary:
      'What whoever approves a pipeline answers for: who, which commit, what would run, what changed in its file',
    action: 'pipeline:read',
    params: PipelinePath,
    status: 200,
    ok: ApprovalDetail,
    errors: ['PROJECT_NOT_FOUND', 'PIPELINE_NOT_FOUND', 'APPROVAL_NOT_FOUND'],
  },
  decideApproval: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/approval',
    summary: 'Let a pipeline run that waits for it, or end it. Bound to the commit and configuration that are named',
    action: 'pipeline:approve',
    params: PipelinePath,
    body: z.object({
      decision: z.enum(['approve', 'decline']),
      withSecrets: z
        .boolean()
        .default(false)
        .meta({ description: 'Whether its steps get secrets within their limits' }),
      head: commit,
      configuration: sha256,
    }),
    status: 200,
    ok: PipelineView,
    errors: [
      'PROJECT_NOT_FOUND',
      'PIPELINE_NOT_FOUND',
      'ACCESS_DENIED',
      'APPROVAL_NOT_FOUND',
      'APPROVAL_DECIDED',
      'APPROVAL_OUTDATED',
    ],
  },
} as const satisfies Record<string, Operation>;

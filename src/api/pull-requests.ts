import { z } from 'zod';
import { instant, listOf, type Operation } from './operation.ts';
import { ProjectPath } from './projects.ts';

const branch = z.string().min(1).max(250);
const title = z.string().trim().min(1).max(250);
const PullRequestPath = ProjectPath.extend({ number: z.coerce.number().int().min(1).max(2_147_483_647) });

export const PullRequestView = z
  .object({
    number: z.int(),
    title: z.string(),
    source: z.string().meta({ description: '"owner/name" of the project that the commits come from' }),
    sourceBranch: z.string(),
    targetBranch: z.string(),
    isFork: z.boolean(),
    head: z.string().meta({ description: 'The newest commit, kept under refs/pull/<number>/head' }),
    state: z.enum(['open', 'closed']),
    authorName: z.string(),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ id: 'PullRequest', description: 'Commits of a branch that somebody proposes for a branch of the project' });
export type PullRequestView = z.infer<typeof PullRequestView>;

const errors = ['PROJECT_NOT_FOUND', 'PULL_REQUEST_NOT_FOUND'] as const;

export const pullRequestOperations = {
  listPullRequests: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pull-requests',
    summary: 'Pull requests of a project, the newest first',
    action: 'pull-request:read',
    params: ProjectPath,
    query: z.object({ state: z.enum(['open', 'closed']).optional() }),
    status: 200,
    ok: listOf(PullRequestView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  openPullRequest: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pull-requests',
    summary: 'Propose a branch, of this project or of another that the person may read, for a branch of this one',
    action: 'pull-request:create',
    params: ProjectPath,
    body: z.object({
      title: title.optional().meta({ description: 'Absent = first line of the newest commit' }),
      source: z
        .string()
        .regex(/^[^/]+\/[^/]+$/)
        .max(200)
        .optional()
        .meta({ description: '"owner/name" of a fork; absent = this project' }),
      sourceBranch: branch,
      targetBranch: branch.optional().meta({ description: 'Absent = the default branch' }),
    }),
    status: 201,
    ok: PullRequestView,
    errors: [
      'PROJECT_NOT_FOUND',
      'REF_NOT_FOUND',
      'PULL_REQUEST_INVALID',
      'PULL_REQUEST_EXISTS',
      'PULL_REQUEST_LIMIT',
      'PROJECT_ARCHIVED',
    ],
    isIdempotent: true,
  },
  getPullRequest: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pull-requests/{number}',
    summary: 'One pull request',
    action: 'pull-request:read',
    params: PullRequestPath,
    status: 200,
    ok: PullRequestView,
    errors,
  },
  updatePullRequest: {
    method: 'patch',
    path: '/api/v1/projects/{owner}/{project}/pull-requests/{number}',
    summary: 'Close, reopen or change a pull request: for its author, and for whoever may write to the project',
    action: 'pull-request:write',
    params: PullRequestPath,
    body: z.object({
      title: title.optional(),
      targetBranch: branch.optional(),
      state: z.enum(['open', 'closed']).optional(),
    }),
    status: 200,
    ok: PullRequestView,
    errors: [
      ...errors,
      'ACCESS_DENIED',
      'REF_NOT_FOUND',
      'PULL_REQUEST_INVALID',
      'PULL_REQUEST_CLOSED',
      'PRECONDITION_FAILED',
    ],
  },
} as const satisfies Record<string, Operation>;

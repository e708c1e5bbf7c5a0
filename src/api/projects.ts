import { z } from 'zod';
import { visibilities } from '../core/visibility.ts';
import { Role } from './accounts.ts';
import { instant, listOf, type Operation, pageQuery } from './operation.ts';
import { PipelineView } from './pipelines.ts';

export const ProjectPath = z.object({ owner: z.string(), project: z.string() });

export const ProjectView = z
  .object({
    owner: z.string(),
    name: z.string(),
    slug: z.string().meta({ description: 'owner/name' }),
    description: z.string(),
    visibility: z.enum(visibilities),
    defaultBranch: z.string(),
    isEmpty: z.boolean().meta({ description: 'Whether nothing has been pushed yet' }),
    isArchived: z.boolean(),
    protectedRefs: z.array(z.string()),
    stepTimeoutMs: z.int(),
    role: Role.nullable().meta({ description: 'What the asker may do here; null = nothing but what all may' }),
    cloneUrl: z.string(),
    createdAt: instant,
    latestPipeline: PipelineView.nullable(),
  })
  .meta({ id: 'Project' });
export type ProjectView = z.infer<typeof ProjectView>;

export const MemberView = z
  .object({ name: z.string(), role: Role, from: z.enum(['project', 'organisation', 'owner']) })
  .meta({ id: 'Member' });

export const RefView = z
  .object({ name: z.string(), kind: z.enum(['branch', 'tag', 'other']), ref: z.string(), commit: z.string() })
  .meta({ id: 'Ref' });

export const CommitView = z
  .object({
    id: z.string(),
    parents: z.array(z.string()),
    subject: z.string(),
    message: z.string(),
    authorName: z.string(),
    authorEmail: z.string(),
    authoredAt: instant,
    committedAt: instant,
  })
  .meta({ id: 'Commit' });
export type CommitView = z.infer<typeof CommitView>;

export const EntryView = z
  .object({
    name: z.string(),
    kind: z.enum(['file', 'folder', 'link', 'submodule']),
    sizeBytes: z.int().nullable(),
  })
  .meta({ id: 'Entry' });

const name = z.string().min(1).max(63);

export const projectOperations = {
  listProjects: {
    method: 'get',
    path: '/api/v1/projects',
    summary: 'Projects that the asker may see, newest activity first',
    action: 'project:list',
    query: pageQuery.extend({ query: z.string().max(200).optional(), owner: z.string().optional() }),
    status: 200,
    ok: listOf(ProjectView),
    errors: [],
  },
  createProject: {
    method: 'post',
    path: '/api/v1/projects',
    summary: 'Create a project under one’s own name or an organisation’s',
    action: 'project:create',
    ownerFrom: 'body',
    body: z.object({
      owner: name,
      name,
      description: z.string().max(500).default(''),
      visibility: z.enum(visibilities).default('private'),
      defaultBranch: z.string().min(1).max(200).default('main'),
    }),
    status: 201,
    ok: ProjectView,
    errors: ['PROJECT_EXISTS', 'NAME_INVALID', 'NAME_RESERVED', 'ORGANISATION_NOT_FOUND'],
    isIdempotent: true,
  },
  getProject: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}',
    summary: 'One project',
    action: 'project:read',
    params: ProjectPath,
    status: 200,
    ok: ProjectView,
    errors: ['PROJECT_NOT_FOUND'],
    hasEtag: true,
  },
  updateProject: {
    method: 'patch',
    path: '/api/v1/projects/{owner}/{project}',
    summary: 'Rename, describe, archive, or change who may see a project',
    action: 'project:configure',
    params: ProjectPath,
    body: z.object({
      name: name.optional(),
      description: z.string().max(500).optional(),
      visibility: z.enum(visibilities).optional(),
      defaultBranch: z.string().min(1).max(200).optional(),
      protectedRefs: z.array(z.string().min(1).max(200)).max(100).optional(),
      stepTimeoutMs: z.int().min(1_000).max(86_400_000).optional(),
      isArchived: z.boolean().optional(),
    }),
    status: 200,
    ok: ProjectView,
    errors: ['PROJECT_NOT_FOUND', 'PROJECT_EXISTS', 'NAME_INVALID', 'REF_NOT_FOUND', 'PRECONDITION_FAILED'],
    hasEtag: true,
  },
  listMembers: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/members',
    summary: 'Who has a role here, and where it comes from',
    action: 'member:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(MemberView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  setMember: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/members/{name}',
    summary: 'Give a person a role in this project',
    action: 'member:manage',
    params: ProjectPath.extend({ name }),
    body: z.object({ role: Role }),
    status: 200,
    ok: MemberView,
    errors: ['PROJECT_NOT_FOUND', 'PERSON_NOT_FOUND'],
  },
  removeMember: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/members/{name}',
    summary: 'Take a person’s role in this project away',
    action: 'member:manage',
    params: ProjectPath.extend({ name }),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'MEMBER_NOT_FOUND'],
  },
  listRefs: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/refs',
    summary: 'Branches and tags',
    action: 'code:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(RefView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  listCommits: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/commits',
    summary: 'Commits reachable from a branch, tag or commit, newest first',
    action: 'code:read',
    params: ProjectPath,
    query: pageQuery.extend({ at: z.string().max(300).optional(), path: z.string().max(4096).optional() }),
    status: 200,
    ok: listOf(CommitView),
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND'],
  },
  commitFiles: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/commits',
    summary: 'Write files as one commit on a branch, as if it were pushed: it starts what a push starts',
    action: 'code:write',
    params: ProjectPath,
    isIdempotent: true,
    body: z.object({
      branch: z.string().min(1).max(250),
      isNewBranch: z.boolean().default(false).meta({ description: 'Make the branch; it begins at "base"' }),
      base: z
        .string()
        .regex(/^[0-9a-f]{40}$/)
        .nullable()
        .meta({
          description:
            'The commit that the files were read at. Where the branch is somewhere else by now nothing is written. null: nothing was pushed yet',
        }),
      message: z.string().trim().min(1).max(65_536),
      files: z
        .array(
          z.object({
            path: z.string().min(1).max(4096),
            text: z.string().max(1_048_576).nullable().meta({ description: 'null removes the file' }),
          }),
        )
        .min(1)
        .max(100)
        .meta({ description: 'Together 1 MiB at most' }),
    }),
    status: 201,
    ok: CommitView,
    errors: [
      'PROJECT_NOT_FOUND',
      'REF_NOT_FOUND',
      'BRANCH_EXISTS',
      'COMMIT_CONFLICT',
      'COMMIT_INVALID',
      'NOTHING_TO_COMMIT',
      'PUSH_REFUSED',
    ],
  },
  getCommit: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/commits/{commit}',
    summary: 'One commit',
    action: 'code:read',
    params: ProjectPath.extend({ commit: z.string().max(300) }),
    status: 200,
    ok: CommitView,
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND'],
  },
  getTree: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/tree',
    summary: 'Entries of a folder, folders first',
    action: 'code:read',
    params: ProjectPath,
    query: z.object({ at: z.string().max(300).optional(), path: z.string().max(4096).default('') }),
    status: 200,
    ok: z.object({ commit: z.string(), path: z.string(), items: z.array(EntryView) }).meta({ id: 'Tree' }),
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND', 'PATH_NOT_FOUND'],
    hasEtag: true,
  },
  getFile: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/file',
    summary: 'One file, as text where it is text',
    action: 'code:read',
    params: ProjectPath,
    query: z.object({ at: z.string().max(300).optional(), path: z.string().min(1).max(4096) }),
    status: 200,
    ok: z
      .object({
        commit: z.string(),
        path: z.string(),
        sizeBytes: z.int(),
        text: z.string().nullable().meta({ description: 'null when the file is not UTF-8 text' }),
      })
      .meta({ id: 'File' }),
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND', 'PATH_NOT_FOUND', 'REQUEST_TOO_LARGE'],
    hasEtag: true,
  },
} as const satisfies Record<string, Operation>;

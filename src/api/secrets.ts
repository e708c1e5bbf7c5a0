import { z } from 'zod';
import { eventKinds } from '../core/event.ts';
import { pullRequestOrigins } from '../core/pull-request-origin.ts';
import { instant, listOf, type Operation } from './operation.ts';
import { ProjectPath } from './projects.ts';

export const OrganisationPath = z.object({ owner: z.string() });

const secretEvents = eventKinds;
const glob = z.string().min(1).max(200);

const limits = {
  events: z.array(z.string()).meta({ description: 'Events whose steps are given it' }),
  pullRequests: z.enum(pullRequestOrigins).meta({
    description:
      'Pull requests that may have it: none, those of branches of the project, or those of forks as well; what is not trusted only once somebody has approved the commit with secrets',
  }),
  branches: z.array(z.string()).meta({ description: 'Globs of branches, or names of tags; empty = any' }),
  images: z
    .array(z.string())
    .meta({ description: 'Globs of image repositories, compared with the name in the file; empty = any' }),
  isForPluginsOnly: z.boolean().meta({ description: 'Not for steps that have commands' }),
};

export const SecretView = z
  .object({ name: z.string(), ...limits, createdAt: instant, updatedAt: instant, updatedBy: z.string() })
  .meta({ id: 'Secret' });
export type SecretView = z.infer<typeof SecretView>;

const StoredSecret = SecretView.extend({
  warning: z.string().nullable().meta({ description: 'Said when the value is too short to be masked' }),
}).meta({ id: 'StoredSecret' });

/** What is absent stays as it is; of a new secret, all events but pull requests, and no other limit. */
export const SecretBody = z
  .object({
    value: z.string().min(1).max(65_536).optional().meta({ description: 'Absent = as before: only its limits change' }),
    events: z.array(z.enum(secretEvents)).min(1).optional(),
    pullRequests: z.enum(pullRequestOrigins).optional().meta({
      description: 'Absent = as before; "project" where the events have had no pull requests and now have',
    }),
    branches: z.array(glob).max(50).optional(),
    images: z.array(glob).max(50).optional(),
    isForPluginsOnly: z.boolean().optional(),
  })
  .meta({ id: 'SecretBody' });
export type SecretBody = z.infer<typeof SecretBody>;

export const RegistryView = z
  .object({
    registry: z.string(),
    username: z.string(),
    pullRequests: z
      .enum(pullRequestOrigins)
      .meta({ description: 'Pull requests whose images are pulled with it, as of secrets' }),
    updatedAt: instant,
    updatedBy: z.string(),
  })
  .meta({ id: 'RegistryLogin' });
export type RegistryView = z.infer<typeof RegistryView>;

const RegistryBody = z.object({
  username: z.string().min(1).max(256),
  password: z.string().min(1).max(16_384),
  pullRequests: z
    .enum(pullRequestOrigins)
    .optional()
    .meta({ description: 'Absent = as before; "project" for a new one' }),
});
export type RegistryBody = z.infer<typeof RegistryBody>;

export const GitLoginView = z
  .object({ host: z.string(), username: z.string(), updatedAt: instant, updatedBy: z.string() })
  .meta({ id: 'GitLogin' });
export type GitLoginView = z.infer<typeof GitLoginView>;

export const GitLoginBody = z
  .object({ username: z.string().min(1).max(256), password: z.string().min(1).max(16_384) })
  .meta({ id: 'GitLoginBody' });
export type GitLoginBody = z.infer<typeof GitLoginBody>;

const gitHost = { host: z.string().min(1).max(260) };
const secretName = { name: z.string().min(1).max(100) };
const registryName = { registry: z.string().min(1).max(260) };

export const secretOperations = {
  listSecrets: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/secrets',
    summary: 'Names of the secrets; values never leave the server',
    action: 'secret:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(SecretView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  setSecret: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/secrets/{name}',
    summary: 'Create or replace a secret, or change who gets it',
    action: 'secret:write',
    params: ProjectPath.extend(secretName),
    body: SecretBody,
    status: 200,
    ok: StoredSecret,
    errors: ['PROJECT_NOT_FOUND', 'SECRET_NAME_INVALID'],
  },
  removeSecret: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/secrets/{name}',
    summary: 'Remove a secret',
    action: 'secret:write',
    params: ProjectPath.extend(secretName),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'SECRET_NOT_FOUND'],
  },
  listOrganisationSecrets: {
    method: 'get',
    path: '/api/v1/organisations/{owner}/secrets',
    summary: 'Names of the secrets that all projects of an organisation have',
    action: 'organisation-secret:read',
    params: OrganisationPath,
    status: 200,
    ok: listOf(SecretView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  setOrganisationSecret: {
    method: 'put',
    path: '/api/v1/organisations/{owner}/secrets/{name}',
    summary: 'Create or replace a secret of an organisation; a project’s own of the same name wins',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(secretName),
    body: SecretBody,
    status: 200,
    ok: StoredSecret,
    errors: ['ORGANISATION_NOT_FOUND', 'SECRET_NAME_INVALID'],
  },
  removeOrganisationSecret: {
    method: 'delete',
    path: '/api/v1/organisations/{owner}/secrets/{name}',
    summary: 'Remove a secret of an organisation',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(secretName),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'SECRET_NOT_FOUND'],
  },
  listRegistries: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/registries',
    summary: 'Registries that images are pulled from with a login; passwords never leave the server',
    action: 'secret:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(RegistryView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  setRegistry: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/registries/{registry}',
    summary: 'Keep a login for a registry',
    action: 'secret:write',
    params: ProjectPath.extend(registryName),
    body: RegistryBody,
    status: 200,
    ok: RegistryView,
    errors: ['PROJECT_NOT_FOUND'],
  },
  signPipelineFile: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/signatures',
    summary: 'Sign the text of a pipeline file with the key of the project, which is made with the first signature',
    action: 'secret:write',
    params: ProjectPath,
    body: z.object({ text: z.string().min(1).max(262_144) }),
    status: 200,
    ok: z.object({ hmac: z.string().meta({ description: 'For the "hmac" of a document of the kind "signature"' }) }),
    errors: ['PROJECT_NOT_FOUND', 'SECRET_KEY_WRONG'],
  },
  removeRegistry: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/registries/{registry}',
    summary: 'Forget the login of a registry',
    action: 'secret:write',
    params: ProjectPath.extend(registryName),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'REGISTRY_NOT_FOUND'],
  },
  listOrganisationRegistries: {
    method: 'get',
    path: '/api/v1/organisations/{owner}/registries',
    summary: 'Registries with a login for all projects of an organisation',
    action: 'organisation-secret:read',
    params: OrganisationPath,
    status: 200,
    ok: listOf(RegistryView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  setOrganisationRegistry: {
    method: 'put',
    path: '/api/v1/organisations/{owner}/registries/{registry}',
    summary: 'Keep a login for a registry, for all projects of an organisation',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(registryName),
    body: RegistryBody,
    status: 200,
    ok: RegistryView,
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  removeOrganisationRegistry: {
    method: 'delete',
    path: '/api/v1/organisations/{owner}/registries/{registry}',
    summary: 'Forget the login of a registry of an organisation',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(registryName),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'REGISTRY_NOT_FOUND'],
  },
  listGitLogins: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/git-logins',
    summary: 'Git hosts with a login for checkouts; passwords never leave the server',
    action: 'secret:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(GitLoginView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  setGitLogin: {
    method: 'put',
    path: '/api/v1/projects/{owner}/{project}/git-logins/{host}',
    summary: 'Keep a login with which checkouts fetch submodules from a git host',
    action: 'secret:write',
    params: ProjectPath.extend(gitHost),
    body: GitLoginBody,
    status: 200,
    ok: GitLoginView,
    errors: ['PROJECT_NOT_FOUND'],
  },
  removeGitLogin: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/git-logins/{host}',
    summary: 'Forget the login for a git host',
    action: 'secret:write',
    params: ProjectPath.extend(gitHost),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'GIT_LOGIN_NOT_FOUND'],
  },
  listOrganisationGitLogins: {
    method: 'get',
    path: '/api/v1/organisations/{owner}/git-logins',
    summary:
      'Git hosts with a login for checkouts, for all projects of an organisation; passwords never leave the server',
    action: 'organisation-secret:read',
    params: OrganisationPath,
    status: 200,
    ok: listOf(GitLoginView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  setOrganisationGitLogin: {
    method: 'put',
    path: '/api/v1/organisations/{owner}/git-logins/{host}',
    summary: 'Keep a login with which checkouts fetch submodules from a git host, for all projects of an organisation',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(gitHost),
    body: GitLoginBody,
    status: 200,
    ok: GitLoginView,
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  removeOrganisationGitLogin: {
    method: 'delete',
    path: '/api/v1/organisations/{owner}/git-logins/{host}',
    summary: 'Forget the login for a git host, for all projects of an organisation',
    action: 'organisation-secret:write',
    params: OrganisationPath.extend(gitHost),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'GIT_LOGIN_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;

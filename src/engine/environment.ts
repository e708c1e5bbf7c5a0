import type { CompileInput } from './compile-input.ts';
import { dialectRules } from './dialect-rules.ts';
import type { Variables } from './substitute.ts';
import { tagVersionVariables } from './tag-version.ts';

/** What the environment is made of: the part of a compilation's input that is no file. */
export type EnvironmentFacts = Pick<CompileInput, 'event' | 'project' | 'pipeline' | 'instanceUrl' | 'architecture'>;

export interface WorkflowIdentity {
  readonly name: string;
  readonly type: string;
  /** Counts from 1 in the file. */
  readonly number: number;
  readonly dependsOn: readonly string[];
}

export interface StepIdentity {
  readonly name: string;
  /** Counts from 1 in the workflow, the checkout included. */
  readonly number: number;
}

/** Where the workspace is in each step. */
export interface Workspace {
  readonly base: string;
  readonly path: string;
}

/** Folder in which steps start. */
export function workspaceFolder(workspace: Workspace): string {
  return workspace.path === '' ? workspace.base : `${workspace.base}/${workspace.path}`.replaceAll(/\/{2,}/g, '/');
}

/** The release of Drone whose variables these are; scripts compare with it. */
const droneVersion = '2.0.4';

/** A commit message may be of any length, and stands several times in the environment of each step. */
const maxMessageLength = 4_096;

/**
 * Variables that `${…}` can name in a workflow's document (pipelines.md 3): no secrets, and nothing of a step.
 * What is known only when a step starts reads as it does there before the first step: status `success`, times empty.
 */
export function substitutionVariables(facts: EnvironmentFacts, workflow: WorkflowIdentity): Variables {
  return {
    ...facts.event.parameters,
    ...systemVariables(facts),
    ...repositoryVariables(facts),
    ...buildVariables(facts),
    ...stageVariables(facts, workflow),
    ...gantryVariables(facts, workflow),
  };
}

/**
 * The environment of one step, complete but for what `executionEnvironment` adds and for secrets. Low to high: given
 * parameters, the pipeline's own, what describes system, repository, build and stage, the step's own, and once more
 * build, stage and step, which nobody can override (pipelines.md 10.7).
 */
export function stepEnvironment(
  facts: EnvironmentFacts,
  workflow: WorkflowIdentity & { readonly workspace: Workspace; readonly environment: Variables },
  step: StepIdentity & { readonly environment: Variables },
): Record<string, string> {
  const fixed = {
    ...buildVariables(facts),
    ...stageVariables(facts, workflow),
    DRONE_STEP_NAME: step.name,
    DRONE_STEP_NUMBER: String(step.number),
    ...gantryVariables(facts, workflow),
    GANTRY_STEP: step.name,
    GANTRY_STEP_NUMBER: String(step.number),
    GANTRY_WORKSPACE: workspaceFolder(workflow.workspace),
  };
  const merged = {
    ...facts.event.parameters,
    ...workflow.environment,
    ...systemVariables(facts),
    ...repositoryVariables(facts),
    ...gitVariables(facts),
    DRONE_WORKSPACE: workspaceFolder(workflow.workspace),
    DRONE_WORKSPACE_BASE: workflow.workspace.base,
    DRONE_WORKSPACE_PATH: workflow.workspace.path,
    ...step.environment,
    ...fixed,
  };
  for (const name of executionVariables) delete (merged as Record<string, string>)[name];
  return merged;
}

function systemVariables({ instanceUrl }: EnvironmentFacts): Record<string, string> {
  const url = URL.canParse(instanceUrl) ? new URL(instanceUrl) : undefined;
  return {
    CI: 'true',
    DRONE: 'true',
    DRONE_SYSTEM_PROTO: url?.protocol.replace(/:$/, '') ?? '',
    DRONE_SYSTEM_HOST: url?.host ?? '',
    DRONE_SYSTEM_HOSTNAME: url?.hostname ?? '',
    DRONE_SYSTEM_VERSION: droneVersion,
  };
}

function repositoryVariables({ project }: EnvironmentFacts): Record<string, string> {
  const slug = `${project.owner}/${project.name}`;
  const isPrivate = String(project.visibility !== 'public');
  return {
    DRONE_REPO: slug,
    DRONE_REPO_SCM: 'git',
    DRONE_REPO_OWNER: project.owner,
    DRONE_REPO_NAMESPACE: project.owner,
    DRONE_REPO_NAME: project.name,
    DRONE_REPO_LINK: project.link,
    DRONE_REPO_BRANCH: project.defaultBranch,
    DRONE_REPO_VISIBILITY: project.visibility,
    DRONE_REPO_PRIVATE: isPrivate,
    DRONE_REMOTE_URL: project.cloneUrl,
    DRONE_GIT_HTTP_URL: project.cloneUrl,
    DRONE_GIT_SSH_URL: '',
    CI_REPO: slug,
    CI_REPO_NAME: slug,
    CI_REPO_LINK: project.link,
    CI_REPO_REMOTE: project.cloneUrl,
    CI_REMOTE_URL: project.cloneUrl,
    CI_REPO_PRIVATE: isPrivate,
  };
}

function buildVariables({ event, pipeline, project }: EnvironmentFacts): Record<string, string> {
  const number = String(pipeline.number);
  const [word] = dialectRules.drone1.eventWords[event.kind];
  const created = unixSeconds(pipeline.createdAt);
  const message = shortened(event.message);
  return {
    DRONE_BRANCH: event.branch,
    DRONE_SOURCE_BRANCH: event.branch,
    DRONE_TARGET_BRANCH: event.branch,
    DRONE_COMMIT: event.commit,
    DRONE_COMMIT_SHA: event.commit,
    DRONE_COMMIT_BEFORE: event.before,
    DRONE_COMMIT_AFTER: event.commit,
    DRONE_COMMIT_REF: event.ref,
    DRONE_COMMIT_BRANCH: event.branch,
    DRONE_COMMIT_LINK: `${project.link}/commits/${event.commit}`,
    DRONE_COMMIT_MESSAGE: message,
    DRONE_COMMIT_AUTHOR: event.personName,
    DRONE_COMMIT_AUTHOR_NAME: event.authorName,
    DRONE_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    DRONE_COMMIT_AUTHOR_AVATAR: '',
    DRONE_BUILD_NUMBER: number,
    DRONE_BUILD_PARENT: '0',
    DRONE_BUILD_EVENT: word,
    DRONE_BUILD_ACTION: '',
    DRONE_BUILD_STATUS: 'success',
    DRONE_BUILD_DEBUG: 'false',
    DRONE_BUILD_CREATED: created,
    DRONE_BUILD_TRIGGER: event.personName,
    DRONE_BUILD_LINK: pipeline.link,
    DRONE_DEPLOY_TO: '',
    DRONE_DEPLOY_ID: '',
    CI_BUILD_NUMBER: number,
    CI_BUILD_CREATED: created,
    CI_BUILD_STATUS: 'success',
    CI_BUILD_EVENT: word,
    CI_BUILD_LINK: pipeline.link,
    CI_BUILD_TARGET: '',
    CI_PARENT_BUILD_NUMBER: '0',
    CI_COMMIT_SHA: event.commit,
    CI_COMMIT_REF: event.ref,
    CI_COMMIT_BRANCH: event.branch,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_AUTHOR: event.personName,
    CI_COMMIT_AUTHOR_NAME: event.authorName,
    CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    CI_COMMIT_AUTHOR_AVATAR: '',
    ...(tagOf(event.ref) === undefined ? {} : tagVersionVariables(tagOf(event.ref) ?? '')),
  };
}

function stageVariables(
  { architecture = 'amd64' }: EnvironmentFacts,
  workflow: WorkflowIdentity,
): Record<string, string> {
  return {
    DRONE_STAGE_KIND: 'pipeline',
    DRONE_STAGE_TYPE: workflow.type,
    DRONE_STAGE_NAME: workflow.name,
    DRONE_STAGE_NUMBER: String(workflow.number),
    DRONE_STAGE_OS: 'linux',
    DRONE_STAGE_ARCH: architecture,
    DRONE_STAGE_VARIANT: '',
    DRONE_STAGE_VERSION: '',
    DRONE_STAGE_STATUS: 'success',
    DRONE_STAGE_DEPENDS_ON: workflow.dependsOn.join(','),
    DRONE_CARD_PATH: '/dev/stdout',
  };
}

function gitVariables({ event, instanceUrl }: EnvironmentFacts): Record<string, string> {
  const host = URL.canParse(instanceUrl) ? new URL(instanceUrl).hostname : 'localhost';
  const name = event.personName === '' ? 'gantry' : event.personName;
  const email = `noreply@${host}`;
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
}

/** The same facts under Gantry's own names. */
function gantryVariables(
  { event, project, pipeline, instanceUrl }: EnvironmentFacts,
  workflow: WorkflowIdentity,
): Record<string, string> {
  const tag = tagOf(event.ref);
  return {
    GANTRY: 'true',
    GANTRY_URL: instanceUrl,
    GANTRY_REPO: `${project.owner}/${project.name}`,
    GANTRY_REPO_OWNER: project.owner,
    GANTRY_REPO_NAME: project.name,
    GANTRY_REPO_LINK: project.link,
    GANTRY_CLONE_URL: project.cloneUrl,
    GANTRY_DEFAULT_BRANCH: project.defaultBranch,
    GANTRY_VISIBILITY: project.visibility,
    GANTRY_EVENT: event.kind,
    GANTRY_REF: event.ref,
    GANTRY_BRANCH: tag === undefined ? event.branch : '',
    ...(tag === undefined ? {} : { GANTRY_TAG: tag }),
    GANTRY_COMMIT_SHA: event.commit,
    GANTRY_COMMIT_BEFORE: event.before,
    GANTRY_COMMIT_MESSAGE: shortened(event.message),
    GANTRY_COMMIT_AUTHOR_NAME: event.authorName,
    GANTRY_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    GANTRY_PERSON: event.personName,
    GANTRY_PIPELINE_NUMBER: String(pipeline.number),
    GANTRY_PIPELINE_LINK: pipeline.link,
    GANTRY_PIPELINE_CREATED: unixSeconds(pipeline.createdAt),
    GANTRY_WORKFLOW: workflow.name,
  };
}

/** Set when a step starts, and by nobody before: `executionEnvironment`. */
export const executionVariables = [
  'DRONE_BUILD_STATUS',
  'DRONE_BUILD_STARTED',
  'DRONE_BUILD_FINISHED',
  'DRONE_FAILED_STAGES',
  'DRONE_STAGE_STATUS',
  'DRONE_STAGE_STARTED',
  'DRONE_STAGE_FINISHED',
  'DRONE_STAGE_MACHINE',
  'DRONE_FAILED_STEPS',
  'CI_BUILD_STATUS',
  'CI_BUILD_STARTED',
  'CI_BUILD_FINISHED',
  'GANTRY_PIPELINE_STATUS',
  'GANTRY_PIPELINE_STARTED',
  'GANTRY_WORKFLOW_STATUS',
  'GANTRY_WORKFLOW_STARTED',
  'GANTRY_STEP_STARTED',
] as const;

/** Names that some other event or place sets: `${…}` on them is no slip, even where they are empty. */
export const occasionalVariables: ReadonlySet<string> = new Set([
  ...Object.keys(tagVersionVariables('2026.1.2')),
  'DRONE_SEMVER_ERROR',
  'DRONE_PULL_REQUEST',
  'DRONE_PULL_REQUEST_TITLE',
  'DRONE_STEP_NAME',
  'DRONE_STEP_NUMBER',
  'DRONE_WORKSPACE',
  'DRONE_WORKSPACE_BASE',
  'DRONE_WORKSPACE_PATH',
  'GANTRY_TAG',
  'GANTRY_STEP',
  'GANTRY_STEP_NUMBER',
  'GANTRY_WORKSPACE',
]);

/** What others than the file's author write: a branch, a tag, a message, a name. */
export const outsiderVariables: ReadonlySet<string> = new Set([
  'DRONE_BRANCH',
  'DRONE_SOURCE_BRANCH',
  'DRONE_TARGET_BRANCH',
  'DRONE_COMMIT_BRANCH',
  'DRONE_COMMIT_REF',
  'DRONE_COMMIT_MESSAGE',
  'DRONE_COMMIT_AUTHOR_NAME',
  'DRONE_COMMIT_AUTHOR_EMAIL',
  'DRONE_TAG',
  'CI_COMMIT_BRANCH',
  'CI_COMMIT_REF',
  'CI_COMMIT_MESSAGE',
  'CI_COMMIT_AUTHOR_NAME',
  'CI_COMMIT_AUTHOR_EMAIL',
  'GANTRY_REF',
  'GANTRY_BRANCH',
  'GANTRY_TAG',
  'GANTRY_COMMIT_MESSAGE',
  'GANTRY_COMMIT_AUTHOR_NAME',
  'GANTRY_COMMIT_AUTHOR_EMAIL',
]);

/** The tag that a reference is; `undefined` for a branch. */
export function tagOf(ref: string): string | undefined {
  return ref.startsWith('refs/tags/') ? ref.slice('refs/tags/'.length) : undefined;
}

function shortened(message: string): string {
  const whole = message.replaceAll('\0', '');
  return whole.length > maxMessageLength ? `${whole.slice(0, maxMessageLength)}…` : whole;
}

function unixSeconds(at: Date): string {
  return String(Math.floor(at.getTime() / 1_000));
}

import { dialectRules } from './dialect-rules.ts';
import type { EnvironmentFacts, WorkflowIdentity } from './environment-facts.ts';
import { eventText, isPrivate, slugOf, unixSeconds } from './event-text.ts';
import { instanceAddress } from './instance-address.ts';
import type { Variables } from './substitute.ts';
import { tagVersionVariables } from './tag-version.ts';

/** The release of Drone whose variables these are; scripts compare with it. */
const droneVersion = '2.0.4';

/** What a step may set otherwise, of `drone1Variables`: the names of the system and of the repository. */
const overridable = [
  'CI',
  'DRONE',
  'DRONE_SYSTEM_PROTO',
  'DRONE_SYSTEM_HOST',
  'DRONE_SYSTEM_HOSTNAME',
  'DRONE_SYSTEM_VERSION',
  'DRONE_REPO',
  'DRONE_REPO_SCM',
  'DRONE_REPO_OWNER',
  'DRONE_REPO_NAMESPACE',
  'DRONE_REPO_NAME',
  'DRONE_REPO_LINK',
  'DRONE_REPO_BRANCH',
  'DRONE_REPO_VISIBILITY',
  'DRONE_REPO_PRIVATE',
  'DRONE_REMOTE_URL',
  'DRONE_GIT_HTTP_URL',
  'DRONE_GIT_SSH_URL',
  'CI_REPO',
  'CI_REPO_NAME',
  'CI_REPO_LINK',
  'CI_REPO_REMOTE',
  'CI_REMOTE_URL',
  'CI_REPO_PRIVATE',
] as const;

const overridableNames: ReadonlySet<string> = new Set(overridable);

/** Whether a step may set this one of `drone1Variables` otherwise (pipelines.md 10.7). */
export function isOverridable(name: string): boolean {
  return overridableNames.has(name);
}

/** The variables of Drone 1.x (pipelines.md 12.2) but for those of a pipeline's document and of a step. */
export function drone1Variables({ event, pipeline, project, instanceUrl }: EnvironmentFacts): Variables {
  const { protocol, host, hostname } = instanceAddress(instanceUrl);
  const slug = slugOf(project);
  const number = String(pipeline.number);
  const [word] = dialectRules.drone1.eventWords[event.kind];
  const created = unixSeconds(pipeline.createdAt);
  const { message, tag, pullRequestNumber } = eventText(event);
  const sourceBranch = event.pullRequest?.sourceBranch ?? event.branch;
  const parent = String(event.parentNumber ?? 0);
  const target = event.target ?? '';
  // One object that is made at once, and what only some events have at its end: it is made for every pipeline.
  const variables: Record<string, string> & Record<(typeof overridable)[number], string> = {
    CI: 'true',
    DRONE: 'true',
    DRONE_SYSTEM_PROTO: protocol,
    DRONE_SYSTEM_HOST: host,
    DRONE_SYSTEM_HOSTNAME: hostname,
    DRONE_SYSTEM_VERSION: droneVersion,
    DRONE_REPO: slug,
    DRONE_REPO_SCM: 'git',
    DRONE_REPO_OWNER: project.owner,
    DRONE_REPO_NAMESPACE: project.owner,
    DRONE_REPO_NAME: project.name,
    DRONE_REPO_LINK: project.link,
    DRONE_REPO_BRANCH: project.defaultBranch,
    DRONE_REPO_VISIBILITY: project.visibility,
    DRONE_REPO_PRIVATE: isPrivate(project),
    DRONE_REMOTE_URL: project.cloneUrl,
    DRONE_GIT_HTTP_URL: project.cloneUrl,
    DRONE_GIT_SSH_URL: '',
    CI_REPO: slug,
    CI_REPO_NAME: slug,
    CI_REPO_LINK: project.link,
    CI_REPO_REMOTE: project.cloneUrl,
    CI_REMOTE_URL: project.cloneUrl,
    CI_REPO_PRIVATE: isPrivate(project),
    DRONE_BRANCH: event.branch,
    DRONE_SOURCE_BRANCH: sourceBranch,
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
    DRONE_BUILD_PARENT: parent,
    DRONE_BUILD_EVENT: word,
    DRONE_BUILD_ACTION: event.pullRequest?.action ?? '',
    DRONE_BUILD_DEBUG: 'false',
    DRONE_BUILD_CREATED: created,
    DRONE_BUILD_TRIGGER: event.personName,
    DRONE_BUILD_LINK: pipeline.link,
    DRONE_DEPLOY_TO: target,
    DRONE_DEPLOY_ID: '',
    CI_BUILD_NUMBER: number,
    CI_BUILD_CREATED: created,
    CI_BUILD_EVENT: word,
    CI_BUILD_LINK: pipeline.link,
    CI_BUILD_TARGET: target,
    CI_PARENT_BUILD_NUMBER: parent,
    CI_COMMIT_SHA: event.commit,
    CI_COMMIT_REF: event.ref,
    CI_COMMIT_BRANCH: event.branch,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_AUTHOR: event.personName,
    CI_COMMIT_AUTHOR_NAME: event.authorName,
    CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    CI_COMMIT_AUTHOR_AVATAR: '',
  };
  if (pullRequestNumber !== undefined) {
    variables['DRONE_PULL_REQUEST'] = pullRequestNumber;
    variables['DRONE_PULL_REQUEST_TITLE'] = event.pullRequest?.title ?? '';
  }
  return tag === undefined ? variables : { ...variables, ...tagVersionVariables(tag) };
}

/** What steps have for git, and `${…}` has not. */
export function gitVariables({ event, instanceUrl }: EnvironmentFacts): Variables {
  const host = instanceAddress(instanceUrl).hostname || 'localhost';
  const name = event.personName === '' ? 'gantry' : event.personName;
  const email = `noreply@${host}`;
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
}

/** What a pipeline's document adds. */
export function stageVariables(
  { architecture = 'amd64' }: Pick<EnvironmentFacts, 'architecture'>,
  workflow: WorkflowIdentity,
): Variables {
  return {
    DRONE_STAGE_KIND: 'pipeline',
    DRONE_STAGE_TYPE: workflow.type,
    DRONE_STAGE_NAME: workflow.name,
    DRONE_STAGE_NUMBER: String(workflow.number),
    DRONE_STAGE_OS: 'linux',
    DRONE_STAGE_ARCH: architecture,
    DRONE_STAGE_VARIANT: '',
    DRONE_STAGE_VERSION: '',
    DRONE_STAGE_DEPENDS_ON: workflow.dependsOn.join(','),
    DRONE_CARD_PATH: '/dev/stdout',
  };
}

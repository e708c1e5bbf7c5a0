import { eventWordsOf } from './condition-values.ts';
import { dialectRules } from './dialect-rules.ts';
import { type EnvironmentFacts, platformOf, type WorkflowIdentity } from './environment-facts.ts';
import { eventText, isPrivate, slugOf, unixSeconds } from './event-text.ts';
import { instanceAddress } from './instance-address.ts';
import type { Variables } from './substitute.ts';

/**
 * The variables of Woodpecker, of all versions at once (pipelines.md 12.3), but for those of a workflow, in groups of
 * which none names one of another. Empty ones are to be left out, as the newest version does.
 */
export function woodpeckerVariables(facts: EnvironmentFacts): readonly Variables[] {
  return [
    systemVariables(facts),
    repositoryVariables(facts),
    pipelineVariables(facts),
    commitVariables(facts),
    olderNames(facts),
  ];
}

/** The same and those that plugins written for Drone look for (pipelines.md 12.4): what a step has, and `${…}` has not. */
export function woodpeckerStepVariables(facts: EnvironmentFacts): readonly Variables[] {
  return [...woodpeckerVariables(facts), droneNames(facts)];
}

/** What its workflow adds to them. */
export function workflowVariables({ name, number }: WorkflowIdentity): Variables {
  return { ...(name === '' ? {} : { CI_WORKFLOW_NAME: name }), CI_WORKFLOW_NUMBER: String(number) };
}

function wordOf({ event }: EnvironmentFacts): string {
  return eventWordsOf(event, dialectRules.woodpecker)[0];
}

function systemVariables(facts: EnvironmentFacts): Variables {
  const { instanceUrl } = facts;
  const { host } = instanceAddress(instanceUrl);
  return {
    CI: 'woodpecker',
    CI_SYSTEM_NAME: 'woodpecker',
    CI_SYSTEM_URL: instanceUrl,
    CI_SYSTEM_HOST: host,
    CI_SYSTEM_PLATFORM: platformOf(facts),
    CI_SYSTEM_VERSION: '3.17.0',
    CI_FORGE_TYPE: 'gantry',
    CI_FORGE_URL: instanceUrl,
    // Names of older versions.
    CI_SYSTEM: 'woodpecker',
    CI_SYSTEM_LINK: instanceUrl,
    CI_SYSTEM_ARCH: platformOf(facts),
    CI_ARCH: platformOf(facts),
  };
}

function repositoryVariables({ project }: EnvironmentFacts): Variables {
  return {
    CI_REPO: slugOf(project),
    CI_REPO_NAME: project.name,
    CI_REPO_OWNER: project.owner,
    CI_REPO_URL: project.link,
    CI_REPO_CLONE_URL: project.cloneUrl,
    CI_REPO_DEFAULT_BRANCH: project.defaultBranch,
    CI_REPO_PRIVATE: isPrivate(project),
    CI_REPO_TRUSTED: 'false',
    CI_REPO_TRUSTED_NETWORK: 'false',
    CI_REPO_TRUSTED_VOLUMES: 'false',
    CI_REPO_TRUSTED_SECURITY: 'false',
    CI_REPO_SCM: 'git',
    CI_REPO_LINK: project.link,
    CI_REPO_REMOTE: project.cloneUrl,
    CI_REMOTE_URL: project.cloneUrl,
    CI_REPO_BRANCH: project.defaultBranch,
  };
}

function pipelineVariables(facts: EnvironmentFacts): Variables {
  const { event, pipeline } = facts;
  const paths = event.changedPaths ?? [];
  return {
    CI_PIPELINE_NUMBER: String(pipeline.number),
    CI_PIPELINE_PARENT: String(event.parentNumber ?? 0),
    CI_PIPELINE_EVENT: wordOf(facts),
    CI_PIPELINE_URL: pipeline.link,
    CI_PIPELINE_FORGE_URL: `${facts.project.link}/commits/${event.commit}`,
    CI_PIPELINE_DEPLOY_TARGET: event.target ?? '',
    CI_PIPELINE_CREATED: unixSeconds(pipeline.createdAt),
    CI_PIPELINE_AUTHOR: event.personName,
    CI_PIPELINE_FILES: paths.length > 500 ? '' : JSON.stringify(paths),
  };
}

function commitVariables({ event, project }: EnvironmentFacts): Variables {
  const { message, tag, pullRequestNumber, refspec } = eventText(event);
  // A new branch has nothing before it.
  const before = /^0+$/.test(event.before) ? '' : event.before;
  return {
    CI_COMMIT_SHA: event.commit,
    CI_COMMIT_REF: event.ref,
    CI_COMMIT_REFSPEC: refspec,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_BRANCH: event.branch,
    CI_COMMIT_AUTHOR: event.personName,
    CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    CI_COMMIT_TAG: tag ?? '',
    CI_COMMIT_SOURCE_BRANCH: event.pullRequest?.sourceBranch ?? '',
    CI_COMMIT_TARGET_BRANCH: event.pullRequest?.targetBranch ?? '',
    CI_COMMIT_PULL_REQUEST: pullRequestNumber ?? '',
    CI_COMMIT_URL: `${project.link}/commits/${event.commit}`,
    CI_PREV_COMMIT_SHA: before,
    CI_PREV_COMMIT_URL: before === '' ? '' : `${project.link}/commits/${before}`,
    CI_PREV_COMMIT_LINK: before === '' ? '' : `${project.link}/commits/${before}`,
    CI_PREV_COMMIT_REF: event.ref,
    CI_PREV_COMMIT_BRANCH: event.branch,
  };
}

/** Names of 1.0 and 0.15 that files still use. */
function olderNames(facts: EnvironmentFacts): Variables {
  const { event, pipeline, project } = facts;
  const { tag, pullRequestNumber } = eventText(event);
  const number = String(pipeline.number);
  return {
    CI_BUILD_NUMBER: number,
    CI_BUILD_PARENT: String(event.parentNumber ?? 0),
    CI_BUILD_EVENT: wordOf(facts),
    CI_BUILD_STATUS: 'success',
    CI_BUILD_LINK: pipeline.link,
    CI_BUILD_CREATED: unixSeconds(pipeline.createdAt),
    CI_BUILD_DEPLOY_TARGET: event.target ?? '',
    CI_BUILD_TARGET: event.target ?? '',
    CI_DEPLOY_TO: event.target ?? '',
    CI_PARENT_BUILD_NUMBER: String(event.parentNumber ?? 0),
    CI_JOB_NUMBER: '1',
    CI_PIPELINE_LINK: pipeline.link,
    CI_COMMIT: event.commit,
    CI_COMMIT_LINK: `${project.link}/commits/${event.commit}`,
    CI_COMMIT_AUTHOR_NAME: event.authorName,
    CI_BRANCH: event.branch,
    CI_SOURCE_BRANCH: event.pullRequest?.sourceBranch ?? event.branch,
    CI_TARGET_BRANCH: event.pullRequest?.targetBranch ?? event.branch,
    CI_TAG: tag ?? '',
    CI_PULL_REQUEST: pullRequestNumber ?? '',
  };
}

/** What plugins written for Drone look for. */
function droneNames(facts: EnvironmentFacts): Variables {
  const { event, pipeline, project, instanceUrl } = facts;
  const { message, tag, pullRequestNumber } = eventText(event);
  const sourceBranch = event.pullRequest?.sourceBranch ?? event.branch;
  return {
    DRONE_BRANCH: event.branch,
    DRONE_PULL_REQUEST: pullRequestNumber ?? '0',
    PULLREQUEST_DRONE_PULL_REQUEST: pullRequestNumber ?? '0',
    DRONE_TAG: tag ?? '',
    DRONE_SOURCE_BRANCH: sourceBranch,
    DRONE_TARGET_BRANCH: event.pullRequest?.targetBranch ?? event.branch,
    DRONE_BUILD_NUMBER: String(pipeline.number),
    DRONE_BUILD_PARENT: String(event.parentNumber ?? 0),
    DRONE_BUILD_EVENT: wordOf(facts),
    DRONE_BUILD_LINK: pipeline.link,
    DRONE_BUILD_CREATED: unixSeconds(pipeline.createdAt),
    DRONE_BUILD_STATUS: 'success',
    DRONE_COMMIT: event.commit,
    DRONE_COMMIT_SHA: event.commit,
    DRONE_COMMIT_BEFORE: event.before,
    DRONE_COMMIT_REF: event.ref,
    DRONE_COMMIT_BRANCH: event.branch,
    DRONE_COMMIT_LINK: `${project.link}/commits/${event.commit}`,
    DRONE_COMMIT_MESSAGE: message,
    DRONE_COMMIT_AUTHOR: event.personName,
    DRONE_COMMIT_AUTHOR_NAME: event.authorName,
    DRONE_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    DRONE_COMMIT_AUTHOR_AVATAR: '',
    DRONE_REPO: slugOf(project),
    DRONE_REPO_OWNER: project.owner,
    DRONE_REPO_NAME: project.name,
    DRONE_REPO_LINK: project.link,
    DRONE_REPO_BRANCH: project.defaultBranch,
    DRONE_REPO_PRIVATE: isPrivate(project),
    DRONE_REPO_SCM: 'git',
    DRONE_REMOTE_URL: project.cloneUrl,
    DRONE_GIT_HTTP_URL: project.cloneUrl,
    DRONE_SYSTEM_HOST: instanceAddress(instanceUrl).host,
  };
}

import { eventWordsOf } from './condition-values.ts';
import { dialectRules } from './dialect-rules.ts';
import { type EnvironmentFacts, platformOf, type WorkflowIdentity } from './environment-facts.ts';
import { eventText, isPrivate, slugOf, unixSeconds } from './event-text.ts';
import { instanceAddress } from './instance-address.ts';
import type { Variables } from './substitute.ts';

/**
 * The variables of Woodpecker, of all versions at once (pipelines.md 12.3), but for those of a workflow and a step. Empty
 * ones are left out, as the newest version does.
 */
export function woodpeckerVariables(facts: EnvironmentFacts): Variables {
  const { event, pipeline, project, instanceUrl } = facts;
  const platform = platformOf(facts);
  const number = String(pipeline.number);
  const parent = String(event.parentNumber ?? 0);
  const created = unixSeconds(pipeline.createdAt);
  const word = wordOf(facts);
  const link = `${project.link}/commits/${event.commit}`;
  const { message, tag, pullRequestNumber, refspec } = eventText(event);
  const target = event.target;
  const branch = event.branch;
  const paths = event.changedPaths ?? [];
  // A new branch has nothing before it.
  const before = /^0+$/.test(event.before) ? '' : event.before;
  const linkBefore = before === '' ? '' : `${project.link}/commits/${before}`;
  return withThose(
    {
      CI: 'woodpecker',
      CI_SYSTEM_NAME: 'woodpecker',
      CI_SYSTEM_PLATFORM: platform,
      CI_SYSTEM_VERSION: '3.17.0',
      CI_FORGE_TYPE: 'gantry',
      CI_REPO: slugOf(project),
      CI_REPO_PRIVATE: isPrivate(project),
      CI_REPO_TRUSTED: 'false',
      CI_REPO_TRUSTED_NETWORK: 'false',
      CI_REPO_TRUSTED_VOLUMES: 'false',
      CI_REPO_TRUSTED_SECURITY: 'false',
      CI_REPO_SCM: 'git',
      CI_PIPELINE_NUMBER: number,
      CI_PIPELINE_PARENT: parent,
      CI_PIPELINE_EVENT: word,
      CI_PIPELINE_FORGE_URL: link,
      CI_PIPELINE_CREATED: created,
      CI_COMMIT_URL: link,
      CI_SYSTEM_URL: instanceUrl,
      CI_FORGE_URL: instanceUrl,
      CI_REPO_NAME: project.name,
      CI_REPO_OWNER: project.owner,
      CI_REPO_URL: project.link,
      CI_REPO_CLONE_URL: project.cloneUrl,
      CI_REPO_DEFAULT_BRANCH: project.defaultBranch,
      CI_PIPELINE_URL: pipeline.link,
      CI_COMMIT_REF: event.ref,
      CI_PREV_COMMIT_REF: event.ref,
      // Names of older versions that files still use.
      CI_SYSTEM: 'woodpecker',
      CI_SYSTEM_ARCH: platform,
      CI_ARCH: platform,
      CI_BUILD_NUMBER: number,
      CI_BUILD_PARENT: parent,
      CI_BUILD_EVENT: word,
      CI_BUILD_CREATED: created,
      CI_PARENT_BUILD_NUMBER: parent,
      CI_JOB_NUMBER: '1',
      CI_COMMIT_LINK: link,
      CI_SYSTEM_LINK: instanceUrl,
      CI_REPO_LINK: project.link,
      CI_REPO_REMOTE: project.cloneUrl,
      CI_REMOTE_URL: project.cloneUrl,
      CI_REPO_BRANCH: project.defaultBranch,
      CI_BUILD_LINK: pipeline.link,
      CI_PIPELINE_LINK: pipeline.link,
    },
    {
      CI_SYSTEM_HOST: instanceAddress(instanceUrl).host,
      CI_PIPELINE_DEPLOY_TARGET: target,
      CI_PIPELINE_AUTHOR: event.personName,
      CI_PIPELINE_FILES: paths.length > 500 ? '' : JSON.stringify(paths),
      CI_COMMIT_SHA: event.commit,
      CI_COMMIT_REFSPEC: refspec,
      CI_COMMIT_MESSAGE: message,
      CI_COMMIT_BRANCH: branch,
      CI_COMMIT_AUTHOR: event.personName,
      CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
      CI_COMMIT_TAG: tag,
      CI_COMMIT_SOURCE_BRANCH: event.pullRequest?.sourceBranch,
      CI_COMMIT_TARGET_BRANCH: event.pullRequest?.targetBranch,
      CI_COMMIT_PULL_REQUEST: pullRequestNumber,
      CI_PREV_COMMIT_SHA: before,
      CI_PREV_COMMIT_URL: linkBefore,
      CI_PREV_COMMIT_LINK: linkBefore,
      CI_PREV_COMMIT_BRANCH: branch,
      CI_BUILD_DEPLOY_TARGET: target,
      CI_BUILD_TARGET: target,
      CI_DEPLOY_TO: target,
      CI_COMMIT: event.commit,
      CI_COMMIT_AUTHOR_NAME: event.authorName,
      CI_BRANCH: branch,
      CI_SOURCE_BRANCH: event.pullRequest?.sourceBranch ?? branch,
      CI_TARGET_BRANCH: event.pullRequest?.targetBranch ?? branch,
      CI_TAG: tag,
      CI_PULL_REQUEST: pullRequestNumber,
    },
  );
}

/** What plugins written for Drone look for (pipelines.md 12.4): a step has them, and `${…}` has not. */
export function dronePluginVariables(facts: EnvironmentFacts): Variables {
  const { event, pipeline, project, instanceUrl } = facts;
  const { message, tag, pullRequestNumber } = eventText(event);
  return withThose(
    {
      DRONE_PULL_REQUEST: pullRequestNumber ?? '0',
      PULLREQUEST_DRONE_PULL_REQUEST: pullRequestNumber ?? '0',
      DRONE_BUILD_NUMBER: String(pipeline.number),
      DRONE_BUILD_PARENT: String(event.parentNumber ?? 0),
      DRONE_BUILD_EVENT: wordOf(facts),
      DRONE_BUILD_CREATED: unixSeconds(pipeline.createdAt),
      DRONE_COMMIT_LINK: `${project.link}/commits/${event.commit}`,
      DRONE_REPO: slugOf(project),
      DRONE_REPO_PRIVATE: isPrivate(project),
      DRONE_REPO_SCM: 'git',
      DRONE_BUILD_LINK: pipeline.link,
      DRONE_COMMIT_REF: event.ref,
      DRONE_REPO_OWNER: project.owner,
      DRONE_REPO_NAME: project.name,
      DRONE_REPO_LINK: project.link,
      DRONE_REPO_BRANCH: project.defaultBranch,
      DRONE_REMOTE_URL: project.cloneUrl,
      DRONE_GIT_HTTP_URL: project.cloneUrl,
    },
    {
      DRONE_BRANCH: event.branch,
      DRONE_TAG: tag,
      DRONE_SOURCE_BRANCH: event.pullRequest?.sourceBranch ?? event.branch,
      DRONE_TARGET_BRANCH: event.pullRequest?.targetBranch ?? event.branch,
      DRONE_COMMIT: event.commit,
      DRONE_COMMIT_SHA: event.commit,
      DRONE_COMMIT_BEFORE: event.before,
      DRONE_COMMIT_BRANCH: event.branch,
      DRONE_COMMIT_MESSAGE: message,
      DRONE_COMMIT_AUTHOR: event.personName,
      DRONE_COMMIT_AUTHOR_NAME: event.authorName,
      DRONE_COMMIT_AUTHOR_EMAIL: event.authorEmail,
      DRONE_SYSTEM_HOST: instanceAddress(instanceUrl).host,
    },
  );
}

/** What its workflow adds to them. */
export function workflowVariables({ name, number }: WorkflowIdentity): Variables {
  const position = String(number);
  return name === '' ? { CI_WORKFLOW_NUMBER: position } : { CI_WORKFLOW_NAME: name, CI_WORKFLOW_NUMBER: position };
}

function wordOf({ event }: EnvironmentFacts): string {
  return eventWordsOf(event, dialectRules.woodpecker)[0];
}

/**
 * Adds those of `others` that say something. What surely does stands in an object of its own: a name that is added later
 * costs as much as ten that are there from the start.
 */
function withThose(
  variables: Record<string, string>,
  others: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  for (const name of Object.keys(others)) {
    const value = others[name];
    if (value !== undefined && value !== '') variables[name] = value;
  }
  return variables;
}

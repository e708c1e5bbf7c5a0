import { dialectRules } from './dialect-rules.ts';
import { type EnvironmentFacts, platformOf } from './environment-facts.ts';
import { eventText, isPrivate, slugOf, unixSeconds } from './event-text.ts';
import { instanceAddress } from './instance-address.ts';
import type { Variables } from './substitute.ts';

/** What Drone 0.8 says of the build before where there is none. */
const previousBuild = {
  CI_PREV_BUILD_NUMBER: '0',
  CI_PREV_BUILD_CREATED: '0',
  CI_PREV_BUILD_STARTED: '0',
  CI_PREV_BUILD_FINISHED: '0',
  CI_PREV_BUILD_STATUS: '',
  CI_PREV_BUILD_EVENT: '',
  CI_PREV_BUILD_LINK: '',
  CI_PREV_COMMIT_REF: '',
  CI_PREV_COMMIT_REFSPEC: '',
  CI_PREV_COMMIT_BRANCH: '',
  CI_PREV_COMMIT_MESSAGE: '',
  CI_PREV_COMMIT_AUTHOR: '',
  CI_PREV_COMMIT_AUTHOR_NAME: '',
  CI_PREV_COMMIT_AUTHOR_EMAIL: '',
  CI_PREV_COMMIT_AUTHOR_AVATAR: '',
  DRONE_PREV_BUILD_STATUS: '',
  DRONE_PREV_BUILD_NUMBER: '0',
};

/** The variables of Drone 0.8, of both families (pipelines.md 12.1); none of a step. */
export function drone08Variables(facts: EnvironmentFacts): Variables {
  const { event, project, pipeline, instanceUrl } = facts;
  const { message, tag, pullRequestNumber, refspec } = eventText(event);
  const slug = slugOf(project);
  const number = String(pipeline.number);
  const created = unixSeconds(pipeline.createdAt);
  const [word] = dialectRules.drone08.eventWords[event.kind];
  const parent = String(event.parentNumber ?? 0);
  const target = event.target ?? '';
  const link = `${project.link}/commits/${event.commit}`;
  const { host } = instanceAddress(instanceUrl);
  const variables: Record<string, string> = {
    CI: 'drone',
    CI_REPO: slug,
    CI_REPO_NAME: slug,
    CI_REPO_LINK: project.link,
    CI_REPO_REMOTE: project.cloneUrl,
    CI_REMOTE_URL: project.cloneUrl,
    CI_REPO_PRIVATE: isPrivate(project),
    CI_BUILD_NUMBER: number,
    CI_BUILD_CREATED: created,
    CI_BUILD_EVENT: word,
    CI_BUILD_LINK: pipeline.link,
    CI_BUILD_TARGET: target,
    CI_PARENT_BUILD_NUMBER: parent,
    CI_COMMIT_SHA: event.commit,
    CI_COMMIT_REF: event.ref,
    CI_COMMIT_REFSPEC: refspec,
    CI_COMMIT_BRANCH: event.branch,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_AUTHOR: event.personName,
    CI_COMMIT_AUTHOR_NAME: event.authorName,
    CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    CI_COMMIT_AUTHOR_AVATAR: '',
    ...previousBuild,
    CI_PREV_COMMIT_SHA: event.before,
    CI_JOB_NUMBER: '1',
    CI_SYSTEM: 'drone',
    CI_SYSTEM_NAME: 'drone',
    CI_SYSTEM_LINK: instanceUrl,
    CI_SYSTEM_HOST: host,
    CI_SYSTEM_ARCH: platformOf(facts),
    CI_SYSTEM_VERSION: '0.8.9',
    DRONE: 'true',
    DRONE_ARCH: platformOf(facts),
    DRONE_REPO: slug,
    DRONE_REPO_SCM: 'git',
    DRONE_REPO_OWNER: project.owner,
    DRONE_REPO_NAME: project.name,
    DRONE_REPO_LINK: project.link,
    DRONE_REPO_BRANCH: project.defaultBranch,
    DRONE_REPO_PRIVATE: isPrivate(project),
    DRONE_REPO_TRUSTED: 'false',
    DRONE_REMOTE_URL: project.cloneUrl,
    DRONE_COMMIT: event.commit,
    DRONE_COMMIT_SHA: event.commit,
    DRONE_COMMIT_REF: event.ref,
    DRONE_COMMIT_REFSPEC: refspec,
    DRONE_COMMIT_BRANCH: event.branch,
    DRONE_COMMIT_LINK: link,
    DRONE_COMMIT_MESSAGE: message,
    DRONE_COMMIT_AUTHOR: event.personName,
    DRONE_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    DRONE_COMMIT_AUTHOR_AVATAR: '',
    DRONE_BUILD_NUMBER: number,
    DRONE_BUILD_EVENT: word,
    DRONE_BUILD_LINK: pipeline.link,
    DRONE_BUILD_CREATED: created,
    DRONE_PARENT_BUILD_NUMBER: parent,
    DRONE_JOB_NUMBER: '1',
    DRONE_BRANCH: event.branch,
    DRONE_VERSION: '0.8.9',
    DRONE_DEPLOY_TO: target,
    DRONE_PREV_COMMIT_SHA: event.before,
  };
  if (tag !== undefined) {
    variables['CI_TAG'] = tag;
    variables['DRONE_TAG'] = tag;
  }
  if (pullRequestNumber !== undefined) {
    variables['CI_PULL_REQUEST'] = pullRequestNumber;
    variables['DRONE_PULL_REQUEST'] = pullRequestNumber;
  }
  return variables;
}

/** Values that the system does not write over those of a step (pipelines.md 12.1). */
const weakValues: ReadonlySet<string> = new Set(['', '0', 'false']);

/** Whether a value of the system's does not take the place of a step's own. */
export function saysNothing(value: string): boolean {
  return weakValues.has(value);
}

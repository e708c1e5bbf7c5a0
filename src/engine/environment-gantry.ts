import type { EnvironmentFacts } from './environment-facts.ts';
import { eventText, slugOf, unixSeconds } from './event-text.ts';
import type { Variables } from './substitute.ts';

/** The facts of an event under Gantry's own names; none of a workflow or a step. */
export function gantryVariables({ event, project, pipeline, instanceUrl }: EnvironmentFacts): Variables {
  const { message, tag } = eventText(event);
  const variables: Record<string, string> = {
    GANTRY: 'true',
    GANTRY_URL: instanceUrl,
    GANTRY_REPO: slugOf(project),
    GANTRY_REPO_OWNER: project.owner,
    GANTRY_REPO_NAME: project.name,
    GANTRY_REPO_LINK: project.link,
    GANTRY_CLONE_URL: project.cloneUrl,
    GANTRY_DEFAULT_BRANCH: project.defaultBranch,
    GANTRY_VISIBILITY: project.visibility,
    GANTRY_EVENT: event.kind,
    GANTRY_REF: event.ref,
    GANTRY_BRANCH: tag === undefined ? event.branch : '',
    GANTRY_COMMIT_SHA: event.commit,
    GANTRY_COMMIT_BEFORE: event.before,
    GANTRY_COMMIT_MESSAGE: message,
    GANTRY_COMMIT_AUTHOR_NAME: event.authorName,
    GANTRY_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    GANTRY_PERSON: event.personName,
    GANTRY_PIPELINE_NUMBER: String(pipeline.number),
    GANTRY_PIPELINE_LINK: pipeline.link,
    GANTRY_PIPELINE_CREATED: unixSeconds(pipeline.createdAt),
  };
  if (tag !== undefined) variables['GANTRY_TAG'] = tag;
  if (event.target !== undefined) variables['GANTRY_TARGET'] = event.target;
  if (event.schedule !== undefined) variables['GANTRY_CRON'] = event.schedule;
  return variables;
}

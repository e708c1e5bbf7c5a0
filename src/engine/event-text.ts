import type { EventFacts, ProjectFacts } from './compile-input.ts';

/** A commit message may be of any length, and stands several times in the environment of each step. */
const maxMessageLength = 4_096;

/** What variables say of an event, in whatever dialect. */
export function eventText(event: EventFacts): {
  readonly message: string;
  readonly tag: string | undefined;
  readonly pullRequestNumber: string | undefined;
  /** `source:target` of a pull request, else empty. */
  readonly refspec: string;
} {
  return {
    message: shortened(event.message),
    tag: tagOf(event.ref),
    pullRequestNumber: event.pullRequest && String(event.pullRequest.number),
    refspec: event.pullRequest ? `${event.pullRequest.sourceBranch}:${event.pullRequest.targetBranch}` : '',
  };
}

/** The tag that a reference is; `undefined` for a branch. */
export function tagOf(ref: string): string | undefined {
  return ref.startsWith('refs/tags/') ? ref.slice('refs/tags/'.length) : undefined;
}

export function slugOf(project: ProjectFacts): string {
  return `${project.owner}/${project.name}`;
}

export function isPrivate(project: ProjectFacts): string {
  return String(project.visibility !== 'public');
}

export function unixSeconds(at: Date): string {
  return String(Math.floor(at.getTime() / 1_000));
}

function shortened(message: string): string {
  const whole = message.replaceAll('\0', '');
  return whole.length > maxMessageLength ? `${whole.slice(0, maxMessageLength)}…` : whole;
}

import type { Happening } from '../core/events.ts';

/**
 * `GET /api/v1/stream?topics=…&after=<sequence>`: everything that a viewer watches, in one stream of server-sent events.
 *
 * Open the stream first and fetch afterwards: what happens between is then seen twice rather than never.
 * `id:` is the sequence of the last happening; after a cut the browser sends it as Last-Event-ID, others as `after`,
 * and what was missed is replayed. Older than 24 h: `reset`, fetch everything anew.
 */
export const streamPath = '/api/v1/stream';

/** Most topics of one stream. */
export const maxTopics = 50;

/** What can be watched; written `projects`, `project:shop/web`, `pipeline:shop/web/12`, `log:shop/web/12/345@1024`. */
export type Topic =
  /** Projects as they come, change and run, of all that the viewer may see. */
  | { readonly kind: 'projects' }
  | { readonly kind: 'project'; readonly owner: string; readonly project: string }
  | { readonly kind: 'pipeline'; readonly owner: string; readonly project: string; readonly number: number }
  | {
      readonly kind: 'log';
      readonly owner: string;
      readonly project: string;
      readonly number: number;
      readonly stepId: number;
      /** What the viewer has already: pieces that end before it are not sent. */
      readonly offset: number;
    };

export function formatTopic(topic: Topic): string {
  switch (topic.kind) {
    case 'projects':
      return 'projects';
    case 'project':
      return `project:${topic.owner}/${topic.project}`;
    case 'pipeline':
      return `pipeline:${topic.owner}/${topic.project}/${topic.number}`;
    case 'log':
      return `log:${topic.owner}/${topic.project}/${topic.number}/${topic.stepId}@${topic.offset}`;
  }
}

/** `undefined` when the text is no topic. */
export function parseTopic(text: string): Topic | undefined {
  if (text === 'projects') return { kind: 'projects' };
  const found = /^(project|pipeline|log):([\w.-]+)\/([\w.-]+)(?:\/(\d{1,10})(?:\/(\d{1,15})(?:@(\d{1,15}))?)?)?$/.exec(
    text,
  );
  if (!found) return undefined;
  const [, kind, owner, project, number, stepId, offset] = found as unknown as [
    string,
    string,
    string,
    string,
    ...string[],
  ];
  if (kind === 'project' && number === undefined) return { kind, owner, project };
  if (kind === 'pipeline' && number !== undefined && stepId === undefined)
    return { kind, owner, project, number: Number(number) };
  if (kind === 'log' && number !== undefined && stepId !== undefined)
    return { kind, owner, project, number: Number(number), stepId: Number(stepId), offset: Number(offset ?? 0) };
  return undefined;
}

type WithProject<H> = H extends { readonly projectId: number }
  ? Omit<H, 'projectId' | 'eventId' | 'pipelineId' | 'workflowId'> & { readonly project: string }
  : never;

/** The data of an event of the stream, by the name of the event. All are JSON. */
export interface StreamEvents {
  /** The first: from here on nothing is missed. `refused` are the topics that the viewer may not watch (or that are gone). */
  readonly ready: { readonly sequence: number; readonly refused: readonly string[] };
  /** Something happened in `project` (`owner/name`). */
  readonly happening: { readonly sequence: number; readonly at: string } & WithProject<Happening>;
  /** Bytes of a log (`text` is their base64) and where they stand in it; the last piece says `end`. */
  readonly log: { readonly stepId: number; readonly offset: number; readonly text: string; readonly end: boolean };
  /** The viewer was too slow: fetch the log from `offset` on; live pieces go on after that. */
  readonly 'log-gap': { readonly stepId: number; readonly offset: number };
  /** What was missed is no longer kept: fetch everything anew. */
  readonly reset: { readonly sequence: number };
  /** The stream ends, and connecting again helps only when `reason` is `stopping`. */
  readonly end: { readonly reason: 'access-withdrawn' | 'stopping' };
}

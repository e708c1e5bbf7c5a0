import { formatTopic, maxTopics, parseTopic, type StreamEvents, streamPath, type Topic } from '../api/stream.ts';
import { GantryError } from '../core/errors.ts';
import type { HappeningBus, LogBus, StoredHappening } from '../core/events.ts';
import type { Actor } from '../core/permission.ts';
import { projectSlug } from '../core/project.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { networkOf } from '../lib/network-of.ts';
import { type Access, anonymous, type Identity } from './access.ts';
import { isCrossSite } from './cross-site.ts';
import { LogFeed } from './log-feed.ts';
import { InvalidRequest } from './problem.ts';
import type { ShellRoute } from './raw-routes.ts';
import { encodeEvent } from './sent-event.ts';
import { StreamViewer, type Watched } from './stream-viewer.ts';

/** How often open streams are looked at: whether their credential expired, whether a ping is due. */
const lookEveryMs = 3_000;
const limitStreams = 4_000;
/** Of one person, or of strangers from one network. */
const limitStreamsPerViewer = 100;

export interface EventStreamDeps {
  readonly store: UnitOfWork;
  readonly happenings: HappeningBus;
  readonly logs?: LogBus | undefined;
  readonly access: Access;
  readonly config: { readonly publicUrl: string };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping?: AbortSignal | undefined;
}

/** The one stream of server-sent events; what it says is written in `api/stream.ts`. */
export function createEventStream(deps: EventStreamDeps): ShellRoute {
  const { store, access, clock, logger, stopping } = deps;
  const viewers = new Viewers();
  const feed = deps.logs ? new LogFeed(deps.logs) : undefined;
  const encode = happeningEncoder(deps);
  let lastSequence = 0;
  let timer: NodeJS.Timeout | undefined;

  deps.happenings.subscribe((stored) => {
    lastSequence = stored.sequence;
    const { happening } = stored;
    if (happening.type === 'access-changed')
      for (const viewer of viewers.all) viewer.checkCredential(happening.personId);
    else for (const viewer of viewers.of(happening.projectId)) viewer.tell(stored);
  });
  stopping?.addEventListener('abort', () => {
    for (const viewer of viewers.all) viewer.end('stopping');
  });

  /** One timer for all viewers, and none while nobody watches. */
  function look(): void {
    for (const viewer of viewers.all) viewer.keepAlive(lastSequence);
    if (viewers.all.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function open(
    topics: readonly Topic[],
    after: number | undefined,
    identity: Identity | undefined,
    address: string,
  ): Promise<StreamViewer> {
    const actor = identity?.actor ?? anonymous;
    const watched: Watched[] = [];
    const refused: string[] = [];
    let reason: GantryError | undefined;
    for (const topic of topics) {
      try {
        watched.push(await findTopic(deps, actor, topic));
      } catch (error) {
        if (!(error instanceof GantryError)) throw error;
        reason ??= error;
        refused.push(formatTopic(topic));
      }
    }
    // A stream of nothing helps nobody: say why instead.
    if (watched.length === 0 && reason) throw reason;
    if (stopping?.aborted) throw new GantryError('SERVER_BUSY', 'Cannot open the stream: the server is stopping');
    const owner =
      identity?.actor.kind === 'person' ? `person ${identity.actor.person.id}` : `network ${networkOf(address)}`;
    if (viewers.all.size >= limitStreams || viewers.countOf(owner) >= limitStreamsPerViewer)
      throw new GantryError('RATE_LIMITED', 'Cannot open the stream: too many are open already', {
        details: { retryAfterMs: 5_000 },
      });

    const leave: (() => void)[] = [];
    const viewer = new StreamViewer(
      { access, happenings: store.read.happenings, clock, logger, encode },
      {
        watched,
        refused,
        identity,
        after,
        onEnd(ended) {
          viewers.remove(ended, owner);
          for (const each of leave) each();
        },
      },
    );
    viewers.add(viewer, owner);
    for (const topic of watched)
      if (topic.kind === 'log' && feed) leave.push(feed.watch(topic.stepId, (frame) => viewer.show(frame)));
    if (!timer) {
      timer = setInterval(look, lookEveryMs);
      timer.unref();
    }
    return viewer;
  }

  return {
    method: 'GET',
    path: streamPath,
    summary: 'Everything that happens, as it happens: server-sent events of the topics asked for',
    // Every topic, and then every event, is authorised by itself.
    policy: () => ({ action: 'project:list', resource: { on: 'anyone' } }),
    challenge: 'problem',
    async handle(context, _request, identity) {
      const header = (name: string): string | undefined => context.req.header(name);
      const { host, address } = context.var.incoming.peer;
      if (
        identity?.actor.kind === 'person' &&
        identity.actor.via === 'session' &&
        isCrossSite(header, host, deps.config.publicUrl)
      )
        throw new GantryError('CROSS_SITE_REQUEST', 'Cannot open the stream: a page of another site asks for it');
      const url = new URL(context.req.url);
      const viewer = await open(readTopics(url), readAfter(url, header('last-event-id')), identity, address);
      return new Response(viewer.body, {
        headers: {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'Cache-Control': 'no-store',
          // nginx would collect events into pages.
          'X-Accel-Buffering': 'no',
        },
      });
    },
  };
}

/** Finds what a topic names, for somebody who may watch it. */
async function findTopic({ store, access }: EventStreamDeps, actor: Actor, topic: Topic): Promise<Watched> {
  if (topic.kind === 'projects') {
    await access.authorize(actor, 'project:list', { on: 'anyone' });
    return topic;
  }
  const name = { on: 'project', owner: topic.owner, name: topic.project } as const;
  await access.authorize(actor, topic.kind === 'project' ? 'project:read' : 'pipeline:read', name);
  const project = await store.read.projects.findBySlug(topic.owner, topic.project);
  const slug = `${topic.owner}/${topic.project}`;
  if (!project)
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot watch ${slug}: it is gone`, { details: { project: slug } });
  if (topic.kind === 'project') return { kind: 'project', projectId: project.id };

  const pipeline = await store.read.pipelines.findByNumber(project.id, topic.number);
  if (!pipeline)
    throw new GantryError('PIPELINE_NOT_FOUND', `Cannot watch pipeline ${topic.number} of ${slug}: there is none`);
  if (topic.kind === 'pipeline') return { kind: 'pipeline', projectId: project.id, number: topic.number };

  // The step's id alone would open every project's logs.
  const step = await store.read.pipelines.findStep(topic.stepId);
  if (step?.pipelineId !== pipeline.id)
    throw new GantryError(
      'STEP_NOT_FOUND',
      `Cannot watch step ${topic.stepId}: pipeline ${topic.number} of ${slug} has none such`,
    );
  return { kind: 'log', projectId: project.id, stepId: topic.stepId, offset: topic.offset };
}

/** Makes what is sent of a happening once, however many watch: internal ids stay here, the project gets its name. */
function happeningEncoder({
  store,
  happenings,
}: EventStreamDeps): (stored: StoredHappening) => Promise<Uint8Array | undefined> {
  const made = new WeakMap<StoredHappening, Promise<Uint8Array | undefined>>();
  const slugs = new Map<number, string>();
  happenings.subscribe(({ happening }) => {
    if (happening.type === 'project-changed') slugs.delete(happening.projectId);
  });

  async function slugOf(projectId: number): Promise<string | undefined> {
    const known = slugs.get(projectId);
    if (known !== undefined) return known;
    const project = await store.read.projects.find(projectId);
    if (!project) return undefined;
    if (slugs.size >= 10_000) slugs.clear();
    slugs.set(projectId, projectSlug(project));
    return projectSlug(project);
  }

  async function make({ sequence, at, happening }: StoredHappening): Promise<Uint8Array | undefined> {
    if (happening.type === 'access-changed') return undefined;
    const project = await slugOf(happening.projectId);
    if (project === undefined) return undefined;
    const internal = new Set(['projectId', 'eventId', 'pipelineId', 'workflowId']);
    const fields = Object.fromEntries(Object.entries(happening).filter(([name]) => !internal.has(name)));
    const data = { sequence, at: at.toISOString(), ...fields, project } as unknown as StreamEvents['happening'];
    return encodeEvent('happening', data, sequence);
  }

  return (stored) => {
    let encoded = made.get(stored);
    if (!encoded) {
      encoded = make(stored);
      made.set(stored, encoded);
    }
    return encoded;
  };
}

/** Open streams, found by the project that something happened in. */
class Viewers {
  readonly all = new Set<StreamViewer>();
  readonly #ofEveryProject = new Set<StreamViewer>();
  readonly #byProject = new Map<number, Set<StreamViewer>>();
  readonly #counts = new Map<string, number>();

  add(viewer: StreamViewer, owner: string): void {
    this.all.add(viewer);
    this.#counts.set(owner, this.countOf(owner) + 1);
    for (const topic of viewer.watched) {
      if (topic.kind === 'projects') this.#ofEveryProject.add(viewer);
      else if (topic.kind !== 'log') {
        const present = this.#byProject.get(topic.projectId) ?? new Set();
        this.#byProject.set(topic.projectId, present.add(viewer));
      }
    }
  }

  remove(viewer: StreamViewer, owner: string): void {
    if (!this.all.delete(viewer)) return;
    this.#ofEveryProject.delete(viewer);
    const count = this.countOf(owner) - 1;
    if (count > 0) this.#counts.set(owner, count);
    else this.#counts.delete(owner);
    for (const topic of viewer.watched) {
      if (topic.kind === 'projects') continue;
      const present = this.#byProject.get(topic.projectId);
      present?.delete(viewer);
      if (present?.size === 0) this.#byProject.delete(topic.projectId);
    }
  }

  /** Everybody to tell; once each, whatever they watch there. */
  of(projectId: number): ReadonlySet<StreamViewer> {
    const present = this.#byProject.get(projectId);
    if (this.#ofEveryProject.size === 0) return present ?? this.#ofEveryProject;
    return present ? this.#ofEveryProject.union(present) : this.#ofEveryProject;
  }

  countOf(owner: string): number {
    return this.#counts.get(owner) ?? 0;
  }
}

function readTopics(url: URL): Topic[] {
  const texts = [...new Set(url.searchParams.getAll('topics').flatMap((one) => one.split(',')))];
  if (texts.length === 0 || texts.length > maxTopics)
    throw new InvalidRequest([{ pointer: '?topics', message: `must name 1 to ${maxTopics} topics` }]);
  return texts.map((text) => {
    const topic = parseTopic(text);
    if (!topic)
      throw new InvalidRequest([{ pointer: '?topics', message: `has "${text.slice(0, 100)}", which is no topic` }]);
    return topic;
  });
}

/** A new EventSource cannot send the header, so that pages say `after` themselves; the header is the newer one. */
function readAfter(url: URL, lastEventId: string | undefined): number | undefined {
  const text = lastEventId || url.searchParams.get('after');
  if (!text) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new InvalidRequest([{ pointer: '?after', message: 'must be the id of an event' }]);
  return Number(text);
}

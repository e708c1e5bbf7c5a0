import type { StreamEvents } from '../api/stream.ts';
import type { Happening, HappeningStore, HappeningType, StoredHappening } from '../core/events.ts';
import type { Action } from '../core/permission.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { type Access, anonymous, type Identity } from './access.ts';
import { type LogFrame, logFrame } from './log-feed.ts';
import { encodeEvent, encodePing, encodeRetry } from './sent-event.ts';

/** A topic that its viewer may watch, found in the database. */
export type Watched =
  | { readonly kind: 'projects' }
  | { readonly kind: 'project'; readonly projectId: number }
  | { readonly kind: 'pipeline'; readonly projectId: number; readonly number: number }
  | { readonly kind: 'log'; readonly projectId: number; readonly stepId: number; readonly offset: number };

/** What one must be allowed to do to hear of it. */
const actionFor = {
  'project-created': 'project:read',
  'project-changed': 'project:read',
  'members-changed': 'member:read',
  'push-received': 'code:read',
  'pull-request-changed': 'pull-request:read',
  'event-planned': 'pipeline:read',
  'pipeline-changed': 'pipeline:read',
  'workflow-changed': 'pipeline:read',
  'step-changed': 'pipeline:read',
} as const satisfies Record<Exclude<HappeningType, 'access-changed'>, Action>;

/** What viewers of all projects, or of one, hear of; the rest is for those who watch the pipeline. */
const ofAllProjects: ReadonlySet<HappeningType> = new Set(['project-created', 'project-changed', 'pipeline-changed']);
const ofProject: ReadonlySet<HappeningType> = new Set([
  'project-changed',
  'members-changed',
  'push-received',
  'pull-request-changed',
  'event-planned',
  'pipeline-changed',
]);

/** What waits for a slow viewer in our memory, of bytes and of happenings; beyond it, it catches up from what is stored. */
const writableBytes = 64 * 1024;
const limitWaiting = 1_000;
const replayAtOnce = 500;
const pingEveryMs = 15_000;
const retryMs = 2_000;

export interface ViewerDeps {
  readonly access: Access;
  readonly happenings: HappeningStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The happening as it goes over the line, made once for all viewers; `undefined` when its project is gone. */
  readonly encode: (stored: StoredHappening) => Promise<Uint8Array | undefined>;
}

/**
 * One open stream. Everything that is sent passes `#pump`, one thing at a time and in order, so that each event is
 * authorised at the moment it is sent. A viewer that reads slower than things happen keeps nothing waiting but itself:
 * happenings are then read from the database again, and of logs it is told where to fetch on.
 */
export class StreamViewer {
  readonly body: ReadableStream<Uint8Array>;
  readonly watched: readonly Watched[];
  readonly personId: number | undefined;
  readonly #deps: ViewerDeps;
  readonly #onEnd: (viewer: StreamViewer) => void;
  readonly #refused: readonly string[];
  #identity: Identity | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Sequence of the last happening that was sent, or passed over as not meant for this viewer. */
  #sent: number | undefined;
  #isReady = false;
  #waiting: StoredHappening[] = [];
  /** Whether happenings were left out since `#sent`, which the database still has. */
  #isBehind: boolean;
  #frames: LogFrame[] = [];
  #frameBytes = 0;
  /** Logs of which pieces were left out: where from, and where their end mark stood if that was among them. */
  readonly #gaps = new Map<number, { readonly offset: number; endOffset?: number }>();
  #isPumping = false;
  #hasEnded = false;
  #lastWriteMs: number;

  constructor(
    deps: ViewerDeps,
    options: {
      readonly watched: readonly Watched[];
      readonly refused: readonly string[];
      readonly identity: Identity | undefined;
      /** Where the viewer left off; `undefined` begins with what happens from now on. */
      readonly after: number | undefined;
      readonly onEnd: (viewer: StreamViewer) => void;
    },
  ) {
    this.#deps = deps;
    this.#onEnd = options.onEnd;
    this.#refused = options.refused;
    this.#identity = options.identity;
    this.#sent = options.after;
    this.#isBehind = options.after !== undefined;
    this.watched = options.watched;
    const actor = options.identity?.actor;
    this.personId = actor?.kind === 'person' ? actor.person.id : undefined;
    this.#lastWriteMs = deps.clock.monotonicMs();
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          controller.enqueue(encodeRetry(retryMs));
        },
        pull: () => this.#wake(),
        cancel: () => this.#finish(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: writableBytes }),
    );
  }

  /** Something was committed in a project that this viewer watches. */
  tell(stored: StoredHappening): void {
    if (this.#waiting.length >= limitWaiting) {
      this.#waiting = [];
      this.#isBehind = true;
    } else this.#waiting.push(stored);
    this.#wake();
  }

  /** A step that this viewer watches wrote something. */
  show(frame: LogFrame): void {
    const gap = this.#gaps.get(frame.stepId);
    if (gap || this.#frameBytes >= writableBytes || !this.#hasRoom()) {
      const missed = gap ?? { offset: frame.offset };
      if (frame.isEnd) missed.endOffset = frame.endOffset;
      this.#gaps.set(frame.stepId, missed);
    } else {
      this.#frames.push(frame);
      this.#frameBytes += frame.encoded.length;
    }
    this.#wake();
  }

  /** The rights of a person changed: a stream whose credential is gone ends at once. */
  checkCredential(personId: number): void {
    if (personId === this.personId) void this.#guard(async () => void (await this.#currentActor()));
  }

  /** Called every few seconds: says that the stream lives, and looks whether it still may. `sequence` is the last of all. */
  keepAlive(sequence: number): void {
    if (this.#identity?.expiresAt && this.#identity.expiresAt <= this.#deps.clock.now()) {
      this.end('access-withdrawn');
      return;
    }
    if (this.#deps.clock.monotonicMs() - this.#lastWriteMs < pingEveryMs || !this.#isReady || !this.#hasRoom()) return;
    // With nothing waiting, all up to here was sent or was not meant for this viewer.
    const isCurrent = !this.#isPumping && !this.#isBehind && this.#waiting.length === 0;
    if (isCurrent) this.#sent = Math.max(this.#sent ?? 0, sequence);
    this.#write(encodePing(this.#sent ?? 0));
    if (this.personId !== undefined) this.checkCredential(this.personId);
  }

  end(reason: StreamEvents['end']['reason']): void {
    if (this.#hasEnded) return;
    this.#write(encodeEvent('end', { reason }));
    this.#controller.close();
    this.#finish();
  }

  #finish(): void {
    this.#hasEnded = true;
    this.#onEnd(this);
  }

  #wake(): void {
    if (!this.#isPumping && !this.#hasEnded) void this.#guard(() => this.#pump());
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#hasEnded) return;
      // The browser connects again and goes on where it was.
      this.#deps.logger.warn('An event stream was cut', { error });
      this.#controller.error(error);
      this.#finish();
    }
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    try {
      if (!this.#isReady) await this.#begin();
      while (!this.#hasEnded && this.#hasRoom()) {
        const frame = this.#frames.shift();
        if (frame) {
          this.#frameBytes -= frame.encoded.length;
          await this.#sendFrame(frame);
        } else if (this.#gaps.size > 0) await this.#sendGaps();
        else if (this.#isBehind) await this.#replay();
        else {
          const next = this.#waiting.shift();
          if (!next) return;
          await this.#send(next);
        }
      }
    } finally {
      this.#isPumping = false;
    }
  }

  async #begin(): Promise<void> {
    this.#sent ??= await this.#deps.happenings.lastSequence();
    this.#isReady = true;
    this.#write(encodeEvent('ready', { sequence: this.#sent, refused: this.#refused }, this.#sent));
  }

  async #replay(): Promise<void> {
    // What is told from now on waits; what was told before is in the database too.
    this.#waiting = [];
    this.#isBehind = false;
    const missed = await this.#deps.happenings.since(this.#sent ?? 0, replayAtOnce);
    if (!missed) {
      this.#sent = await this.#deps.happenings.lastSequence();
      this.#write(encodeEvent('reset', { sequence: this.#sent }, this.#sent));
      return;
    }
    if (missed.length === replayAtOnce) this.#isBehind = true;
    for (const stored of missed) {
      if (this.#hasEnded) return;
      if (!this.#hasRoom()) {
        this.#isBehind = true;
        return;
      }
      await this.#send(stored);
    }
  }

  async #send(stored: StoredHappening): Promise<void> {
    if (stored.sequence <= (this.#sent ?? 0)) return;
    const { happening } = stored;
    if (happening.type !== 'access-changed' && this.#isWatching(happening)) {
      const actor = await this.#currentActor();
      if (!actor) return;
      if (await this.#deps.access.mayInProject(actor, actionFor[happening.type], happening.projectId)) {
        const encoded = await this.#deps.encode(stored);
        if (encoded) this.#write(encoded);
      }
    }
    this.#sent = stored.sequence;
  }

  async #sendFrame(frame: LogFrame): Promise<void> {
    const topic = this.#logTopic(frame.stepId);
    if (!topic || (frame.endOffset <= topic.offset && !frame.isEnd)) return;
    if (await this.#mayWatchLog(topic.projectId)) this.#write(frame.encoded);
  }

  async #sendGaps(): Promise<void> {
    for (const [stepId, { offset, endOffset }] of this.#gaps) {
      this.#gaps.delete(stepId);
      const topic = this.#logTopic(stepId);
      if (!topic || !(await this.#mayWatchLog(topic.projectId))) continue;
      this.#write(encodeEvent('log-gap', { stepId, offset: Math.max(offset, topic.offset) }));
      if (endOffset !== undefined) this.#write(logFrame(stepId, endOffset, Buffer.alloc(0), true).encoded);
    }
  }

  #logTopic(stepId: number): Extract<Watched, { kind: 'log' }> | undefined {
    for (const topic of this.watched) if (topic.kind === 'log' && topic.stepId === stepId) return topic;
    return undefined;
  }

  async #mayWatchLog(projectId: number): Promise<boolean> {
    const actor = await this.#currentActor();
    return actor !== undefined && this.#deps.access.mayInProject(actor, 'pipeline:read', projectId);
  }

  #isWatching(happening: Exclude<Happening, { type: 'access-changed' }>): boolean {
    return this.watched.some((topic) => {
      if (topic.kind === 'projects') return ofAllProjects.has(happening.type);
      if (topic.kind === 'log' || topic.projectId !== happening.projectId) return false;
      if (topic.kind === 'project') return ofProject.has(happening.type);
      return 'number' in happening && happening.number === topic.number;
    });
  }

  /** Who watches, as of now; ends the stream when the credential is gone. */
  async #currentActor() {
    if (!this.#identity) return anonymous;
    const renewed = await this.#deps.access.renew(this.#identity);
    if (renewed) {
      this.#identity = renewed;
      return renewed.actor;
    }
    this.end('access-withdrawn');
    return undefined;
  }

  #hasRoom(): boolean {
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  #write(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    this.#controller.enqueue(bytes);
    this.#lastWriteMs = this.#deps.clock.monotonicMs();
  }
}

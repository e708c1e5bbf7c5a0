import type { PullRequestFacts } from './pull-request.ts';
import type { TraceEntry } from './trace.ts';
import type { Trust } from './trust.ts';

/** What can start a pipeline. A promotion and a rollback repeat an earlier one, towards a target. */
export const eventKinds = ['push', 'tag', 'pull_request', 'manual', 'promote', 'rollback', 'cron'] as const;
export type EventKind = (typeof eventKinds)[number];

/** Whether an option of `git push -o` asks for no pipeline: `ci.skip`, the word that other systems know. */
export function isSkippingOption(option: string): boolean {
  return option.trim().toLowerCase() === 'ci.skip';
}

/** Whether an option of `git push -o` means something here. */
export function isKnownPushOption(option: string): boolean {
  return isSkippingOption(option) || isNoReuseOption(option);
}

/** Whether an option of `git push -o` asks for steps that run although earlier results could stand for them. */
export function isNoReuseOption(option: string): boolean {
  return option.trim().toLowerCase() === 'gantry.no-reuse';
}

/**
 * Something that happened and may start a pipeline. Stored before it is acted on, under a unique key,
 * so that it starts exactly one.
 */
export interface Event {
  readonly id: number;
  readonly projectId: number;
  readonly kind: EventKind;
  /**
   * `push:<project>:<ref>:<old>:<new>:<push id>`, `manual:<idempotency key or id>`, `cron:<cron id>:<slot in UTC>`,
   * `webhook:<incoming webhook id>:<webhook-id>`, `pull-request:<project>:<number>:<revision>`,
   * `rerun:…` for one more run with other parameters: the same event never twice.
   */
  readonly key: string;
  /** `refs/heads/main`, `refs/tags/v1`, `refs/pull/3/head`. */
  readonly ref: string;
  /** The reference's value before; all zeros when it was made. */
  readonly before: string;
  /** The reference's value after; all zeros when it was deleted (such an event has a trace and no pipeline). */
  readonly after: string;
  /** Who: a person's name, or `unknown` for a reference that moved without us. */
  readonly personName: string;
  readonly personId?: number | undefined;
  /** Projects that the token was limited to by which it was done; absent = all that the person may see. */
  readonly tokenProjectIds?: readonly number[] | undefined;
  /** Values a person gave for a manual run. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Where a promotion or rollback goes. */
  readonly target?: string | undefined;
  /** Number of the pipeline that a promotion, a rollback or a rerun with other parameters repeats. */
  readonly parentNumber?: number | undefined;
  /** Name of the cron that started it. */
  readonly cron?: string | undefined;
  /** Name of the incoming webhook that started it. */
  readonly webhook?: string | undefined;
  /** The pull request as it then was. */
  readonly pullRequest?: PullRequestFacts | undefined;
  /** Whose work it is; absent = `trusted`. */
  readonly trust?: Trust | undefined;
  /** What the push asked for: `git push -o ci.skip`. */
  readonly pushOptions?: readonly string[] | undefined;
  /** Whoever started it asked for steps without caches. */
  readonly ignoresCaches?: boolean | undefined;
  /** Whoever started it asked for steps that run although earlier results could stand for them. */
  readonly ignoresReuse?: boolean | undefined;
  readonly createdAt: Date;
  /** Set once planned: with a pipeline, or with none and the trace that says why. */
  readonly plannedAt?: Date | undefined;
  readonly pipelineId?: number | undefined;
}

export type NewEvent = Omit<Event, 'id' | 'plannedAt' | 'pipelineId'>;

/** A reference of a push that was authorised and handed to git, and whose outcome is not yet known. */
export interface PushIntent {
  readonly id: number;
  readonly pushId: string;
  readonly projectId: number;
  readonly ref: string;
  readonly before: string;
  readonly after: string;
  readonly personName: string;
  readonly personId?: number | undefined;
  /** Projects that the token was limited to by which it was done; absent = all that the person may see. */
  readonly tokenProjectIds?: readonly number[] | undefined;
  readonly pushOptions?: readonly string[] | undefined;
  readonly createdAt: Date;
  /** Process that git runs in, known once it was started: pid and its start time in clock ticks. */
  readonly receivePid?: number | undefined;
  readonly receiveStartedTicks?: string | undefined;
}

export type NewPushIntent = Omit<PushIntent, 'id' | 'receivePid' | 'receiveStartedTicks'>;

export interface EventStore {
  find(id: number): Promise<Event | undefined>;
  findByKey(key: string): Promise<Event | undefined>;
  /** Stores the event, or answers the one that is there under the same key. */
  create(event: NewEvent): Promise<{ readonly event: Event; readonly isNew: boolean }>;
  /** Those without a plan, oldest first. */
  listUnplanned(limit: number): Promise<readonly Event[]>;
  listByProject(projectId: number, limit: number): Promise<readonly Event[]>;
  markPlanned(id: number, plannedAt: Date, pipelineId: number | undefined, trace: readonly TraceEntry[]): Promise<void>;
  trace(id: number): Promise<readonly TraceEntry[]>;

  createIntents(intents: readonly NewPushIntent[]): Promise<readonly PushIntent[]>;
  setIntentProcess(pushId: string, pid: number, startedTicks: string): Promise<void>;
  listIntents(): Promise<readonly PushIntent[]>;
  removeIntents(pushId: string): Promise<void>;

  /** Last seen values of a project's references, for finding a push that nobody announced. */
  lastSeenRefs(projectId: number): Promise<ReadonlyMap<string, string>>;
  /** All-zero `object` forgets the reference. */
  setLastSeenRef(projectId: number, ref: string, object: string): Promise<void>;
}

import { type Cron, cronPersonName } from '../../../core/cron.ts';
import type { NewEvent } from '../../../core/event.ts';
import type { Repository } from '../../../core/repository.ts';
import type { Stores, UnitOfWork } from '../../../core/unit-of-work.ts';
import type { Clock } from '../../../lib/clock.ts';
import { parseCronExpression } from '../../../lib/cron-expression.ts';
import { lastSlot, nextSlot } from '../../../lib/cron-slots.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Timers } from '../../../lib/timers.ts';
import type { EventPlanner } from '../event-planner.ts';

export interface CronSchedulerDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'resolve'>;
  readonly planner: Pick<EventPlanner, 'planNow'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** The wall clock is looked at so often: whoever sets it is noticed within this time. */
const lookEveryMs = 30_000;
const dueAtOnce = 1_000;
/** After a start, until every part of the server is there. */
const firstLookMs = 1_000;
const noCommit = '0'.repeat(40);

/**
 * Starts what crons name, once for each slot: the slot is part of the event's key, and the event is stored together with
 * the next slot. Whatever the wall clock does, no slot comes twice; of those that passed while nobody looked, the last one
 * runs.
 */
export class CronScheduler {
  readonly #deps: CronSchedulerDeps;
  #takeBack = (): void => {};
  #looking: Promise<void> = Promise.resolve();
  /** The wall clock at the last look: an earlier one was set back since. */
  #lookedAt: Date | undefined;
  /** The first slot that is to come, as of the last look. */
  #firstAt: Date | undefined;
  #isStopped = false;

  constructor(deps: CronSchedulerDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#takeBack = this.#deps.timers.after(firstLookMs, () => void this.wake());
  }

  /** Looks at once: something was changed. */
  wake(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look()).catch((error: unknown) => this.#fail(error));
    return this.#looking;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#takeBack();
    await this.#looking;
  }

  settled(): Promise<void> {
    return this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#isStopped) return;
    const { store, clock } = this.#deps;
    const now = clock.now();
    if (!this.#lookedAt || now < this.#lookedAt) await this.#catchUpWithClock(now);
    this.#lookedAt = now;
    const tried = new Set<number>();
    for (;;) {
      const due = (await store.read.crons.listDue(now, dueAtOnce)).filter(({ id }) => !tried.has(id));
      if (due.length === 0) break;
      for (const cron of due) {
        tried.add(cron.id);
        await this.#run(cron, now);
      }
    }
    this.#firstAt = await store.read.crons.firstNextAt();
    this.#arm();
  }

  /** Without a cron nothing ticks. */
  #arm(): void {
    this.#takeBack();
    if (this.#isStopped || !this.#firstAt) return;
    const untilMs = this.#firstAt.getTime() - this.#deps.clock.now().getTime();
    // One that is still due could not be started: it is tried again, not at once.
    const delayMs = untilMs <= 0 ? lookEveryMs : Math.min(untilMs, lookEveryMs);
    this.#takeBack = this.#deps.timers.after(delayMs, () => {
      const now = this.#deps.clock.now();
      if (this.#firstAt && this.#lookedAt && now >= this.#lookedAt && now < this.#firstAt) {
        this.#lookedAt = now;
        this.#arm();
      } else void this.wake();
    });
  }

  #fail(error: unknown): void {
    this.#deps.logger.error('Crons could not be looked at', { error });
    if (this.#isStopped) return;
    this.#takeBack();
    this.#takeBack = this.#deps.timers.after(lookEveryMs, () => void this.wake());
  }

  /**
   * The clock was set back, or stood elsewhere when the server before this one ran: slots between then and now come once
   * more. Those that ran are known by their key; those that were passed over have their turn.
   */
  async #catchUpWithClock(now: Date): Promise<void> {
    const { store, logger } = this.#deps;
    for (const { id, name, projectId } of await store.read.crons.listAhead(now)) {
      const catchUp = store.write(async ({ crons }) => {
        const cron = await crons.find(id);
        if (!cron?.nextAt) return;
        const next = nextSlot(parseCronExpression(cron.expression), cron.timeZone, now);
        if (next && next < cron.nextAt) await crons.update(id, { nextAt: next });
      });
      // One that cannot be read any more, since its time zone is gone, must not hold up the others.
      await catchUp.catch((error: unknown) => {
        logger.error('A cron could not be set to the clock', { error, cron: name, projectId });
      });
    }
  }

  async #run(due: Cron, now: Date): Promise<void> {
    const { store, planner, logger, clock } = this.#deps;
    try {
      const commit = await this.#commitOf(due);
      const event = await store.write((stores) => startSlot(stores, due, commit, now, clock.now()));
      if (!event) return;
      planner.planNow(event.id, due.projectId).catch((error: unknown) => {
        logger.error('A cron could not be planned', { error, eventId: event.id });
      });
    } catch (error) {
      logger.error('A cron could not be started', { error, cron: due.name, projectId: due.projectId });
    }
  }

  /** The branch's commit; all zeros where there is no such branch, so that the event can say so. */
  async #commitOf({ projectId, branch }: Cron): Promise<string> {
    return (await this.#deps.repository.resolve(projectId, `refs/heads/${branch}`))?.commit ?? noCommit;
  }
}

/** The event of the last slot that has come, and the slot after it, in one commit. Nothing where the cron was changed meanwhile. */
async function startSlot(
  { crons, events, projects }: Stores,
  due: Cron,
  commit: string,
  now: Date,
  at: Date,
): Promise<{ readonly id: number } | undefined> {
  const cron = await crons.find(due.id);
  const isSame = (['expression', 'timeZone', 'branch', 'isEnabled'] as const).every((key) => cron?.[key] === due[key]);
  if (!cron?.nextAt || !isSame || cron.nextAt.getTime() !== due.nextAt?.getTime()) return undefined;
  const expression = parseCronExpression(cron.expression);
  const slot = lastSlot(expression, cron.timeZone, new Date(cron.nextAt.getTime() - 1), now) ?? cron.nextAt;
  const next = nextSlot(expression, cron.timeZone, now) ?? null;
  const project = await projects.find(cron.projectId);
  // Nothing runs in a project that is put away, and nothing is to be made up for later.
  if (!project || project.archivedAt) {
    await crons.update(cron.id, { nextAt: next });
    return undefined;
  }
  const { event, isNew } = await events.create({
    ...cronEvent(cron, commit, at),
    key: `cron:${cron.id}:${slot.toISOString()}`,
    personName: cronPersonName,
  });
  await crons.update(cron.id, { nextAt: next, ...(isNew ? { lastAt: slot } : {}) });
  return isNew ? event : undefined;
}

/** What an event of this cron says, whoever or whatever starts it. */
export function cronEvent(cron: Cron, commit: string, createdAt: Date): Omit<NewEvent, 'key' | 'personName'> {
  return {
    projectId: cron.projectId,
    kind: 'cron',
    ref: `refs/heads/${cron.branch}`,
    before: commit,
    after: commit,
    parameters: {},
    cron: cron.name,
    createdAt,
  };
}

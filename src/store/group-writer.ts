import { GantryError } from '../core/errors.ts';
import type { StoredHappening } from '../core/events.ts';
import type { Stores } from '../core/unit-of-work.ts';
import type { Clock } from '../lib/clock.ts';
import { failpoint } from '../lib/failpoint.ts';
import type { Logger } from '../lib/logger.ts';
import type { Connection } from './connection.ts';

/** Engine 9: a transaction carries at most so many callers, or as many as can be run within 2 ms. */
const callersPerCommit = 256;
/** SQLite runs on the main thread and blocks it; PostgreSQL only makes callers wait, for a round trip each. */
const gatherMs = { sqlite: 2, postgres: 20 } as const;
/** Where the disk takes longer than that, callers are run for as long as the last commit took: it is waited for anyway. */
const gatherMostMs = 20;
/** The callback of one caller holds all others up: said after a second, given up as hung after thirty. */
const slowAfterMs = 1_000;
const hungAfterMs = 30_000;
/** Callers that may wait; more means that the disk has stopped. */
const queueLimit = 100_000;

interface Caller {
  readonly work: (stores: Stores) => Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface GroupWriterDeps {
  readonly connection: Connection;
  readonly stores: Stores;
  readonly publish: (happening: StoredHappening) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when the last caller was answered and nobody waits. */
  readonly onIdle?: () => void;
}

/**
 * The one writer. Callers queue; one transaction carries what gathered, each within a savepoint. Their promises settle
 * after the commit, and what happened is published then, in order.
 *
 * A commit that fails leaves the writer *suspect*: after a failed fsync the kernel may have dropped the page, and a second
 * try would "succeed" (R16). From then on every write is refused and `whenSuspect` resolves: the program must end.
 * A full disk is not that: the transaction is undone, its callers are told, and the next may try.
 */
export class GroupWriter {
  readonly whenSuspect: Promise<GantryError>;
  readonly #deps: GroupWriterDeps;
  #queue: Caller[] = [];
  /** Where the queue begins: taking from the front of a long array would move all the rest. */
  #head = 0;
  #lastCommitMs = 0;
  readonly #happenings: StoredHappening[] = [];
  #state: 'idle' | 'scheduled' | 'flushing' | 'resting' = 'idle';
  #isOpen = false;
  #isClosed = false;
  #suspect: GantryError | undefined;
  #declareSuspect: (error: GantryError) => void = () => {};
  #whenIdle: (() => void)[] = [];
  #commits = 0;

  constructor(deps: GroupWriterDeps) {
    this.#deps = deps;
    this.whenSuspect = new Promise((resolve) => {
      this.#declareSuspect = resolve;
    });
  }

  /** How many transactions were committed: what group commit saves can be seen in it. */
  get commits(): number {
    return this.#commits;
  }

  /** Whether nobody waits and nothing is being written. */
  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** Whether statements may be run now: within a caller's callback, and never after it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Keeps what happened until the commit; called by the store of happenings within a caller's callback. */
  remember(happening: StoredHappening): void {
    this.#happenings.push(happening);
  }

  write<T>(work: (stores: Stores) => Promise<T>): Promise<T> {
    if (this.#suspect) return Promise.reject(this.#suspect);
    if (this.#isClosed) {
      return Promise.reject(new GantryError('DATABASE_FAILED', 'Cannot write to the database: it was closed'));
    }
    if (this.#waiting >= queueLimit) {
      return Promise.reject(
        new GantryError('SERVER_BUSY', `Cannot write to the database: ${queueLimit} writes are waiting`),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
      if (this.#state !== 'idle') return;
      // A microtask: everybody who asks in this tick shares the commit, and nobody waits for a timer.
      this.#state = 'scheduled';
      queueMicrotask(() => void this.#flush());
    });
  }

  get #waiting(): number {
    return this.#queue.length - this.#head;
  }

  #take(): Caller | undefined {
    const caller = this.#queue[this.#head];
    if (!caller) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length || this.#head > 4_096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return caller;
  }

  /** Waits for all callers; later ones are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#state === 'idle') return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  async #flush(): Promise<void> {
    this.#state = 'flushing';
    await this.#transaction();
    // The commit blocked the loop: one turn lets those in who arrived meanwhile, so that they share the next.
    this.#state = 'resting';
    setImmediate(() => {
      if (this.#waiting > 0) void this.#flush();
      else {
        this.#state = 'idle';
        this.#deps.onIdle?.();
        for (const wake of this.#whenIdle.splice(0)) wake();
      }
    });
  }

  /** Never rejects: what goes wrong is its callers' answer. */
  async #transaction(): Promise<void> {
    const { connection, clock, publish } = this.#deps;
    const settled: (() => void)[] = [];
    const taken: Caller[] = [];
    try {
      if (this.#suspect) throw this.#suspect;
      await connection.script(connection.dialect === 'sqlite' ? 'begin immediate' : 'begin');
      const startedMs = clock.monotonicMs();
      const untilMs = startedMs + Math.min(gatherMostMs, Math.max(gatherMs[connection.dialect], this.#lastCommitMs));
      do {
        const caller = this.#take();
        if (!caller) break;
        taken.push(caller);
        settled.push(await this.#runCaller(caller));
      } while (taken.length < callersPerCommit && clock.monotonicMs() < untilMs);
      await failpoint('commit.before');
      const committingMs = clock.monotonicMs();
      await connection.script('commit');
      this.#lastCommitMs = clock.monotonicMs() - committingMs;
      this.#commits += 1;
      await failpoint('commit.after');
    } catch (error) {
      await this.#abandon(error, taken);
      return;
    }
    // Published before the promises settle, so that who waited for a write finds its news already told.
    for (const happening of this.#happenings.splice(0)) publish(happening);
    for (const settle of settled) settle();
  }

  /** Runs one caller in its savepoint and answers how to settle it once the transaction is on disk. */
  async #runCaller(caller: Caller): Promise<() => void> {
    const { connection, stores } = this.#deps;
    const happened = this.#happenings.length;
    await connection.script('savepoint caller');
    const watch = this.#watchHung();
    this.#isOpen = true;
    try {
      const value = await Promise.race([caller.work(stores), watch.hung]);
      this.#isOpen = false;
      await connection.script('release savepoint caller');
      return () => caller.resolve(value);
    } catch (error) {
      this.#isOpen = false;
      this.#happenings.length = happened;
      // Some failures end the whole transaction, or say that the file cannot be trusted: then nobody's part of it stands.
      if (error instanceof HungCallback || isFatal(error) || !connection.isInTransaction()) throw error;
      await connection.script('rollback to savepoint caller');
      await connection.script('release savepoint caller');
      return () => caller.reject(isFullDisk(error) ? cannotWrite(error) : error);
    } finally {
      watch.stop();
    }
  }

  async #abandon(cause: unknown, taken: readonly Caller[]): Promise<void> {
    const { connection, logger } = this.#deps;
    this.#isOpen = false;
    this.#happenings.length = 0;
    const error = this.#suspect ?? cannotWrite(cause);
    let canGoOn = isFullDisk(cause) || (taken.length === 0 && isBusy(cause));
    try {
      if (connection.isInTransaction()) await connection.script('rollback');
    } catch (rollbackError) {
      logger.error('Rolling back failed', { error: rollbackError });
      canGoOn = false;
    }
    // Where no transaction could begin nobody ran: all who wait are told, or they would try in a circle.
    const callers = taken.length > 0 && canGoOn ? taken : [...taken, ...this.#queue.splice(this.#head)];
    if (!canGoOn && !this.#suspect) {
      this.#suspect = error;
      logger.error('The database is suspect: nothing more is written, the program must end', { error });
      this.#declareSuspect(error);
    }
    for (const caller of callers) caller.reject(error);
  }

  #watchHung(): { readonly hung: Promise<never>; stop(): void } {
    const { logger } = this.#deps;
    const slow = setTimeout(
      () =>
        logger.warn('A write waits for something else than its stores, and holds up all others', {
          waitedMs: slowAfterMs,
        }),
      slowAfterMs,
    );
    let giveUp: NodeJS.Timeout | undefined;
    const hung = new Promise<never>((_, reject) => {
      giveUp = setTimeout(() => reject(new HungCallback()), hungAfterMs);
    });
    return {
      hung,
      stop() {
        clearTimeout(slow);
        clearTimeout(giveUp);
      },
    };
  }
}

class HungCallback extends Error {
  override readonly message = `a write's callback did not end within ${hungAfterMs} ms`;
}

function cannotWrite(cause: unknown): GantryError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new GantryError('DATABASE_FAILED', `Cannot write to the database: ${message}`, { cause });
}

/** SQLITE_FULL, and PostgreSQL's disk_full. */
function isFullDisk(error: unknown): boolean {
  return sqliteCode(error) === 13 || (error as { code?: unknown } | undefined)?.code === '53100';
}

/** SQLITE_BUSY: another program has held the file for longer than we wait. */
function isBusy(error: unknown): boolean {
  return sqliteCode(error) === 5;
}

/** SQLITE_NOMEM, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB. */
function isFatal(error: unknown): boolean {
  return [7, 10, 11, 26].includes(sqliteCode(error) ?? 0);
}

/** The primary result code; node:sqlite hands over the extended one. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

import type { Clock } from './clock.ts';
import type { Timers } from './timers.ts';

interface Due {
  readonly atMs: number;
  readonly work: () => void;
}

/** A clock that stands still until it is moved: timers run in the order in which they fall due. */
export class VirtualClock implements Clock, Timers {
  #startedAt: number;
  #nowMs = 0;
  /** In the order in which they were set: of two that fall due together the older one runs first. */
  readonly #due = new Set<Due>();

  constructor(startedAt: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#startedAt = startedAt.getTime();
  }

  now(): Date {
    return new Date(this.#startedAt + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + Math.max(0, delayMs), work };
    this.#due.add(due);
    return () => void this.#due.delete(due);
  }

  /** Milliseconds until the next timer; `undefined` when none is set. */
  nextDueMs(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.atMs - this.#nowMs;
  }

  /** Somebody sets the clock on the wall; no time goes by. */
  setWall(at: Date): void {
    this.#startedAt = at.getTime() - this.#nowMs;
  }

  /** Time goes by while nothing of this process runs: timers are late when it wakes. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** Moves time on, stopping at each timer that falls due and letting what it woke run to its next wait. */
  async advanceBy(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) {
      this.#due.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.work();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #next(): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#due) if (next === undefined || due.atMs < next.atMs) next = due;
    return next;
  }
}

/** Lets promises and in-process messages that are under way arrive. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

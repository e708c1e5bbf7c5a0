import type { Clock } from '../../../src/lib/clock.ts';
import type { Timers } from '../../../src/lib/timers.ts';

/** A clock that the scheduler moves. Timers run where time is moved, and only those of processes that live. */
export class SimulatedClock implements Clock, Timers {
  #nowMs = 0;
  readonly #due = new Set<{ readonly atMs: number; readonly work: () => void }>();

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): () => void {
    const due = { atMs: this.#nowMs + delayMs, work };
    this.#due.add(due);
    return () => void this.#due.delete(due);
  }

  advanceBy(ms: number): void {
    this.#nowMs += ms;
    for (const due of this.#due) {
      if (due.atMs > this.#nowMs) continue;
      this.#due.delete(due);
      due.work();
    }
  }

  /** Timers of a process that is dead. */
  forgetTimers(): void {
    this.#due.clear();
  }
}

/** Waiting, handed in beside the clock so that tests need not wait. */
export interface Timers {
  /** Runs `work` once, `delayMs` from now. The answer takes it back; after it ran that does nothing. */
  after(delayMs: number, work: () => void): () => void;
}

/** Timers of the process. They do not keep it alive. */
export const systemTimers: Timers = {
  after(delayMs, work) {
    const timer = setTimeout(work, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

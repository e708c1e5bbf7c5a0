/** Waiting, handed in beside the clock so that tests need not wait. */
export interface Timers {
  /** Runs `work` once, `delayMs` from now. The answer takes it back; after it ran that does nothing. */
  after(delayMs: number, work: () => void): () => void;
}

/** Longer delays would fire at once (Node's timers hold 32 bits): about 24 days. */
const maxDelayMs = 2 ** 31 - 1;

/** Timers of the process. They do not keep it alive. */
export const systemTimers: Timers = {
  after(delayMs, work) {
    const timer = setTimeout(work, Math.min(delayMs, maxDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

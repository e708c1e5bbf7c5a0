/** The time, handed in so that tests can hold it still. */
export interface Clock {
  /** Wall-clock time: for people and records. May jump. */
  now(): Date;
  /** Milliseconds that never jump back: for durations and leases. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

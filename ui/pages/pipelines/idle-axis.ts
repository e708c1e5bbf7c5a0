/** A stretch of time, in milliseconds since some moment. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An axis of time without the stretches in which nothing was under way. */
export interface IdleAxis {
  /** Where a moment lies on it, in milliseconds from its beginning. */
  place(at: number): number;
  /** Places at which something is left out. */
  readonly cuts: readonly number[];
}

/** What is shorter is seen as the pause that it is. */
const leastIdleMs = 1_000;

/**
 * The axis of some spans, from moment 0 on. Between a pipeline and its rerun a day may pass, or until somebody approves
 * it: drawn to scale, what it did would be too thin to see.
 */
export function idleAxis(spans: readonly Span[]): IdleAxis {
  const gaps: Span[] = [];
  let busyUntil = 0;
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    if (from - busyUntil >= leastIdleMs) gaps.push({ from: busyUntil, to: from });
    busyUntil = Math.max(busyUntil, to);
  }
  const place = (at: number): number =>
    gaps.reduce((left, gap) => left - Math.max(0, Math.min(at, gap.to) - gap.from), at);
  return { place, cuts: gaps.map(({ from }) => place(from)) };
}

/** Waits before the second try, the third, and so on (Standard Webhooks 1.0): three days and a bit in all. */
const delaysMs = [
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];

/** What a receiver may ask for at most. */
const longestAskedMs = 24 * 3_600_000;

export interface RetryAsked {
  /** Tries so far, at least one. */
  readonly tries: number;
  /** `Retry-After` of the answer: seconds, or a date. */
  readonly retryAfter: string | undefined;
  readonly now: Date;
  /** From 0 to 1: a tenth more or less, so that what failed together does not come back together. */
  readonly random: number;
}

/** When to try again; `undefined` when it was tried often enough. A receiver may ask for later, never for sooner. */
export function nextTryAt({ tries, retryAfter, now, random }: RetryAsked): Date | undefined {
  const delayMs = delaysMs[tries - 1];
  if (delayMs === undefined) return undefined;
  const askedMs = Math.min(askedDelayMs(retryAfter, now), longestAskedMs);
  return new Date(now.getTime() + Math.max(askedMs, Math.round(delayMs * (0.9 + 0.2 * random))));
}

function askedDelayMs(retryAfter: string | undefined, now: Date): number {
  if (retryAfter === undefined) return 0;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  const untilMs = Date.parse(retryAfter) - now.getTime();
  return Number.isNaN(untilMs) ? 0 : Math.max(0, untilMs);
}

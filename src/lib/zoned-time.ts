/** What a clock on the wall shows, to the minute. */
export interface LocalMinute {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

const minuteMs = 60_000;
/** Far enough from a change of the clock that it lies on one side of it: Samoa once left out a whole day. */
const asideMs = 36 * 60 * minuteMs;

const formats = new Map<string, Intl.DateTimeFormat>();
/** As many time zones as there are, and a few names for each; beyond that somebody makes them up. */
const maxFormats = 1_000;

/** Whether the runtime knows an IANA time zone of this name; offsets such as `+08:00` are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name) || name.length > 64) return false;
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** What a clock of that zone shows at an instant. */
export function localMinuteOf(atMs: number, timeZone: string): LocalMinute {
  const local = new Date(atMs + offsetMsOf(atMs, timeZone));
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
  };
}

/** How far a clock of that zone is ahead of UTC at an instant. */
export function offsetMsOf(atMs: number, timeZone: string): number {
  if (timeZone === 'UTC') return 0;
  const whole = Math.floor(atMs / minuteMs) * minuteMs;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(whole))
    if (type !== 'literal') parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute) - whole;
}

/**
 * The instant at which a clock of that zone shows this. A time that comes twice, when clocks are set back, is the first
 * of the two; one that is left out, when they are set forward, is the first instant after the gap.
 */
export function instantOf(local: LocalMinute, timeZone: string): number {
  const asUtc = Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute);
  const before = offsetMsOf(asUtc - asideMs, timeZone);
  const after = offsetMsOf(asUtc + asideMs, timeZone);
  const candidates = [asUtc - before, asUtc - after];
  const shown = candidates.filter((atMs) => atMs + offsetMsOf(atMs, timeZone) === asUtc);
  return shown.length > 0 ? Math.min(...shown) : endOfGap(Math.min(...candidates), Math.max(...candidates), timeZone);
}

/** Where between the two the clock is set forward. */
function endOfGap(fromMs: number, toMs: number, timeZone: string): number {
  const early = offsetMsOf(fromMs, timeZone);
  let [low, high] = [fromMs, toMs];
  while (high - low > minuteMs) {
    const middle = Math.floor((low + high) / 2 / minuteMs) * minuteMs;
    if (offsetMsOf(middle, timeZone) === early) low = middle;
    else high = middle;
  }
  return high;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    if (formats.size < maxFormats) formats.set(timeZone, format);
  }
  return format;
}

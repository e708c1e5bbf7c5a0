import type { CronExpression } from './cron-expression.ts';
import { instantOf, type LocalMinute, localMinuteOf } from './zoned-time.ts';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** Within so many days every date comes that there is: a 29 February on each weekday takes 28 years, or 40 around 2100. */
const searchedDays = 41 * 366;

/**
 * The first instant after `after` that the expression names on a clock of that zone; `undefined` when there is none
 * (30 February).
 *
 * Where clocks are set forward, a time that is left out counts at the first instant that follows; where they are set
 * back, a time that comes twice counts the first time. An expression for every hour means the time that goes by instead:
 * it knows neither gap nor repetition.
 */
export function nextSlot(expression: CronExpression, timeZone: string, after: Date): Date | undefined {
  const afterMs = after.getTime();
  const found = expression.isEveryHour
    ? nextPassing(expression, timeZone, afterMs)
    : nextShown(expression, timeZone, afterMs);
  return found === undefined ? undefined : new Date(found);
}

/**
 * The last instant in (`after`, `until`] that the expression names. Asked after a time in which nobody looked: the time
 * between may hold any number of them, and is halved, not walked through.
 */
export function lastSlot(expression: CronExpression, timeZone: string, after: Date, until: Date): Date | undefined {
  let found = nextSlot(expression, timeZone, after);
  if (!found || found > until) return undefined;
  let [lowMs, highMs] = [found.getTime(), until.getTime()];
  while (highMs - lowMs >= minuteMs) {
    const middle = new Date(lowMs + Math.floor((highMs - lowMs) / 2));
    const next = nextSlot(expression, timeZone, middle);
    if (next && next <= until) {
      found = next;
      lowMs = next.getTime();
    } else highMs = middle.getTime();
  }
  return found;
}

/** Times that a clock shows: they come in order, whatever the clock does. */
function nextShown(expression: CronExpression, timeZone: string, afterMs: number): number | undefined {
  const start = localMinuteOf(afterMs, timeZone);
  let noon = Date.UTC(start.year, start.month - 1, start.day, 12);
  for (let day = 0; day <= searchedDays; day += 1, noon += dayMs) {
    const date = dateOf(noon);
    if (!namesDay(expression, date)) continue;
    for (const hour of expression.hours) {
      if (day === 0 && hour < start.hour) continue;
      for (const minute of expression.minutes) {
        const atMs = instantOf({ ...date, hour, minute }, timeZone);
        if (atMs > afterMs) return atMs;
      }
    }
  }
  return undefined;
}

/** Minutes that go by: each is looked at as its own clock shows it. */
function nextPassing(expression: CronExpression, timeZone: string, afterMs: number): number | undefined {
  let atMs = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
  const endMs = atMs + searchedDays * dayMs;
  while (atMs < endMs) {
    const local = localMinuteOf(atMs, timeZone);
    if (!namesDay(expression, local)) {
      const tomorrow = dateOf(Date.UTC(local.year, local.month - 1, local.day + 1, 12));
      // A day that a zone left out altogether begins where the next one does.
      atMs = Math.max(atMs + minuteMs, instantOf({ ...tomorrow, hour: 0, minute: 0 }, timeZone));
      continue;
    }
    const minute = expression.minutes.find((one) => one >= local.minute);
    if (minute === local.minute) return atMs;
    // Not past the hour in one go: a clock may be set in between, and be set by half an hour.
    atMs += ((minute ?? 60) - local.minute) * minuteMs;
  }
  return undefined;
}

type LocalDate = Pick<LocalMinute, 'year' | 'month' | 'day'>;

function dateOf(utcMs: number): LocalDate {
  const date = new Date(utcMs);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

function namesDay({ days, months, weekdays, isEitherDay }: CronExpression, date: LocalDate): boolean {
  if (!months.has(date.month)) return false;
  const weekday = new Date(Date.UTC(date.year, date.month - 1, date.day)).getUTCDay();
  const [isDay, isWeekday] = [days.has(date.day), weekdays.has(weekday)];
  return isEitherDay ? isDay || isWeekday : isDay && isWeekday;
}

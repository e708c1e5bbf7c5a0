/** A cron expression, read: which minutes of which days it names. */
export interface CronExpression {
  /** As it was written, with single spaces. */
  readonly source: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** 1 to 31. */
  readonly days: ReadonlySet<number>;
  /** 1 to 12. */
  readonly months: ReadonlySet<number>;
  /** 0 = Sunday to 6. */
  readonly weekdays: ReadonlySet<number>;
  /** Day of month and weekday are both given: a day that fits one of them is enough, as in every cron. */
  readonly isEitherDay: boolean;
  /** Every hour is named: that means the time that goes by ("every 5 minutes"), not times that a clock shows. */
  readonly isEveryHour: boolean;
}

/** What is wrong with an expression, as the end of a sentence. */
export class CronExpressionError extends Error {
  override readonly name = 'CronExpressionError';
}

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

export const cronDescriptors: readonly string[] = Object.keys(descriptors);

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const fields = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: monthNames },
  { name: 'weekday', min: 0, max: 7, names: weekdayNames },
] as const satisfies readonly Field[];

/** Longer ones name nothing that a shorter one could not. */
const maxLength = 200;

/**
 * Reads the five fields that every cron knows (minute, hour, day of month, month, weekday; lists, ranges, steps, names of
 * months and weekdays) or a descriptor such as `@daily`. Throws `CronExpressionError`.
 */
export function parseCronExpression(text: string): CronExpression {
  const source = text.trim().replaceAll(/\s+/g, ' ');
  if (source.length > maxLength) throw new CronExpressionError(`it has more than ${maxLength} characters`);
  const written = source.startsWith('@') ? expand(source) : source;
  const parts = written === '' ? [] : written.split(' ');
  if (parts.length === 6)
    throw new CronExpressionError('it has six fields, and the first would be seconds: leave them out');
  if (parts.length !== 5)
    throw new CronExpressionError(
      `it has ${parts.length} fields and not five (minute, hour, day of month, month, weekday)`,
    );
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = parts;
  const [minutes, hours, days, months, weekdays] = [minute, hour, day, month, weekday].map((part, i) =>
    readField(part, fields[i]!),
  ) as [number[], number[], number[], number[], number[]];
  return {
    source,
    minutes,
    hours,
    days: new Set(days),
    months: new Set(months),
    weekdays: new Set(weekdays.map((one) => one % 7)),
    // A field that begins with a star leaves the day to the other one, with a step as well.
    isEitherDay: !day.startsWith('*') && !weekday.startsWith('*'),
    isEveryHour: hours.length === 24,
  };
}

function expand(descriptor: string): string {
  const found = descriptors[descriptor.toLowerCase()];
  if (found !== undefined) return found;
  if (descriptor.startsWith('@every'))
    throw new CronExpressionError(
      '"@every" counts from a start that nobody knows after a restart: write "*/15 * * * *" for every 15 minutes',
    );
  throw new CronExpressionError(`"${descriptor}" is none of ${cronDescriptors.join(', ')}`);
}

function readField(text: string, field: Field): number[] {
  const values = new Set<number>();
  for (const item of text.split(',')) for (const value of readItem(item, field)) values.add(value);
  return [...values].sort((a, b) => a - b);
}

// A star, `5`, `1-5`, and each with a step behind a slash: `1-9/2`; `5/2` goes from 5 on.
function* readItem(item: string, field: Field): Generator<number> {
  const found = /^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:\/(\d{1,4}))?$/i.exec(item);
  if (!found?.[1] || (found[1] === '*' && found[2] !== undefined))
    throw new CronExpressionError(`its ${field.name} "${item}" cannot be read`);
  const [, first, last, by] = found;
  const step = by === undefined ? 1 : Number(by);
  if (step < 1) throw new CronExpressionError(`its ${field.name} "${item}" has a step of 0`);
  const isStar = first === '*';
  const from = isStar ? field.min : readValue(first, field);
  const to =
    last !== undefined
      ? readValue(last, field)
      : isStar || by !== undefined
        ? // Sunday has two numbers; a star names it once.
          field.name === 'weekday'
          ? 6
          : field.max
        : from;
  if (to < from) throw new CronExpressionError(`its ${field.name} "${item}" runs backwards`);
  for (let value = from; value <= to; value += step) yield value;
}

function readValue(text: string, { name, min, max, names }: Field): number {
  const at = names?.indexOf(text.toLowerCase()) ?? -1;
  if (at >= 0) return at + min;
  if (!/^\d{1,2}$/.test(text)) throw new CronExpressionError(`its ${name} "${text}" is no number`);
  const value = Number(text);
  if (value < min || value > max)
    throw new CronExpressionError(`its ${name} ${value} is not between ${min} and ${max}`);
  return value;
}

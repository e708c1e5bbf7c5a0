import type { CronExpression } from '../../lib/cron-expression.ts';
import { localMinuteOf, offsetMsOf } from '../../lib/zoned-time.ts';

type Language = 'en' | 'zh';

interface Words {
  readonly weekdays: readonly string[];
  readonly months: readonly string[];
  readonly and: string;
  readonly comma: string;
}

const words: Readonly<Record<Language, Words>> = {
  en: {
    weekdays: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
    months: 'January February March April May June July August September October November December'.split(' '),
    and: ' and ',
    comma: ', ',
  },
  zh: {
    weekdays: ['周日', '周一', '周二', '周三', '周四', '周五', '周六'],
    months: Array.from({ length: 12 }, (_, i) => `${i + 1} 月`),
    and: '、',
    comma: '、',
  },
};

/** More times of a day than these are told by hours and minutes. */
const listedTimes = 6;

/** When a cron runs, in words: "At 02:00 every day.", "每天 02:00。" */
export function cronSentence(expression: CronExpression, language: Language): string {
  return language === 'zh' ? sentenceZh(expression) : sentenceEn(expression);
}

/** An instant on a clock of the zone: `Sun 2026-03-29 03:00 (UTC+2)`; never with letters for the zone, which mislead. */
export function zonedInstant(at: Date, timeZone: string, language: Language): string {
  const { year, month, day, hour, minute } = localMinuteOf(at.getTime(), timeZone);
  const weekday = words[language].weekdays[new Date(Date.UTC(year, month - 1, day)).getUTCDay()] ?? '';
  const date = `${year}-${two(month)}-${two(day)}`;
  const time = `${two(hour)}:${two(minute)} (${offsetText(offsetMsOf(at.getTime(), timeZone))})`;
  return language === 'zh' ? `${date} ${weekday} ${time}` : `${weekday.slice(0, 3)} ${date} ${time}`;
}

/** `UTC`, `UTC+8`, `UTC−3:30`. */
function offsetText(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  if (minutes === 0) return 'UTC';
  const rest = minutes % 60 === 0 ? '' : `:${two(minutes % 60)}`;
  return `UTC${offsetMs < 0 ? '−' : '+'}${Math.floor(minutes / 60)}${rest}`;
}

function sentenceEn(expression: CronExpression): string {
  const { minutes, hours, days, months, weekdays, isEitherDay, isEveryHour } = expression;
  const { weekdays: weekdayNames, months: monthNames } = words.en;
  const step = stepOf(minutes);
  let time: string;
  if (isEveryHour && step !== undefined) time = step === 1 ? 'Every minute' : `Every ${step} minutes`;
  else if (isEveryHour) time = `Every hour at ${minuteWord(minutes)}`;
  else if (hours.length * minutes.length <= listedTimes) time = `At ${join(timesOf(expression), 'en')}`;
  else if (step === undefined) time = `At ${minuteWord(minutes)} of the hours ${join(runs(hours, two), 'en')}`;
  else time = `Every ${step === 1 ? 'minute' : `${step} minutes`} in the hours ${join(runs(hours, two), 'en')}`;

  const parts: string[] = [];
  if (days.size < 31) parts.push(`on day ${join(runs([...days]), 'en')} of the month`);
  if (weekdays.size < 7)
    parts.push(
      `on ${join(
        runs(fromMonday(weekdays), (day) => weekdayNames[day % 7] ?? '', ' to '),
        'en',
      )}`,
    );
  const day = parts.length === 2 ? parts.join(isEitherDay ? ' and ' : ' if it is ') : (parts[0] ?? '');
  const every = day === '' && !time.startsWith('Every') ? 'every day' : day.replace(' if it is on ', ' if it is ');
  const month =
    months.size < 12
      ? `in ${join(
          runs([...months], (one) => monthNames[one - 1] ?? '', ' to '),
          'en',
        )}`
      : '';
  return `${[time, every, month].filter(Boolean).join(' ')}.`;
}

function minuteWord(minutes: readonly number[]): string {
  return `minute${minutes.length === 1 ? '' : 's'} ${join(runs(minutes), 'en')}`;
}

function sentenceZh(expression: CronExpression): string {
  const { minutes, hours, days, months, weekdays, isEitherDay, isEveryHour } = expression;
  const { weekdays: weekdayNames, months: monthNames } = words.zh;
  const step = stepOf(minutes);
  const everyMinutes = step === 1 ? '每分钟' : `每 ${step} 分钟`;
  let time: string;
  if (isEveryHour && step !== undefined) time = everyMinutes;
  else if (isEveryHour) time = `每小时的第 ${join(runs(minutes), 'zh')} 分钟`;
  else if (hours.length * minutes.length <= listedTimes) time = join(timesOf(expression), 'zh');
  else if (step === undefined) time = `${join(runs(hours), 'zh')} 点的第 ${join(runs(minutes), 'zh')} 分钟`;
  else time = `${join(runs(hours), 'zh')} 点内${everyMinutes}`;

  const parts: string[] = [];
  if (days.size < 31) parts.push(`${months.size < 12 ? '' : '每月 '}${join(runs([...days]), 'zh')} 日`);
  if (weekdays.size < 7)
    parts.push(
      `每${join(
        runs(fromMonday(weekdays), (day) => weekdayNames[day % 7] ?? '', '至'),
        'zh',
      )}`,
    );
  const day = parts.length === 2 ? parts.join(isEitherDay ? '以及' : '且为') : (parts[0] ?? '');
  const every = day === '' && !time.startsWith('每') ? '每天' : day;
  const month =
    months.size < 12
      ? `${join(
          runs([...months], (one) => monthNames[one - 1] ?? '', '至 '),
          'zh',
        )}的`
      : '';
  return `${month}${month !== '' && /^\d/.test(every) ? ' ' : ''}${every}${every === '' ? '' : ' '}${time}。`.replace(
    '每天 每',
    '每天每',
  );
}

/** Every how many minutes these are, from 0 on; `undefined` when they are no such row. */
function stepOf(minutes: readonly number[]): number | undefined {
  const step = 60 / minutes.length;
  return minutes.length > 1 && Number.isInteger(step) && minutes.every((minute, i) => minute === i * step)
    ? step
    : undefined;
}

function timesOf({ hours, minutes }: CronExpression): readonly string[] {
  return hours.flatMap((hour) => minutes.map((minute) => `${two(hour)}:${two(minute)}`));
}

/** The week as people count it; Sunday is 7. */
function fromMonday(weekdays: ReadonlySet<number>): readonly number[] {
  return [...weekdays].map((day) => (day === 0 ? 7 : day)).sort((a, b) => a - b);
}

/** `1–5, 9`: three or more in a row become a range. */
function runs(values: readonly number[], name: (value: number) => string = String, dash = '–'): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i < values.length; ) {
    let end = i;
    while (values[end + 1] === values[end]! + 1) end += 1;
    if (end - i >= 2) found.push(`${name(values[i]!)}${dash}${name(values[end]!)}`);
    else for (let at = i; at <= end; at += 1) found.push(name(values[at]!));
    i = end + 1;
  }
  return found;
}

function join(texts: readonly string[], language: Language): string {
  const { and, comma } = words[language];
  if (texts.length < 2) return texts.join('');
  return `${texts.slice(0, -1).join(comma)}${and}${texts.at(-1)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

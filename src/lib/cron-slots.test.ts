import { describe, expect, it } from 'vitest';
import { CronExpressionError, parseCronExpression } from './cron-expression.ts';
import { lastSlot, nextSlot } from './cron-slots.ts';
import { isTimeZone } from './zoned-time.ts';

function next(expression: string, timeZone: string, after: string, count = 1): string[] {
  const parsed = parseCronExpression(expression);
  const found: string[] = [];
  for (let at: Date | undefined = new Date(after); found.length < count; ) {
    at = nextSlot(parsed, timeZone, at);
    if (!at) break;
    found.push(at.toISOString().replace(':00.000Z', 'Z'));
  }
  return found;
}

describe('a cron expression', () => {
  it('names minutes, hours, days, months and weekdays', () => {
    expect(next('30 2 * * *', 'UTC', '2026-03-01T02:30:00Z', 2)).toEqual(['2026-03-02T02:30Z', '2026-03-03T02:30Z']);
    expect(next('*/20 9-10 * * mon-fri', 'UTC', '2026-03-06T10:20:00Z', 3)).toEqual([
      '2026-03-06T10:40Z',
      '2026-03-09T09:00Z',
      '2026-03-09T09:20Z',
    ]);
    expect(next('0 0 1 JAN,jul *', 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual([
      '2026-07-01T00:00Z',
      '2027-01-01T00:00Z',
    ]);
    expect(next('0 12 * * 7', 'UTC', '2026-03-02T00:00:00Z')).toEqual(['2026-03-08T12:00Z']);
    expect(next('5/20 * * * *', 'UTC', '2026-03-02T00:00:00Z', 4)).toEqual([
      '2026-03-02T00:05Z',
      '2026-03-02T00:25Z',
      '2026-03-02T00:45Z',
      '2026-03-02T01:05Z',
    ]);
  });

  it('with a day of month and a weekday wants one of the two, and both where one is a star with a step', () => {
    expect(next('0 0 13 * 5', 'UTC', '2026-03-01T00:00:00Z', 3)).toEqual([
      '2026-03-06T00:00Z',
      '2026-03-13T00:00Z',
      '2026-03-20T00:00Z',
    ]);
    expect(next('0 0 13 * */5', 'UTC', '2026-03-01T00:00:00Z', 2)).toEqual(['2026-03-13T00:00Z', '2026-09-13T00:00Z']);
  });

  it('may be a descriptor', () => {
    expect(next('@daily', 'UTC', '2026-03-01T12:00:00Z')).toEqual(['2026-03-02T00:00Z']);
    expect(next('@hourly', 'UTC', '2026-03-01T12:00:00Z')).toEqual(['2026-03-01T13:00Z']);
    expect(next('@weekly', 'UTC', '2026-03-02T12:00:00Z')).toEqual(['2026-03-08T00:00Z']);
    expect(next('@Monthly', 'UTC', '2026-03-02T12:00:00Z')).toEqual(['2026-04-01T00:00Z']);
    expect(next('@yearly', 'UTC', '2026-03-02T12:00:00Z')).toEqual(['2027-01-01T00:00Z']);
  });

  it.each([
    ['', 'it has 0 fields'],
    ['* * * *', 'it has 4 fields'],
    ['0 0 2 * * *', 'seconds'],
    ['@every 5m', '"@every"'],
    ['@reboot', 'none of @yearly'],
    ['60 * * * *', 'its minute 60 is not between 0 and 59'],
    ['* 24 * * *', 'its hour 24'],
    ['* * 0 * *', 'its day of month 0'],
    ['* * * 13 *', 'its month 13'],
    ['* * * * 8', 'its weekday 8'],
    ['*/0 * * * *', 'a step of 0'],
    ['5-1 * * * *', 'runs backwards'],
    ['1,,2 * * * *', 'cannot be read'],
    ['*-5 * * * *', 'cannot be read'],
    ['? * * * *', 'cannot be read'],
    ['* * * foo *', 'is no number'],
    [`${'1,'.repeat(200)}1 * * * *`, 'more than 200 characters'],
  ])('%j is refused, and the reason said', (text, reason) => {
    expect(() => parseCronExpression(text)).toThrow(CronExpressionError);
    expect(() => parseCronExpression(text)).toThrow(reason);
  });

  it('that no day fits has no slot; a rare one is found', () => {
    expect(next('0 0 30 2 *', 'UTC', '2026-03-01T00:00:00Z')).toEqual([]);
    expect(next('* * 31 4,6,9,11 *', 'Asia/Shanghai', '2026-03-01T00:00:00Z')).toEqual([]);
    expect(next('0 0 29 2 *', 'UTC', '2097-01-01T00:00:00Z')).toEqual(['2104-02-29T00:00Z']);
  });
});

describe('a slot in a time zone', () => {
  it('follows its clock', () => {
    expect(next('0 2 * * *', 'Asia/Shanghai', '2026-03-01T00:00:00Z')).toEqual(['2026-03-01T18:00Z']);
    expect(next('15 9 * * 1', 'Asia/Kathmandu', '2026-03-01T00:00:00Z')).toEqual(['2026-03-02T03:30Z']);
    expect(next('0 0 1 1 *', 'Pacific/Kiritimati', '2026-03-01T00:00:00Z')).toEqual(['2026-12-31T10:00Z']);
  });

  it('that is left out when clocks are set forward comes once, at the first instant that follows', () => {
    // Berlin, 29 March 2026: 02:00 becomes 03:00, which is 01:00 UTC.
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
    expect(next('0,15,30 2,3 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 4)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-29T01:15Z',
      '2026-03-29T01:30Z',
      '2026-03-30T00:00Z',
    ]);
    // São Paulo set its clocks at midnight: the day began at 01:00.
    expect(next('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T12:00:00Z', 2)).toEqual([
      '2018-11-04T03:00Z',
      '2018-11-05T02:00Z',
    ]);
    // Samoa left out 30 December 2011.
    expect(next('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z')).toEqual(['2011-12-30T10:00Z']);
  });

  it('that comes twice when clocks are set back counts once, the first time', () => {
    // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:00:00Z')).toEqual(['2026-10-26T01:30Z']);
    // New York, 1 November 2026: 02:00 becomes 01:00 at 06:00 UTC.
    expect(next('*/30 1 * * *', 'America/New_York', '2026-11-01T04:00:00Z', 3)).toEqual([
      '2026-11-01T05:00Z',
      '2026-11-01T05:30Z',
      '2026-11-02T06:00Z',
    ]);
  });

  it('of every hour goes by the time that passes, through both changes of the clock', () => {
    expect(next('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:45:00Z', 5)).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:00Z',
    ]);
    expect(next('30 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 2)).toEqual([
      '2026-03-29T00:30Z',
      '2026-03-29T01:30Z',
    ]);
    // Lord Howe sets its clock by half an hour.
    expect(next('0 * * * *', 'Australia/Lord_Howe', '2026-04-04T13:30:00Z', 3)).toEqual([
      '2026-04-04T14:00Z',
      '2026-04-04T15:30Z',
      '2026-04-04T16:30Z',
    ]);
    expect(next('10 * * * 1', 'Asia/Shanghai', '2026-03-03T00:00:00Z')).toEqual(['2026-03-08T16:10Z']);
  });

  it('is one of a row that never stands still or goes back, over years of each zone', () => {
    for (const timeZone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Shanghai'])
      for (const source of ['*/17 0-3 * * *', '7 */5 * * *', '*/45 * 28-31 3,10 *']) {
        const expression = parseCronExpression(source);
        let at = new Date('2026-03-20T00:00:00Z');
        const end = new Date('2026-11-10T00:00:00Z');
        while (at < end) {
          const following: Date | undefined = nextSlot(expression, timeZone, at);
          expect(following!.getTime(), `${source} ${timeZone}`).toBeGreaterThan(at.getTime());
          at = following!;
        }
      }
  });
});

describe('the last slot of a time', () => {
  const last = (expression: string, after: string, until: string) =>
    lastSlot(parseCronExpression(expression), 'UTC', new Date(after), new Date(until))?.toISOString();

  it('is found among many, is none when none was, and may be the very end', () => {
    expect(last('*/5 * * * *', '2026-03-01T00:00:00Z', '2026-03-09T10:22:00Z')).toBe('2026-03-09T10:20:00.000Z');
    expect(last('0 2 * * *', '2026-03-01T02:00:00Z', '2026-03-02T01:59:59Z')).toBeUndefined();
    expect(last('0 2 * * *', '2026-03-01T02:00:00Z', '2026-03-02T02:00:00Z')).toBe('2026-03-02T02:00:00.000Z');
    expect(last('0 0 1 1 *', '2000-06-01T00:00:00Z', '2026-03-02T02:00:00Z')).toBe('2026-01-01T00:00:00.000Z');
  });
});

describe('a time zone', () => {
  it('is known by its IANA name, and by nothing else', () => {
    expect(['Asia/Shanghai', 'UTC', 'America/Argentina/Buenos_Aires'].every(isTimeZone)).toBe(true);
    expect(['', 'Mars/Olympus', '+08:00', 'Asia/Shanghai\n', '../etc', 'x'.repeat(100)].some(isTimeZone)).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { parseCronExpression } from '../../lib/cron-expression.ts';
import { cronSentence, zonedInstant } from './cron-sentence.ts';

describe('cronSentence', () => {
  it.each([
    ['@daily', 'At 00:00 every day.', '每天 00:00。'],
    ['0 2,14 * * *', 'At 02:00 and 14:00 every day.', '每天 02:00、14:00。'],
    ['* * * * *', 'Every minute.', '每分钟。'],
    ['*/15 * * * *', 'Every 15 minutes.', '每 15 分钟。'],
    ['5 * * * *', 'Every hour at minute 5.', '每小时的第 5 分钟。'],
    [
      '*/10 9-17 * * 1-5',
      'Every 10 minutes in the hours 09–17 on Monday to Friday.',
      '每周一至周五 9–17 点内每 10 分钟。',
    ],
    ['30 18 * * 5,0', 'At 18:30 on Friday and Sunday.', '每周五、周日 18:30。'],
    ['0 3 1 * *', 'At 03:00 on day 1 of the month.', '每月 1 日 03:00。'],
    ['0 3 1,15 1,7 *', 'At 03:00 on day 1 and 15 of the month in January and July.', '1 月、7 月的 1、15 日 03:00。'],
    ['0 0 13 * 5', 'At 00:00 on day 13 of the month and on Friday.', '每月 13 日以及每周五 00:00。'],
    ['0 3 * 6-8 *', 'At 03:00 every day in June to August.', '6 月至 8 月的每天 03:00。'],
    ['7,23 1-9 * * *', 'At minutes 7 and 23 of the hours 01–09 every day.', '每天 1–9 点的第 7、23 分钟。'],
  ])('says %s in both languages', (source, english, chinese) => {
    const expression = parseCronExpression(source);
    expect([cronSentence(expression, 'en'), cronSentence(expression, 'zh')]).toEqual([english, chinese]);
  });
});

describe('zonedInstant', () => {
  it('shows the clock of the zone with its distance from UTC', () => {
    const at = new Date('2026-03-29T01:00:00Z');
    expect(zonedInstant(at, 'Europe/Berlin', 'en')).toBe('Sun 2026-03-29 03:00 (UTC+2)');
    expect(zonedInstant(at, 'Asia/Shanghai', 'zh')).toBe('2026-03-29 周日 09:00 (UTC+8)');
    expect(zonedInstant(at, 'America/St_Johns', 'en')).toBe('Sat 2026-03-28 22:30 (UTC−2:30)');
    expect(zonedInstant(at, 'UTC', 'en')).toBe('Sun 2026-03-29 01:00 (UTC)');
  });
});

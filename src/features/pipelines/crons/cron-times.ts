import type { Cron } from '../../../core/cron.ts';
import { GantryError } from '../../../core/errors.ts';
import { type CronExpression, CronExpressionError, parseCronExpression } from '../../../lib/cron-expression.ts';
import { nextSlot } from '../../../lib/cron-slots.ts';
import { isTimeZone } from '../../../lib/zoned-time.ts';

/** When a cron runs: what it says, read. */
export type CronTimes = Pick<Cron, 'expression' | 'timeZone'>;

/** Reads what a person wrote. Throws CRON_INVALID, with the reason, also for an expression that no day ever fits. */
export function readCronTimes({ expression, timeZone }: CronTimes, now: Date): CronExpression {
  const what = `Cannot schedule "${expression}"`;
  if (!isTimeZone(timeZone))
    throw new GantryError('CRON_INVALID', `${what}: there is no time zone "${timeZone}"`, { details: { timeZone } });
  const parsed = parse(expression, what);
  if (!nextSlot(parsed, timeZone, now)) throw new GantryError('CRON_INVALID', `${what}: no day ever fits it`);
  return parsed;
}

function parse(expression: string, what: string): CronExpression {
  try {
    return parseCronExpression(expression);
  } catch (error) {
    if (error instanceof CronExpressionError)
      throw new GantryError('CRON_INVALID', `${what}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The next `count` slots after an instant. */
export function nextSlots(expression: CronExpression, timeZone: string, after: Date, count: number): readonly Date[] {
  const slots: Date[] = [];
  for (let at: Date | undefined = after; slots.length < count; ) {
    at = nextSlot(expression, timeZone, at);
    if (!at) break;
    slots.push(at);
  }
  return slots;
}

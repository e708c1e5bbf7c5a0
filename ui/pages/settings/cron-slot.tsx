import type { SlotView } from '../../../src/api/crons.ts';
import { formatClock, useMessages } from '../../language.ts';

/** A time on the cron's own clock, and on that of whoever looks where it is another one. */
export function Slot({ slot, timeZone }: { slot: SlotView; timeZone: string }) {
  const t = useMessages();
  const isSameZone = Intl.DateTimeFormat().resolvedOptions().timeZone === timeZone;
  return (
    <time dateTime={slot.at}>
      {slot.local}
      {!isSameZone && <span className="quiet"> · {t.yourTime({ time: formatClock(new Date(slot.at)) })}</span>}
    </time>
  );
}

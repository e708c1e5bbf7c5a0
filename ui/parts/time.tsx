import { useSyncExternalStore } from 'react';
import { formatAgo, formatClock, formatDuration, useLanguage } from '../language.ts';

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for the whole page, stopped while nothing shows a time that moves. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** To the second. While nothing moved nobody kept it up: what is drawn then must not come from the future. */
function present(): number {
  if (timer === undefined && Date.now() - now >= 1000) now = Date.now();
  return now;
}

/** "7 min ago" or "in 5 min", with the time and zone on hover and focus. */
export function Ago({ at }: { at: string }) {
  useLanguage();
  const date = new Date(at);
  const text = useSyncExternalStore(subscribe, () => formatAgo(date, new Date(present())));
  return (
    <time dateTime={at} title={formatClock(date)}>
      {text}
    </time>
  );
}

/** How long something took, or takes so far. Nothing while it has not begun. */
export function Duration({ from, to }: { from: string | null; to: string | null }) {
  return from === null ? null : to === null ? (
    <RunningDuration from={from} />
  ) : (
    <span className="number">{formatDuration(Date.parse(to) - Date.parse(from))}</span>
  );
}

function RunningDuration({ from }: { from: string }) {
  const seconds = useSyncExternalStore(subscribe, () => Math.max(0, Math.round((present() - Date.parse(from)) / 1000)));
  return <span className="number">{formatDuration(seconds * 1000 || 1000)}</span>;
}

/** The present second, while it is shown. */
export function useNow(isMoving: boolean): number {
  return useSyncExternalStore(isMoving ? subscribe : still, present);
}

const still = (): (() => void) => () => undefined;

import { useSyncExternalStore } from 'react';
import { currentLanguage } from '../../language.ts';

/** Which times stand beside the lines of logs. */
export const logClocks = ['off', 'step', 'wall'] as const;
export type LogClock = (typeof logClocks)[number];

const storageKey = 'gantry:log-times';
const listeners = new Set<() => void>();

function chosenClock(): LogClock {
  const chosen = localStorage.getItem(storageKey);
  return chosen === 'step' || chosen === 'wall' ? chosen : 'off';
}

/** Remembered on this device, for all logs. */
export function chooseLogClock(clock: LogClock): void {
  localStorage.setItem(storageKey, clock);
  for (const listener of listeners) listener();
}

export function useLogClock(): LogClock {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => chosenClock(),
  );
}

/** `0:07.3`, `1:02:07.3`: since the step started. */
export function formatSinceStart(atMs: number): string {
  const tenths = Math.floor(Math.max(0, atMs) / 100);
  const [h, m, s] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60, Math.floor(tenths / 10) % 60];
  const seconds = `${String(s).padStart(2, '0')}.${tenths % 10}`;
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${seconds}` : `${m}:${seconds}`;
}

/** `18:00:07`, in the zone of who looks. */
export function formatWallTime(at: Date): string {
  return at.toLocaleTimeString(currentLanguage() === 'zh' ? 'zh-CN' : 'en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  });
}

import { useSyncExternalStore } from 'react';
import type { UiMessages } from '../src/api/messages/ui.ts';

export type Language = 'en' | 'zh';

const storageKey = 'gantry:language';
const listeners = new Set<() => void>();
let language: Language = 'en';
let messages: UiMessages;

/** What was chosen on this device, or else what the browser asks for. */
export function preferredLanguage(): Language {
  const chosen = localStorage.getItem(storageKey);
  if (chosen === 'en' || chosen === 'zh') return chosen;
  const first = navigator.languages.find((tag) => /^(zh|en)\b/i.test(tag));
  return first !== undefined && /^zh\b/i.test(first) ? 'zh' : 'en';
}

/** Loads the texts of a language. Awaited once before anything is drawn. */
export async function setLanguage(next: Language, { remember = true } = {}): Promise<void> {
  messages =
    next === 'zh'
      ? (await import('../src/api/messages/ui.zh.ts')).uiZh
      : (await import('../src/api/messages/ui.ts')).uiEn;
  language = next;
  if (remember) localStorage.setItem(storageKey, next);
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  for (const listener of listeners) listener();
}

/** Calls `listener` whenever another language was chosen. */
export function onLanguage(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useMessages(): UiMessages {
  return useSyncExternalStore(onLanguage, () => messages);
}

export function useLanguage(): Language {
  return useSyncExternalStore(onLanguage, () => language);
}

/** For what happens outside a drawing: toasts, the title. */
export const currentMessages = (): UiMessages => messages;
export const currentLanguage = (): Language => language;

const locale = (): string => (language === 'zh' ? 'zh-CN' : 'en-GB');

export function formatNumber(value: number): string {
  return value.toLocaleString(locale());
}

/** `340 ms`, `7s`, `3m 09s`, `1h 4m`; in Chinese `3 分 09 秒`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return language === 'zh' ? `${Math.max(0, Math.round(ms))} 毫秒` : `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const padded = String(s).padStart(2, '0');
  if (language === 'zh') return h > 0 ? `${h} 小时 ${m} 分` : m > 0 ? `${m} 分 ${padded} 秒` : `${s} 秒`;
  return h > 0 ? `${h}h ${m}m` : m > 0 ? `${m}m ${padded}s` : `${s}s`;
}

/** `7 min ago`, `in 5 min`; within a minute either way "just now", since clocks differ; the date when over a week. */
export function formatAgo(at: Date, now: Date): string {
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  const minutes = Math.round((at.getTime() - now.getTime()) / 60_000);
  const distance = Math.abs(minutes);
  if (distance < 1) return messages.justNow;
  if (distance < 60) return format.format(minutes, 'minute');
  if (distance < 1440) return format.format(Math.round(minutes / 60), 'hour');
  if (distance < 10_080) return format.format(Math.round(minutes / 1440), 'day');
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(at);
}

/** `16 Nov 2026, 18:00:00 (UTC+8)`: an offset, never letters such as CST, which mean two places. */
export function formatClock(at: Date): string {
  const time = new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' }).format(at);
  const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' })
    .formatToParts(at)
    .find((part) => part.type === 'timeZoneName')?.value;
  return zone === undefined ? time : `${time} (${zone.replace('GMT', 'UTC')})`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 'B';
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

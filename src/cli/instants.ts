import { formatDuration } from '../lib/duration.ts';
import type { Texts } from './texts.en.ts';

/** `3m 09s ago` for people. */
export function ago(texts: Texts, at: string | null, now: Date): string {
  if (at === null) return texts.never;
  const ms = now.getTime() - Date.parse(at);
  return ms >= 0 ? texts.ago(roughly(ms)) : texts.inFuture(roughly(-ms));
}

/** How long something took, or takes so far; empty before it began. */
export function took(startedAt: string | null, finishedAt: string | null, now: Date): string {
  if (startedAt === null) return '';
  return formatDuration(
    Math.max(0, (finishedAt === null ? now.getTime() : Date.parse(finishedAt)) - Date.parse(startedAt)),
  );
}

function roughly(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  if (days > 0) return `${days}d`;
  const hours = Math.floor(ms / 3_600_000);
  if (hours > 0) return `${hours}h`;
  return ms < 60_000 ? `${Math.round(ms / 1_000)}s` : `${Math.floor(ms / 60_000)}m`;
}

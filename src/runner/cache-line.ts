import type { CacheEvent, CacheReport } from '../core/cache.ts';

/** What became of a step's cache, as a line of its log. */
export function cacheLine(event: CacheEvent): string {
  return `cache ${event.key}: ${wordsOf(event)}`;
}

function wordsOf(event: CacheEvent): string {
  switch (event.kind) {
    case 'restored': {
      const what = event.from === event.key ? 'restored' : `missed: no entry for this key; restored ${event.from},`;
      return `${what} ${sizeText(event.sizeBytes)} from ${runOf(event.savedBy)} in ${timeText(event.elapsedMs)}`;
    }
    case 'missed':
      return `missed: ${missOf(event)}`;
    case 'shared':
      return `there already, from step ${event.step}`;
    case 'unused':
      return `not used${event.path === undefined ? '' : ` at ${event.path}`}: ${event.why}`;
    case 'saved':
      return `saved ${sizeText(event.sizeBytes)} in ${timeText(event.elapsedMs)}`;
    case 'not-saved':
      return `not saved: ${event.why}`;
  }
}

/** Runs of the command line have no number. */
export function runOf(pipeline: number): string {
  return pipeline === 0 ? 'an earlier run here' : `#${pipeline}`;
}

function missOf({ nearest, otherImage }: Extract<CacheEvent, { kind: 'missed' }>): string {
  if (otherImage !== undefined) return `${runOf(otherImage)} saved this key in an image with another digest`;
  return `no entry for this key${nearest === undefined ? '' : `; nearest ${nearest}`}`;
}

/** What the server records of it; `undefined` for what is told in the log alone. */
export function cacheReportOf(event: CacheEvent): CacheReport | undefined {
  if (event.kind === 'missed')
    return { key: event.key, result: 'miss', nearest: event.nearest, otherImage: event.otherImage };
  if (event.kind !== 'restored') return undefined;
  const { key, from, savedBy } = event;
  return { key, result: from === key ? 'hit' : 'near', from, savedBy };
}

function sizeText(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

function timeText(ms: number): string {
  return ms < 10_000 ? `${Math.max(1, Math.round(ms))} ms` : `${Math.round(ms / 1_000)} s`;
}

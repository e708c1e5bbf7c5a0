import type { RefObject } from 'react';
import { formatNumber, useMessages } from '../../language.ts';
import { CopyButton } from '../../parts/copy.tsx';
import { plainText } from './ansi.ts';
import { chooseLogClock, type LogClock, logClocks } from './log-clock.ts';
import { type LogAddress, logUrl } from './log-requests.ts';
import type { LogStore } from './log-store.ts';

const maxCopiedLines = 20_000;
/** A quote is pasted into a discussion: more lines than these are read in the log. */
const maxQuotedLines = 200;

interface LogBarProps {
  readonly address: LogAddress;
  /** `workflow/step`, as the command line takes it. */
  readonly stepName: string;
  readonly fileName: string;
  readonly store: LogStore;
  /** Of the store: what it holds changes with it. */
  readonly version: number;
  readonly search: {
    readonly field: RefObject<HTMLInputElement | null>;
    readonly query: string;
    readonly hit: number;
    readonly onQuery: (query: string) => void;
    readonly onMove: (by: 1 | -1) => void;
  };
  readonly clock: LogClock;
  readonly isWrapped: boolean;
  readonly onWrap: () => void;
  readonly onNextError: () => void;
  readonly fold: { readonly isFolded: boolean; readonly onFold: () => void } | undefined;
  readonly follow: { readonly isFollowing: boolean; readonly onFollow: () => void } | undefined;
  readonly lines: readonly [first: number, last: number] | undefined;
  /** Whether the rest is on its way. */
  readonly isLoading: boolean;
}

/** What can be done with a log: search, go to errors, show times, wrap, fold, follow, copy, download. */
export function LogBar(props: LogBarProps) {
  const { address, store, clock, isWrapped, fold, follow, lines, isLoading } = props;
  const t = useMessages();
  const isStamped = clock !== 'off';
  const rawUrl = `${logUrl(address)}${isStamped ? '?timestamps=1' : ''}`;
  return (
    <div className="log-bar" role="group" aria-label={t.logTools}>
      <Search {...props} />
      {store.errors.length > 0 && (
        <button type="button" title={t.nextErrorHint} onClick={props.onNextError}>
          {t.nextError}
        </button>
      )}
      <select
        aria-label={t.logTimes}
        title={t.logTimesHint}
        value={clock}
        onChange={(event) => chooseLogClock(logClocks.find((one) => one === event.target.value) ?? 'off')}
      >
        {logClocks.map((one) => (
          <option key={one} value={one}>
            {t.logClock[one]}
          </option>
        ))}
      </select>
      <button type="button" aria-pressed={isWrapped} onClick={props.onWrap}>
        {t.wrap}
      </button>
      {fold && (
        <button type="button" onClick={fold.onFold}>
          {fold.isFolded ? t.expandAll : t.foldAll}
        </button>
      )}
      {follow && (
        <button type="button" aria-pressed={follow.isFollowing} onClick={follow.onFollow}>
          {t.follow}
        </button>
      )}
      {lines && store.holds(lines[0] - 1, Math.min(lines[1], store.lineCount) - 1) && (
        <CopyLines store={store} first={lines[0]} last={lines[1]} />
      )}
      <a href={rawUrl} download={props.fileName}>
        {t.download}
      </a>
      <a href={rawUrl} target="_blank" rel="noreferrer">
        {t.raw}
      </a>
      <CopyButton
        text={`gantry logs ${address.number} ${shellWord(props.stepName)} --project ${address.owner}/${address.project}${isStamped ? ' --timestamps' : ''}`}
        label={t.copyCommand}
        icon="terminal"
      />
      <span className="number quiet">
        {t.lines({ count: store.lineCount })}
        {isLoading && ` · ${t.logLoaded({ percent: loadedPercent(store) })}`}
      </span>
    </div>
  );
}

function Search({ search, store }: LogBarProps) {
  const t = useMessages();
  const { field, query, hit, onQuery, onMove } = search;
  return (
    <div className="log-search">
      <input
        ref={field}
        type="search"
        value={query}
        placeholder={t.searchLog}
        aria-label={t.searchLog}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === 'Enter') onMove(event.shiftKey ? -1 : 1);
          if (event.key === 'Escape') onQuery('');
        }}
      />
      {query.length > 1 && (
        <>
          <span role="status" className="number">
            {t.matches({ at: store.hits.length === 0 ? 0 : hit + 1, count: store.hits.length })}
            {(store.isSearching || !store.isWhole) && '…'}
          </span>
          <button type="button" aria-label={t.previousMatch} title={t.previousMatch} onClick={() => onMove(-1)}>
            ↑
          </button>
          <button type="button" aria-label={t.nextMatch} title={t.nextMatch} onClick={() => onMove(1)}>
            ↓
          </button>
        </>
      )}
    </div>
  );
}

function CopyLines({ store, first, last }: { store: LogStore; first: number; last: number }) {
  const t = useMessages();
  const textOf = (limit: number): string => {
    const end = Math.min(last, store.lineCount, first + limit - 1);
    return Array.from({ length: Math.max(0, end - first + 1) }, (_, i) =>
      plainText(store.line(first - 1 + i) ?? ''),
    ).join('\n');
  };
  const count = Math.min(last, store.lineCount, first + maxCopiedLines - 1) - first + 1;
  return (
    <>
      <CopyButton
        text={() => textOf(maxCopiedLines)}
        label={first === last ? t.copyLine : t.copyLines({ count: formatNumber(count) })}
      />
      <CopyButton text={() => location.href} label={t.copyLink} icon="link" />
      <CopyButton text={() => quote(textOf(maxQuotedLines))} label={t.copyQuote} icon="quote" />
    </>
  );
}

/** As Markdown: the lines in a fence that none of them closes, and the link to them. */
function quote(text: string): string {
  const fence = '`'.repeat(Math.max(3, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length + 1)));
  return `${fence}\n${text}\n${fence}\n${location.href}\n`;
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function loadedPercent(store: LogStore): number {
  return Math.floor((store.loadedBytes / Math.max(1, store.sizeBytes)) * 100);
}

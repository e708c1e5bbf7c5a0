import {
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { StepView } from '../../../src/api/pipelines.ts';
import { formatBytes, formatNumber, useMessages } from '../../language.ts';
import { CopyButton } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icons.tsx';
import { isFinal } from '../../parts/status.tsx';
import { plainText, segments } from './ansi.ts';
import { FoldedRows, rowHeight } from './folded-rows.ts';
import { type LogAddress, LogFeed, logUrl } from './log-feed.ts';
import { type LogStore, shownCharacters } from './log-store.ts';

const overscan = 6;
/** Browsers cap the height of an element (Firefox at about 17.9 million px): above this the scrollbar is scaled. */
const maxHeight = 15_000_000;
/** Shorter logs are not folded. */
const foldedFromLines = 1_000;
const maxMarks = 60;
const maxCopiedLines = 20_000;
/** Rows that stay above a line that is jumped to. */
const contextRows = 6;

interface Props {
  readonly address: LogAddress;
  readonly step: StepView;
  /** Chosen lines, from 1. */
  readonly lines: readonly [first: number, last: number] | undefined;
  /** Puts them into the address, or takes them out. */
  readonly onChoose: (lines: readonly [first: number, last: number] | undefined) => void;
}

/** A step's log: only rows in sight are drawn, all lines are searched, commands fold, and it follows while it grows. */
export function LogView({ address, step, lines, onChoose }: Props) {
  const t = useMessages();
  const [feed] = useState(
    () => new LogFeed(address, { isStarted: step.startedAt !== null, isFinished: isFinal(step.status) }),
  );
  const [wasGrowing] = useState(() => !isFinal(step.status));
  const { store } = feed;
  const version = useSyncExternalStore(store.subscribe, () => store.version);
  const state = useSyncExternalStore(feed.subscribe, () => feed.state);
  const failureLine = step.failure ? step.failure.line - 1 : undefined;

  const box = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const [top, setTop] = useState(0);
  const [viewHeight, setViewHeight] = useState(460);
  const [isWrapped, setWrapped] = useState(false);
  const [isFollowing, setFollowing] = useState(wasGrowing && lines === undefined);
  const [leftAt, setLeftAt] = useState<number>();
  const [query, setQuery] = useState('');
  const [hit, setHit] = useState(0);
  const [folds, setFolds] = useState<{ all?: boolean; some: ReadonlyMap<number, boolean> }>({ some: new Map() });
  /** A line (from 0) that is to be shown as soon as it is there. */
  const target = useRef<number>(lines ? lines[0] - 1 : wasGrowing ? undefined : failureLine);

  useEffect(() => feed.start(), [feed]);
  useEffect(() => {
    feed.follow({ isStarted: step.startedAt !== null, isFinished: isFinal(step.status) });
  }, [feed, step.status, step.startedAt]);

  const rows = useMemo(() => {
    const { commands, lineCount } = store;
    const failing = failureLine === undefined ? -1 : commands.findLastIndex((line) => line <= failureLine);
    const byItself = (command: number): boolean =>
      wasGrowing || lineCount <= foldedFromLines || command === commands.length - 1 || command === failing;
    return new FoldedRows(commands, lineCount, (command) => folds.some.get(command) ?? folds.all ?? byItself(command));
    // The version stands for what the store holds.
  }, [store, version, folds, failureLine, wasGrowing]);

  /** A very high log is scrolled in a space that browsers can: its ends meet, and between them it is in proportion. */
  const scrollHeight = Math.min(maxHeight, rows.height);
  const scale = scrollHeight === rows.height ? 1 : (scrollHeight - viewHeight) / Math.max(1, rows.height - viewHeight);
  const topInLog = Math.min(top / scale, Math.max(0, rows.height - rowHeight));
  const firstInSight = rows.rowAt(topInLog);
  const firstRow = isWrapped ? firstInSight : Math.max(0, firstInSight - overscan);
  const drawn = Math.ceil(viewHeight / rowHeight) + 2 * overscan;
  const lastRow = Math.min(rows.count, firstRow + drawn);

  const toggle = useCallback((command: number, isOpen: boolean): void => {
    setFollowing(false);
    setFolds((before) => ({ ...before, some: new Map(before.some).set(command, !isOpen) }));
  }, []);
  const unfold = useCallback((command: number): void => {
    setFolds((before) => ({ ...before, some: new Map(before.some).set(command, true) }));
  }, []);

  const scrollToLine = useCallback(
    (line: number): void => {
      const command = rows.commandOf(line);
      if (command >= 0 && rows.lineAt(rows.rowOf(line)) !== line) {
        // Folded: it is shown once the fold is open.
        target.current = line;
        unfold(command);
        return;
      }
      target.current = undefined;
      setFollowing(false);
      box.current?.scrollTo({ top: Math.max(0, rows.topOf(rows.rowOf(line)) - contextRows * rowHeight) * scale });
    },
    [rows, scale, unfold],
  );

  // What is to be shown is shown as soon as its line has come, and its fold is open.
  useLayoutEffect(() => {
    if (target.current !== undefined && target.current < store.lineCount) scrollToLine(target.current);
  }, [store, scrollToLine]);

  const chosenFirst = lines?.[0];
  const wasChosenHere = useRef(false);
  useEffect(() => {
    if (chosenFirst === undefined) return;
    // A click on a line in sight must not move it.
    if (wasChosenHere.current) wasChosenHere.current = false;
    else if (chosenFirst <= store.lineCount) scrollToLine(chosenFirst - 1);
    else target.current = chosenFirst - 1;
  }, [chosenFirst]);

  useLayoutEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [isFollowing, rows]);

  useEffect(() => {
    const view = box.current;
    if (!view) return undefined;
    const observer = new ResizeObserver(() => setViewHeight(view.clientHeight));
    observer.observe(view);
    return () => observer.disconnect();
  }, []);

  useEffect(() => store.search(query.length < 2 ? '' : query), [query, store]);
  const currentHit = useSyncExternalStore(store.subscribe, () => store.hits[hit]);
  useEffect(() => {
    if (currentHit !== undefined) scrollToLine(currentHit);
  }, [currentHit]);

  const onScroll = (): void => {
    const view = box.current;
    if (!view) return;
    const isAtEnd = view.scrollHeight - view.scrollTop - view.clientHeight < rowHeight;
    if (isFollowing && !isAtEnd) {
      setFollowing(false);
      setLeftAt(store.lineCount);
    } else if (!isFollowing && isAtEnd && state === 'growing' && !isFinal(step.status)) setFollowing(true);
    setTop(view.scrollTop);
  };

  const goToError = (direction: 1 | -1): void => {
    const from = lines ? lines[0] - 1 : rows.lineAt(firstInSight + contextRows);
    const next =
      direction === 1 ? store.errors.find((line) => line > from) : store.errors.findLast((line) => line < from);
    const line = next ?? store.errors.at(direction === 1 ? 0 : -1);
    if (line === undefined) return;
    onChoose([line + 1, line + 1]);
    scrollToLine(line);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'f') {
      // The first press searches the whole log; the second, in our field, is the browser's.
      if (document.activeElement === searchField.current) return;
      event.preventDefault();
      searchField.current?.focus();
      searchField.current?.select();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    if (event.key === 'n') goToError(1);
    else if (event.key === 'p') goToError(-1);
    else if (event.target === box.current) moveChoice(event);
  };

  /** Enter chooses a line (its link stands in the address) or folds a chosen command; arrows move it, Shift makes a range. */
  const moveChoice = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (event.key === 'Escape' && lines) onChoose(undefined);
    else if (event.key === 'Enter' && !lines) {
      const first = rows.lineAt(Math.min(rows.count - 1, firstInSight + 1)) + 1;
      wasChosenHere.current = true;
      onChoose([first, first]);
    } else if (event.key === 'Enter' && lines) {
      const command = store.commands.indexOf(lines[0] - 1);
      if (command >= 0) toggle(command, rows.lineAt(rows.rowOf(lines[0])) === lines[0]);
    } else if (by !== 0 && lines) {
      const end = event.shiftKey ? lines[1] : by === 1 ? lines[1] : lines[0];
      const next = rows.lineAt(Math.min(rows.count - 1, Math.max(0, rows.rowOf(end - 1) + by))) + 1;
      wasChosenHere.current = true;
      onChoose(event.shiftKey ? [Math.min(lines[0], next), Math.max(lines[0], next)] : [next, next]);
      const view = box.current;
      const at = rows.topOf(rows.rowOf(next - 1)) * scale;
      if (view && (at < view.scrollTop || at > view.scrollTop + view.clientHeight - 2 * rowHeight))
        view.scrollTo({ top: Math.max(0, at - view.clientHeight / 2) });
    } else return;
    event.preventDefault();
  };

  const moveHit = (by: 1 | -1): void => {
    const { length } = store.hits;
    if (length > 0) setHit((hit + by + length) % length);
  };

  const choose = useCallback(
    (event: MouseEvent, line: number): void => {
      wasChosenHere.current = true;
      const isRange = event.shiftKey && lines !== undefined;
      onChoose(isRange ? [Math.min(lines[0], line + 1), Math.max(lines[0], line + 1)] : [line + 1, line + 1]);
    },
    [lines, onChoose],
  );

  const rawUrl = logUrl(address);
  const { lineCount } = store;
  const isFolded = rows.count < lineCount;
  const newLines = !isFollowing && leftAt !== undefined && state === 'growing' ? lineCount - leftAt : 0;
  const drawnRows: ReactNode[] = [];
  for (let row = firstRow; row < lastRow; row++) {
    const line = rows.lineAt(row);
    const command = rows.commandOf(line);
    const isHeader = command >= 0 && store.commands[command] === line;
    const isOpen = isHeader && (rows.end(command) === line + 1 || rows.lineAt(row + 1) === line + 1);
    drawnRows.push(
      <LogRow
        key={line}
        line={line}
        text={store.line(line)}
        sizeBytes={store.lineSize(line)}
        rawUrl={rawUrl}
        look={lookOf(line)}
        onChoose={choose}
        {...(isHeader && { command, isOpen, hidden: rows.end(command) - line - 1, onToggle: toggle })}
      />,
    );
  }

  return (
    <div className="log" onKeyDown={onKeyDown}>
      <div className="log-bar" role="group" aria-label={t.logTools}>
        <div className="log-search">
          <input
            ref={searchField}
            type="search"
            value={query}
            placeholder={t.searchLog}
            aria-label={t.searchLog}
            onChange={(event) => {
              setQuery(event.target.value);
              setHit(0);
            }}
            onKeyDown={(event) => {
              if (event.nativeEvent.isComposing) return;
              if (event.key === 'Enter') moveHit(event.shiftKey ? -1 : 1);
              if (event.key === 'Escape') setQuery('');
            }}
          />
          {query.length > 1 && (
            <>
              <span role="status" className="number">
                {t.matches({ at: store.hits.length === 0 ? 0 : hit + 1, count: store.hits.length })}
                {store.isSearching && '…'}
              </span>
              <button type="button" aria-label={t.previousMatch} title={t.previousMatch} onClick={() => moveHit(-1)}>
                ↑
              </button>
              <button type="button" aria-label={t.nextMatch} title={t.nextMatch} onClick={() => moveHit(1)}>
                ↓
              </button>
            </>
          )}
        </div>
        {store.errors.length > 0 && (
          <button type="button" title={t.nextErrorHint} onClick={() => goToError(1)}>
            {t.nextError}
          </button>
        )}
        <button type="button" aria-pressed={isWrapped} onClick={() => setWrapped(!isWrapped)}>
          {t.wrap}
        </button>
        {lineCount - (store.commands[0] ?? lineCount) > store.commands.length && (
          <button type="button" onClick={() => setFolds({ all: isFolded, some: new Map() })}>
            {isFolded ? t.expandAll : t.foldAll}
          </button>
        )}
        {!isFinal(step.status) && (
          <button type="button" aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
            {t.follow}
          </button>
        )}
        {lines && <CopyLines store={store} first={lines[0]} last={lines[1]} version={version} />}
        <a href={rawUrl} download={`${address.project}-${address.number}-${step.name}.log`}>
          {t.download}
        </a>
        <a href={rawUrl} target="_blank" rel="noreferrer">
          {t.raw}
        </a>
        <span className="number quiet">{t.lines({ count: lineCount })}</span>
      </div>
      <div className="log-body">
        <div
          className={isWrapped ? 'log-view wrapped' : 'log-view'}
          ref={box}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t.logOf({ step: step.name })}
          onScroll={onScroll}
        >
          <div style={{ height: scrollHeight }} />
          <div className="log-window" style={{ top: top - topInLog + rows.topOf(firstRow) }}>
            {drawnRows}
          </div>
        </div>
        <ErrorMarks store={store} rows={rows} version={version} />
        {newLines > 0 && (
          <button type="button" className="new-lines" onClick={() => setFollowing(true)}>
            {t.newLines({ count: newLines })}
          </button>
        )}
        {lineCount === 0 && <LogNotice state={state} step={step} />}
      </div>
      {state === 'failed' && (
        <p className="log-notice" role="alert">
          {t.logFailed}{' '}
          <button type="button" onClick={() => feed.retry()}>
            {t.tryAgain}
          </button>
        </p>
      )}
      {state === 'too-large' && <p className="log-notice">{t.logTooLarge}</p>}
    </div>
  );

  function lookOf(line: number): string {
    if (line === currentHit) return 'current';
    if (lines && line >= lines[0] - 1 && line <= lines[1] - 1) return 'chosen';
    if (line === failureLine || includesSorted(store.errors, line)) return 'error';
    return includesSorted(store.hits, line) ? 'hit' : '';
  }
}

function LogNotice({ state, step }: { state: LogFeed['state']; step: StepView }) {
  const t = useMessages();
  const text =
    state === 'loading'
      ? t.loading
      : state === 'ended'
        ? t.logEmpty
        : state === 'failed' || state === 'too-large'
          ? ''
          : step.status === 'running'
            ? t.logWaiting
            : t.logNotStarted;
  return <p className="log-nothing quiet">{text}</p>;
}

interface RowProps {
  readonly line: number;
  readonly text: string;
  readonly sizeBytes: number;
  readonly rawUrl: string;
  readonly look: string;
  readonly onChoose: (event: MouseEvent, line: number) => void;
  /** Set for the header of a command's output. */
  readonly command?: number;
  readonly isOpen?: boolean;
  readonly hidden?: number;
  readonly onToggle?: (command: number, isOpen: boolean) => void;
}

const LogRow = memo(function LogRow(props: RowProps) {
  const { line, text, sizeBytes, rawUrl, look, onChoose, command, isOpen, hidden, onToggle } = props;
  const t = useMessages();
  const isCut = text.length > shownCharacters;
  return (
    <div className={`log-row ${command === undefined ? '' : 'command'} ${look}`}>
      <span className="line-number" title={t.linkToLine} onClick={(event) => onChoose(event, line)}>
        {line + 1}
      </span>
      {command !== undefined && onToggle ? (
        <button
          type="button"
          className="log-text"
          aria-expanded={isOpen === true}
          onClick={() => onToggle(command, isOpen === true)}
        >
          {hidden === 0 ? <span className="log-no-fold" /> : <Icon name="chevron" size={10} />}
          <span>{plainText(text.slice(0, 2_000)).slice(2)}</span>
          {!isOpen && hidden !== undefined && hidden > 0 && <em>{t.lines({ count: hidden })}</em>}
        </button>
      ) : (
        <span className="log-text">
          {segments(isCut ? ends(text) : text).map((part, i) =>
            part.href !== undefined ? (
              <a key={i} href={part.href} rel="noreferrer noopener nofollow" target="_blank" className={part.className}>
                {part.text}
              </a>
            ) : part.className === '' && part.color === undefined ? (
              part.text
            ) : (
              <span
                key={i}
                className={part.className}
                style={part.color === undefined ? undefined : { color: part.color }}
              >
                {part.text}
              </span>
            ),
          )}
          {isCut && (
            <a href={rawUrl} target="_blank" rel="noreferrer" className="log-cut">
              {t.lineCut({ size: formatBytes(sizeBytes) })}
            </a>
          )}
        </span>
      )}
    </div>
  );
});

/** Of a very long line its beginning; of one that rewrote itself (a progress bar) its end, which is what stands there. */
function ends(text: string): string {
  const rewritten = text.lastIndexOf('\r', text.length - 2);
  return rewritten < 0 ? text.slice(0, shownCharacters) : text.slice(rewritten + 1).slice(0, shownCharacters);
}

/** Where errors stand in the whole log, beside the scrollbar. */
function ErrorMarks({ store, rows }: { store: LogStore; rows: FoldedRows; version: number }) {
  const { errors } = store;
  const step = Math.max(1, Math.ceil(errors.length / maxMarks));
  return (
    <div className="log-marks" aria-hidden="true">
      {errors
        .filter((_, i) => i % step === 0)
        .map((line) => (
          <i key={line} style={{ top: `${(rows.topOf(rows.rowOf(line)) / Math.max(1, rows.height)) * 100}%` }} />
        ))}
    </div>
  );
}

function CopyLines({ store, first, last }: { store: LogStore; first: number; last: number; version: number }) {
  const t = useMessages();
  const end = Math.min(last, store.lineCount, first + maxCopiedLines - 1);
  const text = Array.from({ length: Math.max(0, end - first + 1) }, (_, i) =>
    plainText(store.line(first - 1 + i)),
  ).join('\n');
  return (
    <CopyButton
      text={text}
      label={first === last ? t.copyLine : t.copyLines({ count: formatNumber(end - first + 1) })}
    />
  );
}

function includesSorted(values: readonly number[], value: number): boolean {
  let [low, high] = [0, values.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = values[middle] ?? 0;
    if (found === value) return true;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

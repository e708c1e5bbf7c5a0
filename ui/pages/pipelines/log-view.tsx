import {
  type KeyboardEvent,
  type MouseEvent,
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
import { formatClock, useMessages } from '../../language.ts';
import { isFinal } from '../../parts/status.tsx';
import { FoldedRows, rowHeight } from './folded-rows.ts';
import { LogBar } from './log-bar.tsx';
import { chooseLogClock, formatSinceStart, formatWallTime, logClocks, useLogClock } from './log-clock.ts';
import { aimOf, type LogAim, LogFeed } from './log-feed.ts';
import { type LogAddress, logUrl } from './log-requests.ts';
import { LogRow } from './log-row.tsx';
import { includesSorted, type LogStore, lowerBound } from './log-store.ts';
import { LogTimes } from './log-times.ts';

const overscan = 6;
/** Browsers cap the height of an element (Firefox at about 17.9 million px): above this the scrollbar is scaled. */
const maxHeight = 15_000_000;
/** Shorter logs are not folded. */
const foldedFromLines = 1_000;
const maxMarks = 60;
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
  const [wasGrowing] = useState(() => !isFinal(step.status));
  const [aim] = useState<LogAim>(() => lines?.[0] ?? aimOf(step));
  const [feed] = useState(
    () => new LogFeed(address, { isStarted: step.startedAt !== null, isFinished: isFinal(step.status) }, aim),
  );
  const [times] = useState(() => new LogTimes(address));
  const clock = useLogClock();
  const { store } = feed;
  const version = useSyncExternalStore(store.subscribe, () => store.version);
  const state = useSyncExternalStore(feed.subscribe, () => feed.state);
  useSyncExternalStore(times.subscribe, () => times.version);
  const failureLine = step.failure ? step.failure.line - 1 : undefined;

  const box = useRef<HTMLDivElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const [top, setTop] = useState(0);
  const [viewHeight, setViewHeight] = useState(460);
  const [isWrapped, setWrapped] = useState(false);
  const [isFollowing, setFollowing] = useState(wasGrowing && lines === undefined);
  const [leftAt, setLeftAt] = useState<number>();
  const [query, setQuery] = useState('');
  /** The hit that is shown: a line, since more may be found before it. */
  const [hit, setHit] = useState<number>();
  const [folds, setFolds] = useState<{ all?: boolean; some: ReadonlyMap<number, boolean> }>({ some: new Map() });
  /** A line (from 0), or the end, that is to be shown as soon as it is known where it stands. */
  const target = useRef<number | 'end'>(
    typeof aim === 'number' ? aim - 1 : aim === 'end' && !wasGrowing ? 'end' : undefined,
  );

  useLayoutEffect(() => feed.start(), [feed]);
  useEffect(() => () => times.stop(), [times]);
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
  const maxTop = Math.max(0, scrollHeight - viewHeight);
  /** Where it is about to be scrolled to: drawn there at once, and not first where it stands now. */
  const wantedTop =
    (isFollowing && !isWrapped) || target.current === 'end'
      ? maxTop
      : target.current !== undefined && target.current < store.lineCount
        ? Math.min(maxTop, topFor(target.current))
        : undefined;
  const shownTop = wantedTop ?? top;
  const topInLog = Math.min(shownTop / scale, Math.max(0, rows.height - rowHeight));
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

  /** Drawn with the same frame: an event would tell of it only after the next. */
  const scrollTo = useCallback((next: number): void => {
    const view = box.current;
    if (!view) return;
    view.scrollTop = next;
    setTop(view.scrollTop);
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
      scrollTo(topFor(line));
    },
    [rows, scale, scrollTo, unfold],
  );

  // What is to be shown is shown as soon as its line has come, and its fold is open.
  useLayoutEffect(() => {
    if (target.current === undefined || store.lineCount === 0) return;
    if (target.current === 'end') {
      target.current = undefined;
      scrollTo(scrollHeight);
    } else if (target.current < store.lineCount) scrollToLine(target.current);
  }, [store, scrollHeight, scrollTo, scrollToLine]);

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
    if (isFollowing) scrollTo(box.current?.scrollHeight ?? 0);
  }, [isFollowing, rows]);

  useEffect(() => {
    const view = box.current;
    if (!view) return undefined;
    const observer = new ResizeObserver(() => setViewHeight(view.clientHeight));
    observer.observe(view);
    return () => observer.disconnect();
  }, []);

  const currentHit = hit ?? store.hits[0];
  useEffect(() => {
    if (currentHit === undefined) return;
    setHit(currentHit);
    scrollToLine(currentHit);
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
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target instanceof HTMLInputElement ||
      event.target instanceof HTMLSelectElement
    )
      return;
    if (event.key === 'n') goToError(1);
    else if (event.key === 'p') goToError(-1);
    else if (event.key === 't') chooseLogClock(logClocks[(logClocks.indexOf(clock) + 1) % logClocks.length] ?? 'off');
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
        scrollTo(Math.max(0, at - view.clientHeight / 2));
    } else return;
    event.preventDefault();
  };

  const moveHit = (by: 1 | -1): void => {
    const { length } = store.hits;
    if (length > 0 && currentHit !== undefined)
      setHit(store.hits[(lowerBound(store.hits, currentHit) + by + length) % length]);
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
  /** The first line in sight that has not come, and the lines whose times have not. */
  let missing: number | undefined;
  let timeless: { first: number; last: number } | undefined;
  for (let row = firstRow; row < lastRow; row++) {
    const line = rows.lineAt(row);
    const command = rows.commandOf(line);
    const isHeader = command >= 0 && store.commands[command] === line;
    const isOpen = isHeader && (rows.end(command) === line + 1 || rows.lineAt(row + 1) === line + 1);
    const text = store.line(line);
    if (text === undefined) missing ??= line;
    const time = clock === 'off' ? undefined : timeOf(line);
    if (time?.atMs === undefined && time) timeless = { first: timeless?.first ?? line, last: line };
    drawnRows.push(
      <LogRow
        key={line}
        line={line}
        text={text}
        sizeBytes={store.lineSize(line)}
        rawUrl={rawUrl}
        look={lookOf(line)}
        onChoose={choose}
        time={time?.text}
        timeTitle={time?.title}
        {...(isHeader && {
          command,
          isOpen,
          hidden: rows.end(command) - line - 1,
          tookMs: durationOf(command),
          onToggle: toggle,
        })}
      />,
    );
  }

  useEffect(() => {
    if (missing !== undefined) feed.want(missing);
  }, [feed, missing]);
  useEffect(() => {
    if (timeless) times.want(timeless.first, timeless.last);
  }, [times, timeless?.first, timeless?.last, lineCount]);

  return (
    <div className="log" onKeyDown={onKeyDown}>
      <LogBar
        address={address}
        stepName={`${step.workflow}/${step.name}`}
        fileName={`${address.project}-${address.number}-${step.name}.log`}
        store={store}
        version={version}
        search={{
          field: searchField,
          query,
          hit: currentHit === undefined ? 0 : lowerBound(store.hits, currentHit),
          onQuery(next) {
            store.search(next.length < 2 ? '' : next);
            setQuery(next);
            setHit(undefined);
          },
          onMove: moveHit,
        }}
        clock={clock}
        isWrapped={isWrapped}
        onWrap={() => setWrapped(!isWrapped)}
        onNextError={() => goToError(1)}
        fold={
          lineCount - (store.commands[0] ?? lineCount) > store.commands.length
            ? { isFolded, onFold: () => setFolds({ all: isFolded, some: new Map() }) }
            : undefined
        }
        follow={isFinal(step.status) ? undefined : { isFollowing, onFollow: () => setFollowing(!isFollowing) }}
        lines={lines}
        isLoading={state === 'growing' && !store.isWhole}
      />
      <div className="log-body">
        <div
          className={isWrapped ? 'log-view wrapped' : 'log-view'}
          ref={box}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t.logOf({ step: step.name })}
          aria-busy={state === 'loading' || (state === 'growing' && !store.isWhole)}
          onScroll={onScroll}
        >
          <div style={{ height: scrollHeight }} />
          <div className="log-window" style={{ top: shownTop - topInLog + rows.topOf(firstRow) }}>
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

  /** Where the view stands with a line in sight, some rows below its edge. */
  function topFor(line: number): number {
    return Math.max(0, rows.topOf(rows.rowOf(line)) - contextRows * rowHeight) * scale;
  }

  function timeOf(line: number): { atMs: number | undefined; text: string; title?: string } {
    const atMs = times.at(line);
    if (atMs === undefined) return { atMs, text: '' };
    const at = step.startedAt === null ? undefined : new Date(Date.parse(step.startedAt) + atMs);
    const since = formatSinceStart(atMs);
    return {
      atMs,
      text: clock === 'step' ? since : at ? formatWallTime(at) : '',
      ...(at && { title: `${formatClock(at)} · ${since}` }),
    };
  }

  /** From when it was printed to when the next one was; the last one ends with its step. */
  function durationOf(command: number): number | undefined {
    const [line, next] = [store.commands[command], store.commands[command + 1]];
    const begun = line === undefined ? undefined : store.command(line);
    const stepMs =
      step.finishedAt === null || step.startedAt === null
        ? undefined
        : Date.parse(step.finishedAt) - Date.parse(step.startedAt);
    const endMs =
      next === undefined
        ? state === 'ended' || state === 'too-large'
          ? stepMs
          : undefined
        : store.command(next)?.atMs;
    return begun && endMs !== undefined ? Math.max(0, endMs - begun.atMs) : undefined;
  }

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

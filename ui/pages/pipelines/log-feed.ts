import type { LogOutline, StepView } from '../../../src/api/pipelines.ts';
import type { StreamEvents } from '../../../src/api/stream.ts';
import { listenToStream, liveState, onLiveState, pollMs, watchTopic } from '../../live/live.ts';
import { isBad, isFinal } from '../../parts/status.tsx';
import { askLines, askOutline, type LogAddress, logUrl, type SomeLines } from './log-requests.ts';
import { LogStore } from './log-store.ts';

/** What is known of the step: one that has not started has no log to ask for. */
interface StepProgress {
  readonly isStarted: boolean;
  readonly isFinished: boolean;
}

/** What one came to see: a line (from 1), or one of the ends. */
export type LogAim = number | 'start' | 'end';

/** In a log that has ended without a known failure, its end if it ended badly. */
export function aimOf(step: StepView): LogAim {
  return isFinal(step.status) ? (step.failure?.line ?? (isBad(step.status) ? 'end' : 'start')) : 'end';
}

export type LogState = 'loading' | 'empty' | 'growing' | 'ended' | 'failed' | 'too-large';

/** Above this the rest comes only where one looks at it, and the page says so. */
const maxBytes = 128 * 1024 * 1024;
const retryMs = 2_000;
const hiddenFrameMs = 200;
/** Lines that are asked for at once, and how many of them stand above the one that is meant. */
const openingLines = 400;
const linesAbove = 150;

interface Opening {
  readonly key: string;
  readonly atMs: number;
  readonly answers: Promise<readonly [SomeLines | undefined, LogOutline | undefined]>;
}

/** The log that somebody is about to open: asked for while the pointer is on its way, and only one. */
let expected: Opening | undefined;
const expectedForMs = 5_000;

/** Asks for what the log of a step that has ended will show first: a click on it then waits for less. */
export function expectLog(address: LogAddress, aim: LogAim): void {
  const key = `${logUrl(address)} ${aim}`;
  if (expected?.key === key && performance.now() - expected.atMs < expectedForMs) return;
  const answers = ask(address, aim, new AbortController().signal);
  // Who opens the log hears of it; if nobody does, nothing is lost.
  answers.catch(() => undefined);
  expected = { key, atMs: performance.now(), answers };
}

function takeExpected(address: LogAddress, aim: LogAim): Opening['answers'] | undefined {
  const found = expected;
  if (found?.key !== `${logUrl(address)} ${aim}`) return undefined;
  expected = undefined;
  return performance.now() - found.atMs < expectedForMs ? found.answers : undefined;
}

/** What one came to see, and how it lies in the whole. */
function ask(address: LogAddress, aim: LogAim, signal: AbortSignal): Opening['answers'] {
  return Promise.all([askLines(address, openingRange(aim), signal), askOutline(address, signal)]);
}

/**
 * Brings a step's log into a store: first the lines that one came to see together with the outline of the whole, then
 * the rest, and what comes by the stream. Every piece says where it stands, so nothing is missed and nothing shown
 * twice, whatever was cut, repeated or out of order.
 */
export class LogFeed {
  readonly store = new LogStore();
  state: LogState = 'loading';
  readonly #address: LogAddress;
  readonly #aim: LogAim;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  #isStarted: boolean;
  #isFinished: boolean;
  #wasLive = liveState() === 'live';
  #isOpen = false;
  #endBytes: number | undefined;
  /** Pieces that came before what stands between us and them. */
  #early: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #isFetching = false;
  #isFetchDue = false;
  /** A line that somebody looks at and that is not here. */
  #wanted: number | undefined;
  #isFetchingWanted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  constructor(address: LogAddress, { isStarted, isFinished }: StepProgress, aim: LogAim) {
    this.#address = address;
    this.#isStarted = isStarted;
    this.#isFinished = isFinished;
    this.#aim = aim;
  }

  /** Answers what ends it. */
  start(): () => void {
    const { owner, project, number, stepId } = this.#address;
    const unlisten = listenToStream((message) => {
      if (message.kind === 'log' && message.piece.stepId === stepId) this.#takePiece(message.piece);
      if (message.kind === 'log-gap' && message.gap.stepId === stepId) void this.#fetch();
      if (message.kind === 'reset') void this.#fetch();
      if (message.kind !== 'live') return;
      // While the stream was away something may have been printed that only the end would show.
      if (message.live && !this.#wasLive) void this.#fetch();
      this.#wasLive = message.live;
    });
    const unlistenState = onLiveState(() => this.#poll());
    // The stream is opened first: what happens between the two then comes twice rather than never.
    if (!this.#isFinished) this.#unwatch = watchTopic(`log:${owner}/${project}/${number}/${stepId}@0`);
    void this.#fetch();
    this.#poll();
    return () => {
      unlisten();
      unlistenState();
      this.#release();
      this.#stop.abort();
    };
  }

  /** Told when the step starts and ends: whatever the stream left out is fetched. */
  follow({ isStarted, isFinished }: StepProgress): void {
    if (isStarted === this.#isStarted && isFinished === this.#isFinished) return;
    this.#isStarted = isStarted;
    this.#isFinished = isFinished;
    void this.#fetch();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  retry(): void {
    this.#setState('loading');
    void this.#fetch();
  }

  /** Brings a line (from 0) that somebody looks at before its turn, with those around it. */
  want(line: number): void {
    this.#wanted = line;
    void this.#fetchWanted();
  }

  #takePiece(piece: StreamEvents['log']): void {
    if (this.#isClosed()) return;
    const bytes = decodeBase64(piece.text);
    this.#isStarted = true;
    if (piece.end) this.#endBytes = piece.offset + bytes.length;
    if (piece.offset > this.store.endOffset) {
      this.#early.push({ offset: piece.offset, bytes });
      void this.#fetch();
      return;
    }
    this.#accept(piece.offset, bytes);
    this.#settle();
  }

  #accept(offset: number, bytes: Uint8Array): void {
    this.store.put(offset, bytes);
    if (this.store.loadedBytes > maxBytes) this.#giveUp();
    else if (bytes.length > 0) this.#setState('growing');
  }

  /** There is too much of it to have it all here. */
  #giveUp(): void {
    this.#release();
    this.#setState('too-large');
  }

  #acceptEarly(): void {
    const early = this.#early.sort((a, b) => a.offset - b.offset);
    this.#early = [];
    for (const piece of early)
      if (piece.offset <= this.store.endOffset) this.#accept(piece.offset, piece.bytes);
      else this.#early.push(piece);
  }

  async #fetch(): Promise<void> {
    if (this.#isClosed()) return;
    if (!this.#isStarted && !this.#isFinished) {
      this.#setState('empty');
      return;
    }
    if (this.#isFetching) {
      this.#isFetchDue = true;
      return;
    }
    this.#isFetching = true;
    const wasFinished = this.#isFinished;
    try {
      if (!this.#isOpen) await this.#open();
      await this.#fill();
      this.#acceptEarly();
      if (wasFinished && this.#early.length === 0 && !this.#isClosed()) this.#endBytes ??= this.store.endOffset;
      this.#settle();
    } catch {
      // Cut off or refused: the page says so, and it is tried again.
      if (!this.#stop.signal.aborted) {
        this.#setState('failed');
        this.#later(retryMs);
      }
    } finally {
      this.#isFetching = false;
    }
    if (this.#isFetchDue || this.#early.length > 0) {
      this.#isFetchDue = false;
      void this.#fetch();
    }
  }

  /** Both answers are waited for: what one came to see is drawn once, at its place. */
  async #open(): Promise<void> {
    const [lines, outline] = await (takeExpected(this.#address, this.#aim) ??
      ask(this.#address, this.#aim, this.#stop.signal));
    if (this.#stop.signal.aborted) return;
    // There is none yet, or the step ended without a word.
    if (!lines || !outline) return;
    this.#isOpen = true;
    this.#show(lines, outline);
    if (outline.isEnded) this.#endBytes = outline.sizeBytes;
    if (outline.sizeBytes > maxBytes) this.#giveUp();
    else this.#settle();
    // Now, and not with the next frame: somebody waits for it.
    this.store.tellNow();
    // What was brought is drawn before the rest is asked for.
    if (!this.store.isWhole) await nextFrame();
  }

  #show({ offset, firstLine, bytes }: SomeLines, outline: LogOutline): void {
    this.store.expect(outline);
    this.store.insert(offset, firstLine - 1, bytes);
  }

  /** Everything that is missing, and what came meanwhile. */
  async #fill(): Promise<void> {
    for (let gap = this.store.firstGap(); gap && !this.#isClosed(); gap = this.store.firstGap()) {
      await this.#download(gap.from, gap.to);
      if (this.store.firstGap()?.from === gap.from) throw new Error('the server left out what was asked for');
    }
    if (this.#isClosed() || (this.#endBytes !== undefined && this.store.endOffset >= this.#endBytes)) return;
    await this.#download(this.store.endOffset);
  }

  /** The end is asked for by `from`: what the stream has shown may be ahead of the disk, and a range would be an error. */
  async #download(from: number, to?: number): Promise<void> {
    const response = await fetch(to === undefined ? `${logUrl(this.#address)}?from=${from}` : logUrl(this.#address), {
      headers: to === undefined ? {} : { Range: `bytes=${from}-${to - 1}` },
      signal: this.#stop.signal,
    });
    // Not opened yet, or it ended without a word.
    if (response.status === 404) {
      await response.body?.cancel();
      return;
    }
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    let offset = to === undefined || response.status === 206 ? from : 0;
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      this.#accept(offset, read.value);
      offset += read.value.length;
      if (!this.#isClosed()) continue;
      await reader.cancel();
      return;
    }
  }

  async #fetchWanted(): Promise<void> {
    if (this.#isFetchingWanted) return;
    this.#isFetchingWanted = true;
    try {
      while (this.#wanted !== undefined && !this.#stop.signal.aborted) {
        const line = this.#wanted;
        this.#wanted = undefined;
        if (this.store.has(line)) continue;
        const lines = await askLines(this.#address, openingRange(line + 1), this.#stop.signal);
        if (lines) this.store.insert(lines.offset, lines.firstLine - 1, lines.bytes);
      }
    } catch {
      // What is looked at comes with the rest, and if that fails the page says so.
      this.#wanted = undefined;
    } finally {
      this.#isFetchingWanted = false;
    }
  }

  #settle(): void {
    if (this.state === 'too-large') return;
    if (this.#endBytes !== undefined && this.store.isWhole && this.store.endOffset >= this.#endBytes) {
      this.#release();
      this.store.close();
      this.#setState('ended');
      void this.#completeOutline();
    } else this.#setState(this.store.lineCount === 0 ? 'empty' : 'growing');
  }

  /** A log that grew while one looked on: only now is it known when its commands ran. */
  async #completeOutline(): Promise<void> {
    if (this.store.outline?.isEnded || this.store.commands.length === 0) return;
    try {
      const outline = await askOutline(this.#address, this.#stop.signal);
      if (outline) this.store.expect(outline);
    } catch {
      // Durations are missing, and nothing else: they come when the page is opened again.
      return;
    }
  }

  #isClosed(): boolean {
    return this.#stop.signal.aborted || this.state === 'ended' || this.state === 'too-large';
  }

  #poll(): void {
    if (liveState() === 'polling' && !this.#isClosed()) this.#later(pollMs);
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#fetch().then(() => this.#poll());
    }, ms);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #setState(state: LogState): void {
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

function openingRange(aim: LogAim): { readonly fromLine: number; readonly limit: number } {
  if (aim === 'end') return { fromLine: -openingLines, limit: openingLines };
  return { fromLine: aim === 'start' ? 1 : Math.max(1, aim - linesAbove), limit: openingLines };
}

/** Resolves once what was drawn is on the screen; in a tab that is not looked at, soon. */
function nextFrame(): Promise<void> {
  return new Promise((resume) => {
    requestAnimationFrame(() => setTimeout(resume));
    setTimeout(resume, hiddenFrameMs);
  });
}

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

import type { StreamEvents } from '../../../src/api/stream.ts';
import { listenToStream, liveState, onLiveState, pollMs, watchTopic } from '../../live/live.ts';
import { LogStore } from './log-store.ts';

export interface LogAddress {
  readonly owner: string;
  readonly project: string;
  readonly number: number;
  readonly stepId: number;
}

/** What is known of the step: one that has not started has no log to ask for. */
interface StepProgress {
  readonly isStarted: boolean;
  readonly isFinished: boolean;
}

export type LogState = 'loading' | 'empty' | 'growing' | 'ended' | 'failed' | 'too-large';

/** Above this the page says so and offers the raw file. */
const maxBytes = 128 * 1024 * 1024;
const retryMs = 2_000;

/** Address of a log's bytes. */
export function logUrl({ owner, project, number, stepId }: LogAddress): string {
  return `/api/v1/projects/${encodeURIComponent(owner)}/${encodeURIComponent(project)}/pipelines/${number}/steps/${stepId}/log`;
}

/**
 * Brings a step's log into a store: what is there by one download, what comes by the stream. Every piece says where it
 * stands, so nothing is missed and nothing shown twice, whatever was cut, repeated or out of order.
 */
export class LogFeed {
  readonly store = new LogStore();
  state: LogState = 'loading';
  readonly #address: LogAddress;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  #isStarted: boolean;
  #isFinished: boolean;
  #wasLive = liveState() === 'live';
  #haveBytes = 0;
  #endBytes: number | undefined;
  /** Pieces that came before what stands between us and them. */
  #early: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #isFetching = false;
  #isFetchDue = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  constructor(address: LogAddress, { isStarted, isFinished }: StepProgress) {
    this.#address = address;
    this.#isStarted = isStarted;
    this.#isFinished = isFinished;
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

  #takePiece(piece: StreamEvents['log']): void {
    if (this.#isClosed()) return;
    const bytes = decodeBase64(piece.text);
    this.#isStarted = true;
    if (piece.end) this.#endBytes = piece.offset + bytes.length;
    if (piece.offset > this.#haveBytes) {
      this.#early.push({ offset: piece.offset, bytes });
      void this.#fetch();
      return;
    }
    this.#accept(piece.offset, bytes);
    this.#settle();
  }

  #accept(offset: number, bytes: Uint8Array): void {
    const fresh = bytes.subarray(Math.max(0, this.#haveBytes - offset));
    if (offset > this.#haveBytes || fresh.length === 0) return;
    this.#haveBytes += fresh.length;
    this.store.append(fresh);
    if (this.#haveBytes > maxBytes) {
      this.#release();
      this.#setState('too-large');
      this.#stop.abort();
    } else this.#setState('growing');
  }

  #acceptEarly(): void {
    const early = this.#early.sort((a, b) => a.offset - b.offset);
    this.#early = [];
    for (const piece of early)
      if (piece.offset <= this.#haveBytes) this.#accept(piece.offset, piece.bytes);
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
      const hasAll = await this.#download();
      this.#acceptEarly();
      if (hasAll && wasFinished && this.#early.length === 0) this.#endBytes ??= this.#haveBytes;
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

  /** Whether everything that there was has come. */
  async #download(): Promise<boolean> {
    // One byte again: a range that begins at the end of what there is would be an error.
    const from = Math.max(0, this.#haveBytes - 1);
    const response = await fetch(logUrl(this.#address), {
      headers: from > 0 ? { Range: `bytes=${from}-` } : {},
      signal: this.#stop.signal,
    });
    // Not opened yet, or it ended without a word.
    if (response.status === 404) {
      await response.body?.cancel();
      return true;
    }
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    let offset = response.status === 206 ? from : 0;
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      this.#accept(offset, read.value);
      offset += read.value.length;
    }
    return true;
  }

  #settle(): void {
    if (this.state === 'too-large') return;
    if (this.#endBytes !== undefined && this.#haveBytes >= this.#endBytes) {
      this.#release();
      this.#setState('ended');
    } else this.#setState(this.#haveBytes === 0 ? 'empty' : 'growing');
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

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

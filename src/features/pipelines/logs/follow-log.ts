import { setTimeout as sleep } from 'node:timers/promises';
import type { LogBus, LogPiece } from '../../../core/events.ts';
import type { LogStorage } from '../../../drivers/logs/logs.ts';

export interface FollowLogDeps {
  readonly logs: LogStorage;
  readonly logBus: LogBus;
  /** Whether the step may still write: a step that is over and has no log will never have one. */
  readonly isOpen: () => Promise<boolean>;
  /** Gives nothing before the storage tells of it: only then is it known when it came. */
  readonly isStoredOnly?: boolean;
}

/** Live output that is kept for a viewer who is slow; beyond it, the viewer catches up from the file. */
const maxQueuedBytes = 256 * 2 ** 10;
const readBytes = 64 * 2 ** 10;
/** The net under the bus: how long a viewer waits before it looks by itself. */
const lookAgainMs = 1_000;
/** The bus tells of bytes before they are on disk: about so long a sync takes. */
const untilStoredMs = 20;

/** Gives a log from a byte on, to its end, in pieces of any size: what is there at once, then what comes as it comes. */
export async function* followLog(
  deps: FollowLogDeps,
  stepId: number,
  fromByte: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const queue = new LiveQueue(deps.logBus, stepId, signal);
  let offset = fromByte;
  try {
    while (!signal.aborted) {
      const live = deps.isStoredOnly ? undefined : queue.take(offset);
      const bytes = live ?? (await deps.logs.read(stepId, offset, readBytes));
      if (bytes && bytes.length > 0) {
        offset += bytes.length;
        yield bytes;
        continue;
      }
      // Asked before the state of the log: a step that ends in between has ended its log already.
      const isOpen = await deps.isOpen();
      const state = await deps.logs.find(stepId);
      if (state ? state.isEnded && offset >= state.sizeBytes : !isOpen) return;
      const hasChanged = await queue.change(lookAgainMs);
      if (deps.isStoredOnly && hasChanged) await sleep(untilStoredMs);
    }
  } finally {
    queue.leave();
  }
}

/** Pieces that came and were not shown yet. */
class LiveQueue {
  readonly leave: () => void;
  #pieces: LogPiece[] = [];
  #bytes = 0;
  #hasChanged = false;
  #wake: () => void = () => {};

  constructor(bus: LogBus, stepId: number, signal: AbortSignal) {
    const stop = bus.subscribe(stepId, (piece) => this.#add(piece));
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    this.leave = () => {
      stop();
      signal.removeEventListener('abort', wake);
      this.#pieces = [];
    };
  }

  /** The bytes at this offset, if they came just now. What stands before it was shown from the file. */
  take(offset: number): Buffer | undefined {
    for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
      if (piece.offset > offset) return undefined;
      this.#pieces.shift();
      this.#bytes -= piece.bytes.length;
      const rest = piece.bytes.subarray(offset - piece.offset);
      if (rest.length > 0) return rest;
    }
    return undefined;
  }

  /** Resolves when a piece came since the last time it was asked, or after the time given: with whether one came. */
  async change(withinMs: number): Promise<boolean> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        timer.unref();
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  #add(piece: LogPiece): void {
    this.#hasChanged = true;
    this.#pieces.push(piece);
    this.#bytes += piece.bytes.length;
    if (this.#bytes > maxQueuedBytes) {
      this.#pieces = [];
      this.#bytes = 0;
    }
    this.#wake();
  }
}

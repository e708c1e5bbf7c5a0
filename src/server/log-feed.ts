import type { LogBus, LogPiece } from '../core/events.ts';
import { encodeEvent } from './sent-event.ts';

/** Part of a log, encoded once for all that watch it. */
export interface LogFrame {
  readonly stepId: number;
  readonly offset: number;
  readonly endOffset: number;
  readonly isEnd: boolean;
  readonly encoded: Uint8Array;
}

/** After a first piece at once, what comes is gathered this long: a viewer cannot see the difference, the CPU can. */
const gatherMs = 20;
/** Bytes of one frame: a slow viewer must not miss more than it has to. */
const frameBytes = 16 * 1024;
/** Gathered beyond this, pieces go out without waiting. */
const gatherLimitBytes = 256 * 1024;

interface Watched {
  readonly viewers: Set<(frame: LogFrame) => void>;
  readonly leave: () => void;
  readonly pieces: LogPiece[];
  gatheredBytes: number;
  timer: NodeJS.Timeout | undefined;
}

/** Passes live output on to those who watch it: one subscription and one encoding per step, however many watch. */
export class LogFeed {
  readonly #bus: LogBus;
  readonly #steps = new Map<number, Watched>();

  constructor(bus: LogBus) {
    this.#bus = bus;
  }

  watch(stepId: number, viewer: (frame: LogFrame) => void): () => void {
    let step = this.#steps.get(stepId);
    if (!step) {
      const made: Watched = {
        viewers: new Set(),
        leave: this.#bus.subscribe(stepId, (piece) => gather(made, piece)),
        pieces: [],
        gatheredBytes: 0,
        timer: undefined,
      };
      step = made;
      this.#steps.set(stepId, step);
    }
    const { viewers } = step;
    viewers.add(viewer);
    return () => {
      viewers.delete(viewer);
      const present = this.#steps.get(stepId);
      if (viewers.size > 0 || present?.viewers !== viewers) return;
      present.leave();
      clearTimeout(present.timer);
      this.#steps.delete(stepId);
    };
  }
}

function gather(step: Watched, piece: LogPiece): void {
  step.pieces.push(piece);
  step.gatheredBytes += piece.bytes.length;
  if (!step.timer || step.gatheredBytes >= gatherLimitBytes || piece.isEnd) send(step);
}

function send(step: Watched): void {
  clearTimeout(step.timer);
  step.timer = undefined;
  if (step.pieces.length === 0) return;
  for (const run of runsOf(step.pieces.splice(0)))
    for (const frame of framesOf(run)) for (const viewer of step.viewers) viewer(frame);
  step.gatheredBytes = 0;
  step.timer = setTimeout(() => {
    step.timer = undefined;
    send(step);
  }, gatherMs);
  step.timer.unref();
}

/** Pieces that follow each other without a gap, joined. */
function runsOf(pieces: readonly LogPiece[]): LogPiece[] {
  const runs: { stepId: number; offset: number; parts: Buffer[]; endOffset: number; isEnd: boolean }[] = [];
  for (const { stepId, offset, bytes, isEnd } of pieces) {
    const last = runs.at(-1);
    if (last?.endOffset === offset) {
      last.parts.push(bytes);
      last.endOffset += bytes.length;
      last.isEnd ||= isEnd;
    } else runs.push({ stepId, offset, parts: [bytes], endOffset: offset + bytes.length, isEnd });
  }
  return runs.map(({ stepId, offset, parts, isEnd }) => ({ stepId, offset, bytes: Buffer.concat(parts), isEnd }));
}

function framesOf({ stepId, offset, bytes, isEnd }: LogPiece): LogFrame[] {
  const frames: LogFrame[] = [];
  for (let at = 0; at < bytes.length || frames.length === 0; at += frameBytes) {
    const part = bytes.subarray(at, at + frameBytes);
    const end = isEnd && at + part.length === bytes.length;
    frames.push(logFrame(stepId, offset + at, part, end));
  }
  return frames;
}

/** Also for an end mark alone, with no bytes. */
export function logFrame(stepId: number, offset: number, bytes: Buffer, isEnd: boolean): LogFrame {
  return {
    stepId,
    offset,
    endOffset: offset + bytes.length,
    isEnd,
    encoded: encodeEvent('log', { stepId, offset, text: bytes.toString('base64'), end: isEnd }),
  };
}

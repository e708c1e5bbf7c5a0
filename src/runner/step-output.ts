import type { LogChunk } from '../drivers/logs/logs.ts';
import { type MaskSet, StreamMasker } from '../engine/masking/masker.ts';
import type { Clock } from '../lib/clock.ts';
import { formatSize } from '../lib/size.ts';
import type { Timers } from '../lib/timers.ts';
import { FailureExcerptFinder } from './failure-excerpt.ts';
import type { OutputBudget } from './output-budget.ts';

type Stream = LogChunk['stream'];

/** What is sent to the server of one step's output. */
export interface OutputSink {
  sendChunk(chunk: LogChunk): void;
  sendEnd(sequence: number, isCut: boolean): void;
}

export interface StepOutputDeps {
  readonly sink: OutputSink;
  readonly budget: OutputBudget;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logLimitBytes: number;
  readonly masks: MaskSet;
}

const chunkBytes = 64 * 2 ** 10;
/** How long output gathers while the last chunk is under way (performance 5.8). */
const gatherMs = 20;
/** How long bytes are held that may be the beginning of a secret (engine.md 7). */
const holdMs = 50;

interface Piece {
  readonly stream: Stream;
  readonly bytes: Buffer;
}

/**
 * The way of a step's output from the runtime to the server: masked, cut into chunks, kept until the server has each of
 * them on disk. The first line leaves at once; then goes what gathered while the last chunk was under way, for at most
 * 20 ms. While too much is kept, `write` answers a promise, and the step waits.
 */
export class StepOutput {
  readonly #deps: StepOutputDeps;
  /** When the step started; unknown while its image is being pulled. */
  #startedMs: number | undefined;
  readonly #maskers = new Map<Stream, StreamMasker>();
  readonly #excerpt = new FailureExcerptFinder();
  #masks: MaskSet;
  /** Masked and not yet sent. */
  #pending: Piece[] = [];
  #pendingBytes = 0;
  /** Sent and not yet on the server's disk, oldest first. */
  #unstored: LogChunk[] = [];
  #sequence = 0;
  #sizeBytes = 0;
  #isCut = false;
  #end: 'open' | 'ended' | 'stored' = 'open';
  #isDropped = false;
  #takeBackGather: (() => void) | undefined;
  #takeBackHold: (() => void) | undefined;

  constructor(deps: StepOutputDeps) {
    this.#deps = deps;
    this.#masks = deps.masks;
  }

  /** The step starts now: from here on its output is timed. */
  noteStarted(): void {
    this.#startedMs = this.#deps.clock.monotonicMs();
  }

  /** Replaces what is masked, from here on. */
  useMasks(masks: MaskSet): void {
    if (masks === this.#masks || this.#end !== 'open') return;
    this.#masks = masks;
    const held = [...this.#maskers].map(([stream, masker]) => ({ stream, bytes: masker.takeHeld() }));
    this.#maskers.clear();
    for (const { stream, bytes } of held) this.#mask(stream, bytes);
  }

  /** A whole line of Gantry's own. */
  writeLine(line: string): void {
    this.#mask('system', Buffer.from(`${line}\n`));
  }

  /** Takes what the step wrote. Await what it answers before reading on. */
  write(stream: 'stdout' | 'stderr', bytes: Buffer): void | Promise<void> {
    if (this.#end !== 'open' || this.#isDropped) return undefined;
    this.#mask(stream, bytes);
    return this.#deps.budget.wait(this);
  }

  /** Nothing more will come: what was held goes out, and the end mark behind it. */
  end(): void {
    if (this.#end !== 'open') return;
    this.#flushMaskers();
    this.#end = 'ended';
    this.#takeBackHold?.();
    this.#send();
    this.#deps.sink.sendEnd(this.#sequence + 1, this.#isCut);
  }

  /** The server has everything up to this number on disk; one above the last chunk is the end mark. */
  noteStored(sequence: number): void {
    if (this.#end === 'ended' && sequence > this.#sequence) this.#end = 'stored';
    let count = 0;
    let bytes = 0;
    while (count < this.#unstored.length && this.#unstored[count]!.sequence <= sequence) {
      bytes += this.#unstored[count]!.bytes.length;
      count += 1;
    }
    if (count === 0) return;
    this.#unstored.splice(0, count);
    this.#deps.budget.release(this, bytes);
    if (this.#unstored.length === 0) this.#send();
  }

  /** The line is new: everything that is not known to be stored goes again, in order. */
  resend(): void {
    for (const chunk of this.#unstored) this.#deps.sink.sendChunk(chunk);
    if (this.#end === 'ended') this.#deps.sink.sendEnd(this.#sequence + 1, this.#isCut);
  }

  /** Whether the server has it whole, end mark included; also when there was nothing to say. */
  get isStored(): boolean {
    return this.#end === 'stored' || this.#isDropped;
  }

  /** Whether nothing was ever written. */
  get isEmpty(): boolean {
    return this.#sequence === 0 && this.#pending.length === 0 && [...this.#maskers.values()].every(isIdle);
  }

  /** Nobody wants it any more: forgets all, and lets the step run on into nothing. */
  drop(): void {
    this.#isDropped = true;
    this.#takeBackGather?.();
    this.#takeBackHold?.();
    this.#pending = [];
    this.#unstored = [];
    this.#maskers.clear();
    this.#deps.budget.forget(this);
  }

  /** Where a failure shows itself, in what was written so far. */
  failureExcerpt() {
    return this.#excerpt.find();
  }

  #mask(stream: Stream, bytes: Buffer): void {
    let masker = this.#maskers.get(stream);
    if (!masker) {
      masker = new StreamMasker(this.#masks);
      this.#maskers.set(stream, masker);
    }
    for (const piece of masker.write(bytes)) this.#take(stream, piece);
    if (masker.heldBytes > 0) this.#holdForAWhile();
    this.#gather();
  }

  #holdForAWhile(): void {
    this.#takeBackHold ??= this.#deps.timers.after(holdMs, () => {
      this.#takeBackHold = undefined;
      for (const [stream, masker] of this.#maskers) for (const piece of masker.release()) this.#take(stream, piece);
      this.#gather();
    });
  }

  #flushMaskers(): void {
    for (const [stream, masker] of this.#maskers) for (const piece of masker.end()) this.#take(stream, piece);
  }

  /** Masked bytes, in the order in which they will stand in the log. */
  #take(stream: Stream, bytes: Buffer): void {
    this.#excerpt.write(bytes);
    if (this.#isCut || this.#isDropped) return;
    const room = this.#deps.logLimitBytes - this.#sizeBytes;
    if (bytes.length <= room) this.#keep(stream, bytes);
    else {
      this.#keep(stream, bytes.subarray(0, room));
      this.#keep('system', Buffer.from(`\n… log cut at ${formatSize(this.#deps.logLimitBytes)}\n`));
      this.#isCut = true;
    }
  }

  #keep(stream: Stream, bytes: Buffer): void {
    if (bytes.length === 0) return;
    // A copy: the driver may read into its buffer again, and a small piece would keep a large one in memory.
    this.#pending.push({ stream, bytes: Buffer.from(bytes) });
    this.#pendingBytes += bytes.length;
    this.#sizeBytes += bytes.length;
    this.#deps.budget.take(this, bytes.length);
  }

  #gather(): void {
    if (this.#pendingBytes === 0) return;
    if (this.#unstored.length === 0 || this.#pendingBytes >= chunkBytes) this.#send();
    else
      this.#takeBackGather ??= this.#deps.timers.after(gatherMs, () => {
        this.#takeBackGather = undefined;
        this.#send();
      });
  }

  #send(): void {
    this.#takeBackGather?.();
    this.#takeBackGather = undefined;
    const pieces = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const nowMs = this.#deps.clock.monotonicMs();
    const atMs = Math.round((nowMs - (this.#startedMs ?? nowMs)) * 1_000) / 1_000;
    for (const { stream, bytes } of joined(pieces)) {
      for (let from = 0; from < bytes.length; from += chunkBytes) {
        this.#sequence += 1;
        const chunk = { sequence: this.#sequence, stream, atMs, bytes: bytes.subarray(from, from + chunkBytes) };
        this.#unstored.push(chunk);
        this.#deps.sink.sendChunk(chunk);
      }
    }
  }
}

function isIdle(masker: StreamMasker): boolean {
  return masker.heldBytes === 0;
}

/** Neighbours of one stream as one. */
function joined(pieces: readonly Piece[]): Piece[] {
  const runs: { stream: Stream; parts: Buffer[] }[] = [];
  for (const { stream, bytes } of pieces) {
    const last = runs.at(-1);
    if (last?.stream === stream) last.parts.push(bytes);
    else runs.push({ stream, parts: [bytes] });
  }
  return runs.map(({ stream, parts }) => ({ stream, bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts) }));
}

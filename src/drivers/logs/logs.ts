/**
 * Where the output of steps is kept: an append-only file of masked bytes per step attempt, with an index of its chunks.
 *
 * Written by one server at a time, in the order of sequence numbers; read by many at any time, also while it grows.
 * After a crash the last good index record counts and the rest is cut off (engine.md 7).
 */
export interface LogStorage {
  /** Opens for writing at the end of what is good. The same step again answers the same writer. */
  open(stepId: number): Promise<LogWriter>;
  /** `undefined` when the step has no log. Bytes from `fromByte` on, at most `limitBytes`. */
  read(stepId: number, fromByte: number, limitBytes: number): Promise<Buffer | undefined>;
  /**
   * Chunks in their order, without their bytes: at most `limit`, from the one of that sequence number on, from the one
   * that holds that byte, or from the first one in which the newlines of the log so far reach that number. `undefined`
   * when the step has no log.
   */
  chunks(stepId: number, from: ChunkPlace, limit: number): Promise<readonly StoredChunk[] | undefined>;
  /** How far it goes, without opening it for writing. */
  find(stepId: number): Promise<LogState | undefined>;
  remove(stepId: number): Promise<void>;
}

export interface LogState {
  /** Highest sequence number that is safe on disk; 0 when empty. The next chunk has this plus one. */
  readonly sequence: number;
  readonly sizeBytes: number;
  readonly lines: number;
  readonly isEnded: boolean;
  /** Whether the size cap cut it: the end mark says so. */
  readonly isCut: boolean;
}

export interface LogWriter {
  readonly state: LogState;
  /**
   * Resolves with the highest sequence number that is on disk. A number already stored is ignored (a resend);
   * a gap is refused. Chunks that gather while a sync is under way share the next one.
   */
  append(chunk: LogChunk): Promise<number>;
  /** Writes the end mark. Idempotent. */
  end(isCut: boolean): Promise<LogState>;
  close(): Promise<void>;
}

export interface LogChunk {
  readonly sequence: number;
  readonly stream: 'stdout' | 'stderr' | 'system';
  /** Milliseconds since the start of the step, by the runner's monotonic clock; 0 for what was said before it started. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

export type ChunkPlace = { readonly sequence: number } | { readonly byte: number } | { readonly newlines: number };

/** What is known of a chunk that is on disk. */
export interface StoredChunk {
  readonly sequence: number;
  readonly atMs: number;
  /** Where it begins in the log. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** Newlines of the log before it, and in it. */
  readonly newlinesBefore: number;
  readonly newlines: number;
  /** Whether its first byte begins a line: what came before ended with a newline, or nothing came before. */
  readonly beginsLine: boolean;
  /** Whether the log up to its end ends with a newline. */
  readonly endsLine: boolean;
}

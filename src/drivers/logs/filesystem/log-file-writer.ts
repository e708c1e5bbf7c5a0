import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { GantryError } from '../../../core/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import type { LogChunk, LogState, LogWriter } from '../logs.ts';
import { decodeRecord, encodeRecord, follows, type IndexRecord, recordBytes } from './log-index.ts';

/** Bytes that share one sync at most. */
const syncBytes = 4 * 2 ** 20;
const newline = 10;

export interface LogPaths {
  readonly stepId: number;
  readonly data: string;
  readonly index: string;
}

/** A chunk, or the end mark: that is always the last. */
interface Waiting {
  readonly entry: LogChunk | { readonly isCut: boolean };
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Writes one log. Data is synced, then the index that speaks of it, then the caller hears of it: whatever the index
 * says is there, is there. After a failure nothing more is taken: what is on disk is judged anew by the next `open`.
 */
export class LogFileWriter implements LogWriter {
  readonly #paths: LogPaths;
  readonly #data: FileHandle;
  readonly #index: FileHandle;
  readonly #onClose: () => void;
  #last: IndexRecord | undefined;
  /** Highest number that was taken, on disk or not. */
  #takenSequence: number;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #ending: Promise<number> | undefined;
  /** The names of new files become durable while the first bytes are written. */
  #named: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  private constructor(
    paths: LogPaths,
    data: FileHandle,
    index: FileHandle,
    last: IndexRecord | undefined,
    named: Promise<void>,
    onClose: () => void,
  ) {
    this.#paths = paths;
    this.#data = data;
    this.#index = index;
    this.#last = last;
    this.#takenSequence = chunkSequence(last);
    this.#named = named;
    this.#onClose = onClose;
  }

  /** Opens the log, cuts off what a crash left half-written, and makes the names of new files durable. */
  static async open(paths: LogPaths, onClose: () => void): Promise<LogFileWriter> {
    const folder = dirname(paths.data);
    const { data, firstMade } = await openData(paths.data, folder);
    try {
      const index = await open(paths.index, constants.O_RDWR | constants.O_CREAT, 0o640);
      try {
        const last = await recover(data, index);
        const named = syncFolders(folder, firstMade);
        // Whoever writes first hears of it; one that never writes has nothing to lose.
        named.catch(() => undefined);
        return new LogFileWriter(paths, data, index, last, named, onClose);
      } catch (error) {
        await index.close();
        throw error;
      }
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  get state(): LogState {
    return stateOf(this.#last);
  }

  append(chunk: LogChunk): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#isClosed) return Promise.reject(this.#refusal('its writer is closed'));
    if (chunk.sequence <= this.#takenSequence) return this.#storedBefore();
    if (this.#ending || this.#last?.kind === 'end') return Promise.reject(this.#refusal('it has ended'));
    if (chunk.sequence !== this.#takenSequence + 1)
      return Promise.reject(
        this.#refusal(`chunk ${chunk.sequence} came where ${this.#takenSequence + 1} was expected`),
      );
    this.#takenSequence = chunk.sequence;
    return this.#enqueue(chunk);
  }

  async end(isCut: boolean): Promise<LogState> {
    if (this.#failure) throw this.#failure;
    if (this.#last?.kind === 'end') return this.state;
    if (this.#isClosed) throw this.#refusal('its writer is closed');
    this.#ending ??= this.#enqueue({ isCut });
    await this.#ending;
    return this.state;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#flushing;
    await this.#ending?.catch(() => undefined);
    this.#onClose();
    await this.#closeFiles();
  }

  async #closeFiles(): Promise<void> {
    await Promise.all([this.#data.close(), this.#index.close()]);
  }

  /** A resend: answered once what it repeats is safe. */
  async #storedBefore(): Promise<number> {
    await this.#flushing;
    if (this.#failure) throw this.#failure;
    return chunkSequence(this.#last);
  }

  #enqueue(entry: Waiting['entry']): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      // Not at once: what comes in the same turn, the end mark above all, shares the sync.
      this.#flushing ??= Promise.resolve().then(() => this.#flush());
    });
  }

  /** Goes on as long as something waits: chunks that gather during a sync share the next one. */
  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#store(batch.map(({ entry }) => entry));
        const sequence = chunkSequence(this.#last);
        for (const { resolve } of batch) resolve(sequence);
      } catch (error) {
        const failure = this.#fail(error);
        for (const { reject } of batch) reject(failure);
        for (const { reject } of this.#waiting.splice(0)) reject(failure);
      }
    }
    this.#flushing = undefined;
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && bytes < syncBytes) {
      const { entry } = this.#waiting[count]!;
      if ('bytes' in entry) bytes += entry.bytes.length;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(entries: readonly Waiting['entry'][]): Promise<void> {
    let last = this.#last;
    const records = entries.map((entry) => {
      last = 'bytes' in entry ? recordOf(entry, last) : endRecord(entry.isCut, last);
      return last;
    });
    const pieces = entries.flatMap((entry) => ('bytes' in entry && entry.bytes.length > 0 ? [entry.bytes] : []));
    if (pieces.length > 0) {
      await writeAll(this.#data, pieces, this.#last?.endOffset ?? 0);
      await failpoint('log.afterWrite');
      await this.#data.datasync();
    }
    await this.#writeIndex(records);
    await this.#named;
    this.#named = undefined;
    this.#last = last;
    await failpoint('log.afterSync');
  }

  async #writeIndex(records: readonly IndexRecord[]): Promise<void> {
    await writeAll(this.#index, records.map(encodeRecord), (this.#last?.sequence ?? 0) * recordBytes);
    await this.#index.datasync();
  }

  /** After a failed write or sync nobody knows what the disk holds: the writer is of no more use. */
  #fail(cause: unknown): Error {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new GantryError(
      'DATABASE_FAILED',
      `Cannot store the log of step ${this.#paths.stepId}: ${reason}`,
      { cause },
    );
    this.#onClose();
    this.#isClosed = true;
    // Nothing hangs on it any more: what could not be written is told to the callers already.
    this.#closeFiles().catch(() => undefined);
    return this.#failure;
  }

  #refusal(what: string): GantryError {
    return new GantryError('REQUEST_INVALID', `Cannot append to the log of step ${this.#paths.stepId}: ${what}`);
  }
}

export function stateOf(last: IndexRecord | undefined): LogState {
  return {
    sequence: chunkSequence(last),
    sizeBytes: last?.endOffset ?? 0,
    lines: last?.lines ?? 0,
    isEnded: last?.kind === 'end',
    isCut: last?.isCut ?? false,
  };
}

/** Number of the last chunk: the end mark has one too, but is none. */
function chunkSequence(last: IndexRecord | undefined): number {
  if (!last) return 0;
  return last.kind === 'end' ? last.sequence - 1 : last.sequence;
}

function recordOf(chunk: LogChunk, previous: IndexRecord | undefined): IndexRecord {
  return {
    sequence: chunk.sequence,
    kind: chunk.stream,
    isCut: false,
    endsLine: chunk.bytes.length === 0 ? previous?.endsLine === true : chunk.bytes.at(-1) === newline,
    atMs: chunk.atMs,
    endOffset: (previous?.endOffset ?? 0) + chunk.bytes.length,
    lines: (previous?.lines ?? 0) + countNewlines(chunk.bytes),
    crc32: crc32(chunk.bytes),
  };
}

function endRecord(isCut: boolean, previous: IndexRecord | undefined): IndexRecord {
  return {
    sequence: chunkSequence(previous) + 1,
    kind: 'end',
    isCut,
    endsLine: previous?.endsLine === true,
    atMs: previous?.atMs ?? 0,
    endOffset: previous?.endOffset ?? 0,
    lines: previous?.lines ?? 0,
    crc32: 0,
  };
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

async function writeAll(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let left = [...buffers];
  let at = position;
  while (left.length > 0) {
    // IOV_MAX: the kernel takes 1024 at once.
    const { bytesWritten } = await file.writev(left.slice(0, 1_024), at);
    at += bytesWritten;
    left = withoutFirst(left, bytesWritten);
  }
}

function withoutFirst(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  let from = 0;
  while (from < buffers.length && skip >= buffers[from]!.length) {
    skip -= buffers[from]!.length;
    from += 1;
  }
  const rest = buffers.slice(from);
  if (skip > 0 && rest.length > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}

/** Opens the file of a log, and makes the folder where it is the first one there: answers the topmost folder that it made. */
async function openData(
  path: string,
  folder: string,
): Promise<{ readonly data: FileHandle; readonly firstMade: string | undefined }> {
  const flags = constants.O_RDWR | constants.O_CREAT;
  try {
    return { data: await open(path, flags, 0o640), firstMade: undefined };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const firstMade = await mkdir(folder, { recursive: true });
    return { data: await open(path, flags, 0o640), firstMade };
  }
}

/** A folder's own sync makes the names in it durable; each folder that was made is a name in the one above. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const topmost = firstMade ? dirname(firstMade) : folder;
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === topmost || at === dirname(at)) return;
  }
}

/**
 * Finds the last good record and cuts both files off behind it. Records must follow each other without a gap; then
 * those at the tail whose bytes are not what they say are dropped. Damage further up is left for the scrub to tell:
 * cutting there would destroy what was acknowledged.
 */
async function recover(data: FileHandle, index: FileHandle): Promise<IndexRecord | undefined> {
  const [{ size: dataBytes }, { size: indexBytes }] = await Promise.all([data.stat(), index.stat()]);
  // As nearly always: a step that only just begins.
  if (dataBytes === 0 && indexBytes === 0) return undefined;
  const records = await goodRecords(index);
  while (records.length > 0 && !(await isStored(data, dataBytes, records))) records.pop();

  const last = records.at(-1);
  if (indexBytes !== records.length * recordBytes) {
    await index.truncate(records.length * recordBytes);
    await index.datasync();
  }
  if (dataBytes !== (last?.endOffset ?? 0)) {
    await data.truncate(last?.endOffset ?? 0);
    await data.datasync();
  }
  return last;
}

async function goodRecords(index: FileHandle): Promise<IndexRecord[]> {
  const bytes = await index.readFile();
  const records: IndexRecord[] = [];
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    const record = decodeRecord(bytes.subarray(at, at + recordBytes));
    if (!record || !follows(record, records.at(-1))) break;
    records.push(record);
  }
  return records;
}

async function isStored(data: FileHandle, dataBytes: number, records: readonly IndexRecord[]): Promise<boolean> {
  const record = records.at(-1)!;
  if (record.endOffset > dataBytes) return false;
  if (record.kind === 'end') return true;
  const from = records.at(-2)?.endOffset ?? 0;
  const bytes = Buffer.alloc(record.endOffset - from);
  const { bytesRead } = await data.read(bytes, 0, bytes.length, from);
  return bytesRead === bytes.length && crc32(bytes) === record.crc32;
}

import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChunkPlace, LogState, LogStorage, LogWriter, StoredChunk } from '../logs.ts';
import { LogFileWriter, type LogPaths, stateOf } from './log-file-writer.ts';
import { chunkOf, decodeRecord, type IndexRecord, recordBytes } from './log-index.ts';

/** Steps whose logs share a folder: a folder of more names gets slow to list and to sync. */
const stepsPerFolder = 1_000;

/** Logs as files below one folder: `<shard>/<step>.log` holds the bytes, `<step>.idx` a record per chunk. */
export class FilesystemLogs implements LogStorage {
  readonly #folder: string;
  readonly #writers = new Map<number, Promise<LogFileWriter>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  open(stepId: number): Promise<LogWriter> {
    const existing = this.#writers.get(stepId);
    if (existing) return existing;
    const opening: Promise<LogFileWriter> = LogFileWriter.open(this.#pathsOf(stepId), () => {
      if (this.#writers.get(stepId) === opening) this.#writers.delete(stepId);
    });
    this.#writers.set(stepId, opening);
    opening.catch(() => this.#writers.delete(stepId));
    return opening;
  }

  async read(stepId: number, fromByte: number, limitBytes: number): Promise<Buffer | undefined> {
    // Bytes behind what the index tells of may still be taken back by a crash: nobody sees them.
    const state = await this.find(stepId);
    if (!state) return undefined;
    const length = Math.max(0, Math.min(limitBytes, state.sizeBytes - fromByte));
    if (length === 0) return Buffer.alloc(0);
    const file = await openIfThere(this.#pathsOf(stepId).data);
    if (!file) return undefined;
    try {
      const bytes = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(bytes, 0, length, fromByte);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async chunks(stepId: number, from: ChunkPlace, limit: number): Promise<readonly StoredChunk[] | undefined> {
    const state = await this.find(stepId);
    const index = state && (await openIfThere(this.#pathsOf(stepId).index));
    if (!index) return undefined;
    try {
      const first =
        'sequence' in from
          ? Math.max(1, from.sequence)
          : await firstThat(index, state, ({ lines, endOffset }) =>
              'newlines' in from ? lines >= from.newlines : endOffset > from.byte,
            );
      const count = Math.min(limit, state.sequence - first + 1);
      if (count <= 0) return [];
      const records = await readRecords(index, first - 1, count + 1);
      return records.flatMap((record, i) => (record.sequence < first ? [] : [chunkOf(record, records[i - 1])]));
    } finally {
      await index.close();
    }
  }

  async find(stepId: number): Promise<LogState | undefined> {
    const writer = await this.#writers.get(stepId)?.catch(() => undefined);
    if (writer) return writer.state;
    const index = await openIfThere(this.#pathsOf(stepId).index);
    if (!index) return undefined;
    try {
      return stateOf(await lastRecord(index));
    } finally {
      await index.close();
    }
  }

  async remove(stepId: number): Promise<void> {
    const writer = await this.#writers.get(stepId)?.catch(() => undefined);
    await writer?.close();
    const { data, index } = this.#pathsOf(stepId);
    // The index goes first: without it the data is no log.
    await rm(index, { force: true });
    await rm(data, { force: true });
  }

  /** Closes every writer, after what they were given is stored. */
  async close(): Promise<void> {
    await Promise.allSettled(Array.from(this.#writers.values(), async (writer) => (await writer).close()));
  }

  #pathsOf(stepId: number): LogPaths {
    const shard = String(Math.floor(stepId / stepsPerFolder)).padStart(4, '0');
    const stem = join(this.#folder, shard, String(stepId));
    return { stepId, data: `${stem}.log`, index: `${stem}.idx` };
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The last undamaged record, looked for from the end: a crash damages only what is there. */
async function lastRecord(index: FileHandle): Promise<IndexRecord | undefined> {
  const { size } = await index.stat();
  const bytes = Buffer.alloc(recordBytes);
  for (let at = Math.floor(size / recordBytes) - 1; at >= 0; at -= 1) {
    await index.read(bytes, 0, recordBytes, at * recordBytes);
    const record = decodeRecord(bytes);
    if (record && record.sequence === at + 1) return record;
  }
  return undefined;
}

/** The records of up to `count` numbers, from `sequence` on; there is none with 0. */
async function readRecords(index: FileHandle, sequence: number, count: number): Promise<IndexRecord[]> {
  const first = Math.max(1, sequence);
  const bytes = Buffer.alloc((sequence + count - first) * recordBytes);
  const { bytesRead } = await index.read(bytes, 0, bytes.length, (first - 1) * recordBytes);
  const records: IndexRecord[] = [];
  for (let at = 0; at < bytesRead; at += recordBytes) {
    const record = decodeRecord(bytes.subarray(at, at + recordBytes));
    if (!record) break;
    records.push(record);
  }
  return records;
}

/** Number of the first chunk that is far enough, as all after it are; the one after the last when none is. */
async function firstThat(
  index: FileHandle,
  { sequence }: LogState,
  isFarEnough: (record: IndexRecord) => boolean,
): Promise<number> {
  let [low, high] = [1, sequence + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const [record] = await readRecords(index, middle, 1);
    if (record && isFarEnough(record)) high = middle;
    else low = middle + 1;
  }
  return low;
}

import { crc32 } from 'node:zlib';
import type { LogChunk, StoredChunk } from '../logs.ts';

/** One chunk of a log as its index keeps it. */
export interface IndexRecord {
  readonly sequence: number;
  /** `end` is the end mark: it adds no bytes. */
  readonly kind: LogChunk['stream'] | 'end';
  readonly isCut: boolean;
  /** Whether the log ends with a newline here. */
  readonly endsLine: boolean;
  readonly atMs: number;
  /** Where the chunk ends in the data file. */
  readonly endOffset: number;
  /** Newlines up to there. */
  readonly lines: number;
  /** Checksum of the chunk's bytes. */
  readonly crc32: number;
}

/**
 * Layout, little-endian: sequence u32 · kind u8 · is cut u8 · ends line u8 · a zero byte · at f64 · end offset f64 · lines f64 ·
 * checksum of the chunk u32 · checksum of these 36 bytes u32. Offsets are exact up to 2^53.
 */
export const recordBytes = 40;
const checkedBytes = 36;
const kinds = ['stdout', 'stderr', 'system', 'end'] as const;

export function encodeRecord(record: IndexRecord): Buffer {
  const bytes = Buffer.alloc(recordBytes);
  bytes.writeUInt32LE(record.sequence, 0);
  bytes.writeUInt8(kinds.indexOf(record.kind), 4);
  bytes.writeUInt8(record.isCut ? 1 : 0, 5);
  bytes.writeUInt8(record.endsLine ? 1 : 0, 6);
  bytes.writeDoubleLE(record.atMs, 8);
  bytes.writeDoubleLE(record.endOffset, 16);
  bytes.writeDoubleLE(record.lines, 24);
  bytes.writeUInt32LE(record.crc32, 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, checkedBytes)), checkedBytes);
  return bytes;
}

/** `undefined` when the bytes are not a whole, undamaged record. */
export function decodeRecord(bytes: Buffer): IndexRecord | undefined {
  if (bytes.length < recordBytes) return undefined;
  if (bytes.readUInt32LE(checkedBytes) !== crc32(bytes.subarray(0, checkedBytes))) return undefined;
  const kind = kinds[bytes.readUInt8(4)];
  if (!kind) return undefined;
  return {
    sequence: bytes.readUInt32LE(0),
    kind,
    isCut: bytes.readUInt8(5) === 1,
    endsLine: bytes.readUInt8(6) === 1,
    atMs: bytes.readDoubleLE(8),
    endOffset: bytes.readDoubleLE(16),
    lines: bytes.readDoubleLE(24),
    crc32: bytes.readUInt32LE(32),
  };
}

/** Whether `next` is what must follow `previous`: no gap, nothing after the end mark. */
export function follows(next: IndexRecord, previous: IndexRecord | undefined): boolean {
  if (!previous) return next.sequence === 1;
  return (
    previous.kind !== 'end' &&
    next.sequence === previous.sequence + 1 &&
    next.endOffset >= previous.endOffset &&
    next.lines >= previous.lines
  );
}

/** What a record says of its own chunk, given the record before it. */
export function chunkOf(record: IndexRecord, previous: IndexRecord | undefined): StoredChunk {
  const offset = previous?.endOffset ?? 0;
  const newlinesBefore = previous?.lines ?? 0;
  return {
    sequence: record.sequence,
    atMs: record.atMs,
    offset,
    sizeBytes: record.endOffset - offset,
    newlinesBefore,
    newlines: record.lines - newlinesBefore,
    beginsLine: offset === 0 || previous?.endsLine === true,
    endsLine: record.endsLine,
  };
}

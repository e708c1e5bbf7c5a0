import type { LogState, LogStorage } from '../../../drivers/logs/logs.ts';

/** Lines of a log that follow each other, as they are on disk. */
export interface LogLines {
  /** The number of the first one, from 1. */
  readonly firstLine: number;
  /** Where it begins. */
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface LineRange {
  /** From 1; a negative number counts from the end, so that -1 is the last line. */
  readonly fromLine: number;
  /** Lines at most. */
  readonly limit: number;
}

const newline = 10;
const readBytes = 128 * 2 ** 10;
/** What is given of lines that are this long in sum ends within one of them. */
const maxLinesBytes = 4 * 2 ** 20;

/** Lines of a log; the last one counts although it has not ended yet. */
export async function countLines(logs: Pick<LogStorage, 'read'>, stepId: number, state: LogState): Promise<number> {
  if (state.sizeBytes === 0) return 0;
  const last = await logs.read(stepId, state.sizeBytes - 1, 1);
  return state.lines + (last?.[0] === newline ? 0 : 1);
}

/** Reads no more of the log than the chunk in which the range begins, and the range. */
export async function readLines(
  logs: Pick<LogStorage, 'read' | 'chunks'>,
  stepId: number,
  state: LogState,
  { fromLine, limit }: LineRange,
): Promise<LogLines> {
  const total = fromLine < 0 ? await countLines(logs, stepId, state) : 0;
  const firstLine = Math.max(1, fromLine < 0 ? total + 1 + fromLine : fromLine);
  const offset = await offsetOfLine(logs, stepId, state, firstLine);
  const pieces: Buffer[] = [];
  let missing = limit;
  let gathered = 0;
  while (missing > 0 && gathered < maxLinesBytes) {
    const wanted = Math.min(readBytes, maxLinesBytes - gathered, state.sizeBytes - offset - gathered);
    const bytes = wanted > 0 ? await logs.read(stepId, offset + gathered, wanted) : undefined;
    if (!bytes || bytes.length === 0) break;
    const { end, count } = endOfLines(bytes, missing);
    pieces.push(bytes.subarray(0, end));
    gathered += end;
    missing -= count;
  }
  return { firstLine, offset, bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces) };
}

/** Where a line (from 1) begins; the end of the log when there are not that many. */
async function offsetOfLine(
  logs: Pick<LogStorage, 'read' | 'chunks'>,
  stepId: number,
  state: LogState,
  line: number,
): Promise<number> {
  const before = line - 1;
  if (before <= 0) return 0;
  if (before > state.lines) return state.sizeBytes;
  const [chunk] = (await logs.chunks(stepId, { newlines: before }, 1)) ?? [];
  const bytes = chunk && (await logs.read(stepId, chunk.offset, chunk.sizeBytes));
  if (!bytes) return state.sizeBytes;
  return chunk.offset + endOfLines(bytes, before - chunk.newlinesBefore).end;
}

/** Where at most `limit` lines end in these bytes, and how many newlines that are. */
function endOfLines(bytes: Buffer, limit: number): { readonly end: number; readonly count: number } {
  let at = 0;
  for (let count = 0; count < limit; count += 1) {
    const found = bytes.indexOf(newline, at);
    if (found === -1) return { end: bytes.length, count };
    at = found + 1;
  }
  return { end: at, count: limit };
}

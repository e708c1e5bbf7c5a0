import type { LogStorage, StoredChunk } from '../../../drivers/logs/logs.ts';

export interface LineTime {
  /** From 1: this line and those after it, up to the next item's. */
  readonly line: number;
  /** When their chunk came, in milliseconds since the step started. */
  readonly atMs: number;
}

export interface LineTimes {
  readonly items: readonly LineTime[];
  /** The line to go on from; `undefined` when these are all. */
  readonly next: number | undefined;
}

const chunksAtOnce = 5_000;

/**
 * When the lines of a log came, from `fromLine` on: one item for each chunk in which a line begins. Nothing finer is
 * known than when a chunk came.
 */
export async function findLineTimes(
  logs: Pick<LogStorage, 'chunks'>,
  stepId: number,
  { fromLine, limit }: { readonly fromLine: number; readonly limit: number },
): Promise<LineTimes> {
  const items: LineTime[] = [];
  let chunks = await logs.chunks(stepId, { newlines: fromLine - 1 }, chunksAtOnce);
  while (chunks && chunks.length > 0) {
    for (const chunk of chunks) {
      const { first, count } = linesBegunIn(chunk);
      if (count === 0 || first + count <= fromLine) continue;
      if (items.length === limit) return { items, next: first };
      items.push({ line: first, atMs: chunk.atMs });
    }
    chunks = await logs.chunks(stepId, { sequence: chunks.at(-1)!.sequence + 1 }, chunksAtOnce);
  }
  return { items, next: undefined };
}

/** A newline begins the next line only together with a byte of it. */
function linesBegunIn(chunk: StoredChunk): { readonly first: number; readonly count: number } {
  const { sizeBytes, beginsLine, endsLine, newlinesBefore, newlines } = chunk;
  const count = sizeBytes === 0 ? 0 : newlines + (beginsLine ? 1 : 0) - (endsLine ? 1 : 0);
  return { first: newlinesBefore + (beginsLine ? 1 : 2), count };
}

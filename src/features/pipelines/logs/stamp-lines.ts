import type { LogStorage, StoredChunk } from '../../../drivers/logs/logs.ts';

const chunksAtOnce = 1_000;
const newline = 10;
/** Stands where a time would: the step has not started (RFC 5424 writes an absent time so). */
const noTime = Buffer.from('- ');

/**
 * Puts in front of each line when it came, as `2026-11-26T18:00:00.123Z `: the time of the chunk in which it begins.
 * `pieces` are the bytes of a log from `offset` on, where a line begins, and only what its storage tells of.
 */
export async function* stampLines(
  {
    logs,
    startedAt,
  }: { readonly logs: Pick<LogStorage, 'chunks'>; readonly startedAt: () => Promise<Date | undefined> },
  stepId: number,
  offset: number,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void> {
  const chunks = new ChunkCursor(logs, stepId);
  let started = await startedAt();
  let at = offset;
  let isAtLineStart = true;
  for await (const piece of pieces) {
    started ??= await startedAt();
    const stamped: Buffer[] = [];
    for (let from = 0; from < piece.length; ) {
      if (isAtLineStart) {
        const atMs = await chunks.timeAt(at + from);
        stamped.push(
          started && atMs !== undefined ? Buffer.from(`${new Date(started.getTime() + atMs).toISOString()} `) : noTime,
        );
      }
      const end = piece.indexOf(newline, from);
      isAtLineStart = end !== -1;
      const to = isAtLineStart ? end + 1 : piece.length;
      stamped.push(piece.subarray(from, to));
      from = to;
    }
    at += piece.length;
    yield Buffer.concat(stamped);
  }
}

/** Goes through the chunks of a log once, in order. */
class ChunkCursor {
  readonly #logs: Pick<LogStorage, 'chunks'>;
  readonly #stepId: number;
  #chunks: readonly StoredChunk[] = [];
  #position = 0;

  constructor(logs: Pick<LogStorage, 'chunks'>, stepId: number) {
    this.#logs = logs;
    this.#stepId = stepId;
  }

  /** When the chunk came that holds this byte; offsets that are asked for only grow. */
  async timeAt(byte: number): Promise<number | undefined> {
    for (;;) {
      const chunk = this.#chunks[this.#position];
      if (chunk && byte < chunk.offset + chunk.sizeBytes) return chunk.atMs;
      if (chunk) this.#position += 1;
      else {
        this.#chunks = (await this.#logs.chunks(this.#stepId, { byte }, chunksAtOnce)) ?? [];
        this.#position = 0;
        if (this.#chunks.length === 0) return undefined;
      }
    }
  }
}

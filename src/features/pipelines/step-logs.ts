import type { LogBus, LogPiece } from '../../core/events.ts';
import type { LogChunk, LogStorage, LogWriter } from '../../drivers/logs/logs.ts';
import { MaskSet } from '../../engine/masking/masker.ts';
import { ChunkMasker } from './chunk-masker.ts';

interface OpenLog {
  readonly writer: LogWriter;
  readonly masker: ChunkMasker;
  /** Highest number taken in, on disk or on its way there. */
  sequence: number;
  /** Where the next chunk will stand. */
  offset: number;
}

const tokensOnly = new MaskSet([]);

type LogMessage = {
  readonly stepId: number;
  readonly sequence: number;
  readonly stream: 'stdout' | 'stderr' | 'system';
  readonly atMs: number;
};

/**
 * Takes in what steps print: to storage, and to whoever looks on. Each step's chunks are taken in their order; a number
 * that was taken before is a resend and answered again, a gap is answered with where to go on from.
 */
export class StepLogs implements LogBus {
  readonly #storage: LogStorage;
  readonly #listeners = new Map<number, Set<(piece: LogPiece) => void>>();
  readonly #open = new Map<number, Promise<OpenLog>>();
  /** Work on a step's log that has not settled. */
  readonly #underWay = new Map<number, Set<Promise<unknown>>>();

  constructor(storage: LogStorage) {
    this.#storage = storage;
  }

  subscribe(stepId: number, listener: (piece: LogPiece) => void): () => void {
    const listeners = this.#listeners.get(stepId) ?? new Set();
    this.#listeners.set(stepId, listeners);
    // Wrapped, so that the same function may subscribe twice and leave once.
    const entry = (piece: LogPiece): void => listener(piece);
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0 && this.#listeners.get(stepId) === listeners) this.#listeners.delete(stepId);
    };
  }

  /** Resolves once what has arrived of the steps' output is on disk, or could not be brought there. */
  async flushed(stepIds: readonly number[]): Promise<void> {
    await Promise.allSettled(stepIds.flatMap((stepId) => [...(this.#underWay.get(stepId) ?? [])]));
  }

  /** Masks it once more. Resolves with the number up to which everything is on disk. */
  append(message: LogMessage, bytes: Buffer, masks: MaskSet = tokensOnly): Promise<number> {
    return this.#watch(message.stepId, this.#append(message, bytes, masks));
  }

  /** Resolves with `sequence` once the end mark is on disk, or with where to go on from when chunks are missing. */
  end(stepId: number, sequence: number, isCut: boolean): Promise<number> {
    return this.#watch(stepId, this.#end(stepId, sequence, isCut));
  }

  #watch<T>(stepId: number, work: Promise<T>): Promise<T> {
    const underWay = this.#underWay.get(stepId) ?? new Set();
    this.#underWay.set(stepId, underWay);
    underWay.add(work);
    const leave = (): void => {
      underWay.delete(work);
      if (underWay.size === 0 && this.#underWay.get(stepId) === underWay) this.#underWay.delete(stepId);
    };
    work.then(leave, leave);
    return work;
  }

  async #append({ stepId, ...message }: LogMessage, bytes: Buffer, masks: MaskSet): Promise<number> {
    const log = await this.#openLog(stepId);
    if (message.sequence !== log.sequence + 1 || log.writer.state.isEnded) return log.writer.state.sequence;
    log.sequence = message.sequence;
    log.masker.useMasks(masks);
    const { sequence, stream, atMs } = message;
    return this.#store(stepId, log, log.masker.write({ sequence, stream, atMs, bytes }));
  }

  /** Offsets count masked bytes: the runner names chunks by their numbers alone. */
  async #store(stepId: number, log: OpenLog, chunks: readonly LogChunk[]): Promise<number> {
    let stored: Promise<number> | undefined;
    // In one turn, so that they share a sync and are on disk together.
    for (const chunk of chunks) {
      const { offset } = log;
      log.offset += chunk.bytes.length;
      // Shown on arrival, before it is on disk: a viewer compares offsets, and a resend says the same bytes.
      this.#publish({ stepId, offset, bytes: chunk.bytes, isEnd: false });
      stored?.catch(() => undefined);
      stored = log.writer.append(chunk);
    }
    try {
      return stored ? await stored : log.writer.state.sequence;
    } catch (error) {
      this.#open.delete(stepId);
      throw error;
    }
  }

  async #end(stepId: number, sequence: number, isCut: boolean): Promise<number> {
    const log = await this.#openLog(stepId);
    if (!log.writer.state.isEnded) {
      if (sequence !== log.sequence + 1) return log.writer.state.sequence;
      await this.#endLog(stepId, log, isCut);
    }
    return sequence;
  }

  /** Ends what a lost runner left open: a log without an end mark would never stop being followed. */
  async close(stepId: number): Promise<void> {
    if (!this.#open.has(stepId) && !(await this.#storage.find(stepId))) return;
    const log = await this.#openLog(stepId);
    if (!log.writer.state.isEnded) {
      await this.#endLog(stepId, log, false);
    }
    await this.forget(stepId);
  }

  async #endLog(stepId: number, log: OpenLog, isCut: boolean): Promise<void> {
    // In one turn as well: the last chunks and the end mark share a sync.
    const rest = this.#store(stepId, log, log.masker.end());
    await Promise.all([rest, log.writer.end(isCut)]);
    this.#publish({ stepId, offset: log.offset, bytes: Buffer.alloc(0), isEnd: true });
  }

  /** Gives the writer back; the next chunk opens it anew. */
  async forget(stepId: number): Promise<void> {
    const opening = this.#open.get(stepId);
    this.#open.delete(stepId);
    await (await opening)?.writer.close();
  }

  /** As `forget`, for all of them that have a writer. */
  async forgetAll(stepIds: readonly number[]): Promise<void> {
    await Promise.all(stepIds.filter((stepId) => this.#open.has(stepId)).map((stepId) => this.forget(stepId)));
  }

  /** Once what is under way has settled; nothing may be taken in after it. */
  async closeAll(): Promise<void> {
    await this.flushed([...this.#underWay.keys()]);
    await Promise.all([...this.#open.keys()].map((stepId) => this.forget(stepId)));
  }

  #publish(piece: LogPiece): void {
    for (const listener of this.#listeners.get(piece.stepId) ?? []) listener(piece);
  }

  #openLog(stepId: number): Promise<OpenLog> {
    let opening = this.#open.get(stepId);
    if (!opening) {
      opening = this.#storage.open(stepId).then((writer) => ({
        writer,
        masker: new ChunkMasker(tokensOnly),
        sequence: writer.state.sequence,
        offset: writer.state.sizeBytes,
      }));
      this.#open.set(stepId, opening);
      opening.catch(() => this.#open.delete(stepId));
    }
    return opening;
  }
}

import type { LogChunk, LogState, LogStorage, LogWriter } from '../../../src/drivers/logs/logs.ts';

export interface SimulatedLog {
  readonly chunks: LogChunk[];
  isEnded: boolean;
}

interface Pending {
  readonly stepId: number;
  apply(log: SimulatedLog): void;
  settle(log: SimulatedLog): void;
}

/** Log files that the scheduler syncs: what is not synced when the server dies is gone. */
export class SimulatedLogs implements LogStorage {
  readonly durable = new Map<number, SimulatedLog>();
  #pending: Pending[] = [];

  get waiting(): number {
    return this.#pending.length;
  }

  sync(atMost: number): void {
    for (const { stepId, apply, settle } of this.#pending.splice(0, atMost)) {
      const log = this.durable.get(stepId) ?? { chunks: [], isEnded: false };
      this.durable.set(stepId, log);
      apply(log);
      settle(log);
    }
  }

  die(): void {
    this.#pending = [];
  }

  open(stepId: number): Promise<LogWriter> {
    const state = (): LogState => this.#stateOf(stepId);
    return Promise.resolve({
      get state() {
        return state();
      },
      append: (chunk) =>
        new Promise<number>((resolve) => {
          this.#pending.push({
            stepId,
            apply: (log) => void log.chunks.push({ ...chunk, bytes: Buffer.from(chunk.bytes) }),
            settle: (log) => resolve(log.chunks.at(-1)?.sequence ?? 0),
          });
        }),
      end: () =>
        new Promise<LogState>((resolve) => {
          this.#pending.push({
            stepId,
            apply: (log) => {
              log.isEnded = true;
            },
            settle: () => resolve(state()),
          });
        }),
      close: () => Promise.resolve(),
    });
  }

  find(stepId: number): Promise<LogState | undefined> {
    return Promise.resolve(this.durable.has(stepId) ? this.#stateOf(stepId) : undefined);
  }

  read(): Promise<Buffer | undefined> {
    return Promise.resolve(undefined);
  }

  chunks(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  #stateOf(stepId: number): LogState {
    const log = this.durable.get(stepId);
    return {
      sequence: log?.chunks.at(-1)?.sequence ?? 0,
      sizeBytes: log?.chunks.reduce((sum, { bytes }) => sum + bytes.length, 0) ?? 0,
      lines: 0,
      isEnded: log?.isEnded ?? false,
      isCut: false,
    };
  }
}

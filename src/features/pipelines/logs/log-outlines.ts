import type { LogState, LogStorage } from '../../../drivers/logs/logs.ts';

/** A line that begins with "+ ": the runner prints each command so before it runs. */
export interface LogCommand {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** When the chunk came in which it begins, since the step started. */
  readonly atMs: number;
}

interface Outline {
  /** Up to where the log was looked through. */
  offset: number;
  readonly commands: LogCommand[];
  hasMore: boolean;
  /** Whether the line of the last command has not ended: it is read again. */
  isLastOpen: boolean;
}

const readBytes = 2 ** 20;
const textBytes = 400;
const maxCommands = 2_000;
const maxKept = 200;
const [plus, newline] = [43, 10];

/**
 * Finds the commands of logs. What was found in a log is kept while it is among those looked at last, and a log that
 * has grown is looked through from there on.
 */
export class LogOutlines {
  readonly #logs: Pick<LogStorage, 'read' | 'chunks'>;
  readonly #kept = new Map<number, Promise<Outline>>();

  constructor(logs: Pick<LogStorage, 'read' | 'chunks'>) {
    this.#logs = logs;
  }

  /** The first 2,000 commands, and whether there are more. */
  async find(
    stepId: number,
    state: LogState,
  ): Promise<{ readonly commands: readonly LogCommand[]; readonly hasMore: boolean }> {
    const before = this.#kept.get(stepId);
    // One after the other: two viewers must not look through the same bytes.
    const outline = (async (): Promise<Outline> => {
      const known = await before?.catch(() => undefined);
      const usable = known && known.offset <= state.sizeBytes ? known : none();
      return this.#extend(stepId, state, usable);
    })();
    this.#kept.delete(stepId);
    this.#kept.set(stepId, outline);
    outline.catch(() => this.#kept.delete(stepId));
    for (const [oldest] of this.#kept) if (this.#kept.size > maxKept) this.#kept.delete(oldest);
    const { commands, hasMore } = await outline;
    return { commands: [...commands], hasMore };
  }

  async #extend(stepId: number, state: LogState, outline: Outline): Promise<Outline> {
    if (outline.isLastOpen) outline.commands.pop();
    outline.isLastOpen = false;
    while (outline.offset < state.sizeBytes && !outline.hasMore) {
      // A byte before and one behind: a command may begin with the first byte, and its "+" may be the last.
      const from = Math.max(0, outline.offset - 1);
      const bytes = await this.#logs.read(stepId, from, Math.min(readBytes, state.sizeBytes - from));
      if (!bytes || bytes.length <= outline.offset - from) break;
      for (let at = bytes.indexOf('+ '); at !== -1; at = bytes.indexOf('+ ', at + 1)) {
        const begins = from + at;
        if (begins < outline.offset || (begins > 0 && bytes[at - 1] !== newline)) continue;
        outline.hasMore = outline.commands.length === maxCommands;
        if (outline.hasMore) break;
        const { command, isOpen } = (await this.#commandAt(stepId, begins)) ?? {};
        if (!command) continue;
        outline.commands.push(command);
        if (!isOpen) continue;
        outline.isLastOpen = true;
        outline.offset = begins;
        return outline;
      }
      const end = from + bytes.length;
      // The space that makes a command of it may be still to come.
      outline.offset = bytes.at(-1) === plus ? end - 1 : end;
      if (end === state.sizeBytes) break;
    }
    return outline;
  }

  async #commandAt(
    stepId: number,
    offset: number,
  ): Promise<{ readonly command: LogCommand; readonly isOpen: boolean } | undefined> {
    const [chunk] = (await this.#logs.chunks(stepId, { byte: offset }, 1)) ?? [];
    if (!chunk) return undefined;
    const before = await this.#logs.read(stepId, chunk.offset, offset - chunk.offset);
    const line = (await this.#logs.read(stepId, offset, textBytes)) ?? Buffer.alloc(0);
    const end = line.indexOf(newline);
    return {
      command: {
        line: chunk.newlinesBefore + (before?.reduce((sum, byte) => (byte === newline ? sum + 1 : sum), 0) ?? 0) + 1,
        text: line.subarray(0, end === -1 ? line.length : end).toString(),
        atMs: chunk.atMs,
      },
      isOpen: end === -1 && line.length < textBytes,
    };
  }
}

function none(): Outline {
  return { offset: 0, commands: [], hasMore: false, isLastOpen: false };
}

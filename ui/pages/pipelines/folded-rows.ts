/** Heights in px. A command's header can be clicked, and what can be clicked is at least 24 px high (WCAG 2.5.8). */
export const rowHeight = 20;
export const headerHeight = 24;

/**
 * Which line stands in which row while commands are folded. A command's own line is the header of what it printed;
 * what comes before the first command is always shown.
 */
export class FoldedRows {
  readonly #commands: readonly number[];
  readonly #lineCount: number;
  /** Rows above command i; one more at the end. */
  readonly #rowsBefore: Uint32Array;
  readonly #isOpen: (command: number) => boolean;

  constructor(commands: readonly number[], lineCount: number, isOpen: (command: number) => boolean) {
    this.#commands = commands;
    this.#lineCount = lineCount;
    this.#isOpen = isOpen;
    this.#rowsBefore = new Uint32Array(commands.length + 1);
    let rows = commands[0] ?? lineCount;
    for (let i = 0; i < commands.length; i++) {
      this.#rowsBefore[i] = rows;
      rows += isOpen(i) ? this.end(i) - (commands[i] ?? 0) : 1;
    }
    this.#rowsBefore[commands.length] = rows;
  }

  get count(): number {
    return this.#rowsBefore[this.#commands.length] ?? 0;
  }

  /** Of all rows, in px. */
  get height(): number {
    return this.topOf(this.count);
  }

  /** Where a row begins, in px. */
  topOf(row: number): number {
    const headersAbove = last(this.#rowsBefore, this.#commands.length, row - 1) + 1;
    return row * rowHeight + headersAbove * (headerHeight - rowHeight);
  }

  /** The row that stands at a height in px. */
  rowAt(top: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.topOf(middle) <= top) low = middle;
      else high = middle - 1;
    }
    return Math.min(low, Math.max(0, this.count - 1));
  }

  /** The line after the last one of a command's output. */
  end(command: number): number {
    return this.#commands[command + 1] ?? this.#lineCount;
  }

  lineAt(row: number): number {
    const command = last(this.#rowsBefore, this.#commands.length, row);
    if (command < 0) return row;
    return (this.#commands[command] ?? 0) + row - (this.#rowsBefore[command] ?? 0);
  }

  /** The row of a line, or of the header that hides it. */
  rowOf(line: number): number {
    const command = this.commandOf(line);
    if (command < 0) return line;
    const header = this.#rowsBefore[command] ?? 0;
    return this.#isOpen(command) ? header + line - (this.#commands[command] ?? 0) : header;
  }

  /** The command that printed the line (or is it); -1 before the first. */
  commandOf(line: number): number {
    return last(this.#commands, this.#commands.length, line);
  }
}

/** Index of the last of the first `length` ascending values that is ≤ `value`; -1 when there is none. */
function last(values: ArrayLike<number>, length: number, value: number): number {
  let [low, high] = [-1, length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((values[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

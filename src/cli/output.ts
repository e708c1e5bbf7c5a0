import type { CliIo, OutputStream } from './cli-io.ts';
import { cutToWidth, padToWidth, printable, textWidth } from './text-width.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'dim' | 'bold' | 'cyan';

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export interface Column<T> {
  readonly title: string;
  /** For people. */
  readonly text: (row: T) => string;
  /** For pipes, where it differs: whole ids, times in UTC. */
  readonly plain?: (row: T) => string;
  readonly colour?: (row: T) => Colour | undefined;
}

/** stdout is the answer, stderr everything else. Plain in a pipe: no colour, nothing cut. */
export class Output {
  readonly #io: CliIo;

  constructor(io: CliIo) {
    this.#io = io;
  }

  /** Whether a person reads the answer. */
  get isTerminal(): boolean {
    return this.#io.stdout.isTerminal;
  }

  /** Whether lines can be drawn again in place. */
  get isLive(): boolean {
    const { CI, TERM } = this.#io.environment;
    return this.#io.stderr.isTerminal && !CI && TERM !== 'dumb';
  }

  get columns(): number {
    return this.#io.stdout.columns;
  }

  /** A line of the answer. What comes from elsewhere must have gone through `printable`. */
  line(text = ''): Promise<void> {
    return this.#io.stdout.write(`${text}\n`);
  }

  /** Bytes of the answer as they are. */
  bytes(bytes: Uint8Array): Promise<void> {
    return this.#io.stdout.write(bytes);
  }

  /** What is not the answer: progress, hints, questions. */
  note(text: string): Promise<void> {
    return this.#io.stderr.write(`${text}\n`);
  }

  /** Draws over what was drawn before; the caller keeps count of the lines. */
  draw(text: string): Promise<void> {
    return this.#io.stderr.write(text);
  }

  /** As JSON, whole or the chosen fields; of a list `{items, next}` the fields are those of its items. */
  json(value: object, fields: string): Promise<void> {
    return this.line(JSON.stringify(chosen(value, fields), null, this.isTerminal ? 2 : undefined));
  }

  /** As one line of JSON, for answers of which there are many. */
  jsonLine(value: object, fields: string): Promise<void> {
    return this.line(JSON.stringify(chosen(value, fields)));
  }

  /** On a terminal aligned columns under their titles; in a pipe a line per row, tabs between. */
  async table<T>(rows: readonly T[], columns: readonly Column<T>[]): Promise<void> {
    if (!this.isTerminal) {
      for (const row of rows) {
        const cells = columns.map(({ text, plain = text }) => printable(plain(row)).replaceAll(/[\t\n]/g, ' '));
        await this.line(cells.join('\t'));
      }
      return;
    }
    if (rows.length === 0) return;
    const cells = rows.map((row) => columns.map(({ text }) => printable(text(row)).replaceAll(/\s/g, ' ')));
    const widths = columns.map(({ title }, i) =>
      Math.max(textWidth(title), ...cells.map((line) => textWidth(line[i] ?? ''))),
    );
    // What does not fit is taken from the last column, which holds the longest text.
    const others = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
    widths[widths.length - 1] = Math.max(10, Math.min(widths.at(-1) ?? 0, this.columns - others));
    const lineOf = (line: readonly string[], paint: (text: string, i: number) => string): string =>
      line
        .map((cell, i) => paint(padToWidth(cutToWidth(cell, widths[i] ?? 0), widths[i] ?? 0), i))
        .join('  ')
        .trimEnd();
    await this.line(
      this.paint(
        'dim',
        lineOf(
          columns.map(({ title }) => title),
          (text) => text,
        ).trimEnd(),
      ),
    );
    for (const [at, line] of cells.entries()) {
      const row = rows[at] as T;
      await this.line(lineOf(line, (text, i) => this.paint(columns[i]?.colour?.(row), text)));
    }
  }

  /** Coloured for the answer, where a person reads it. */
  paint(colour: Colour | undefined, text: string): string {
    return paintFor(this.#io, this.#io.stdout, colour, text);
  }

  /** Coloured for stderr. */
  paintNote(colour: Colour | undefined, text: string): string {
    return paintFor(this.#io, this.#io.stderr, colour, text);
  }
}

function paintFor(io: CliIo, stream: OutputStream, colour: Colour | undefined, text: string): string {
  const { NO_COLOR, FORCE_COLOR, TERM } = io.environment;
  const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== '';
  const isColoured = isForced || (stream.isTerminal && !NO_COLOR && TERM !== 'dumb');
  if (colour === undefined || !isColoured) return text;
  const [on, off] = codes[colour];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

function chosen(value: object, fields: string): unknown {
  if (fields === '' || fields === '*') return value;
  const names = fields.split(',').map((name) => name.trim());
  const pick = (row: object): object =>
    Object.fromEntries(names.map((name) => [name, (row as Record<string, unknown>)[name] ?? null]));
  if ('items' in value && Array.isArray(value.items)) return { ...value, items: (value.items as object[]).map(pick) };
  return pick(value);
}

import type { IncludedPlace } from '../core/included-place.ts';

/** A place in a file, as people count: both from 1. Columns count characters of the line. */
export interface Position {
  readonly line: number;
  readonly column: number;
  /** The place in an included file that this one, that of its `include`, stands for. */
  readonly within?: IncludedPlace | undefined;
}

/** Where a step, or what is like one, stands: its column is not kept. */
export function placeOf({ line, within }: Pick<Position, 'line' | 'within'>): Position {
  return { line, column: 1, within };
}

/** A line as a sentence names it: `line 3`, or `line 3 of ci/test.yml`. */
export function lineText({ line, within }: Pick<Position, 'line' | 'within'>): string {
  return within ? `line ${within.line} of ${within.path}` : `line ${line}`;
}

/** Tells line and column of offsets in one text. */
export class LineIndex {
  readonly #starts: readonly number[];
  readonly #length: number;

  constructor(text: string) {
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#starts = starts;
    this.#length = text.length;
  }

  /** Where a line begins; the lines count from 1. */
  startOf(line: number): number {
    return this.#starts[line - 1] ?? this.#length;
  }

  at(offset: number): Position {
    const within = Math.max(0, Math.min(offset, this.#length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= within) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: within - (this.#starts[low] ?? 0) + 1 };
  }
}

/** A pipeline file as written and as it reads. */
export interface ResolvedFile {
  readonly path: string;
  /** As it stands at the commit. */
  readonly written: string;
  /** The documents that it wrote, where it is a program. */
  readonly converted?: string | undefined;
  /** Whether the limit of the answer was reached before it: then there is no text. */
  readonly isLeftOut: boolean;
  /** One, or several where sets of a matrix read differently; none when it could not be read. */
  readonly readings: readonly ResolvedReading[];
  /** How many more there are. */
  readonly readingsLeftOut: number;
}

export interface ResolvedReading {
  /** Axis values of the sets that read so, e.g. `GO=1.21`; empty = there is no matrix. */
  readonly workflows: readonly string[];
  readonly text: string;
  /** Lines of `text`, counted from 1, that are not as written. */
  readonly changedLines: readonly number[];
}

export interface ResolveResult {
  readonly files: readonly ResolvedFile[];
  /** Why files have no reading, as a sentence without its end point: a program that fails, or a limit. */
  readonly problem?: string | undefined;
}

/** A place in a file that another one includes. */
export interface IncludedPlace {
  /** As a person names it: `ci/test.yml`, or `owner/project@v1:ci/test.yml`. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** The line itself; a long one is cut. */
  readonly text: string;
  /** Each `include` on the way to it, the first in the file itself. */
  readonly chain: readonly IncludeStep[];
}

/** Where an `include` stands. */
export interface IncludeStep {
  /** Absent = in the file itself. */
  readonly path?: string | undefined;
  readonly line: number;
}

/**
 * A YAML document as it was written: maps keep all their entries in order, scalars keep their source text, and every
 * node knows where it stands. What a scalar means, which of two equal keys counts and what `<<` merges is for the
 * dialects to say (pipelines.md 4).
 */
export type YamlNode = YamlScalar | YamlList | YamlMap;

export interface YamlScalar {
  readonly kind: 'scalar';
  /** Decoded: without quotes, escapes resolved, folded lines joined. */
  readonly text: string;
  /** Neither quoted nor a block: only such a scalar may be read as something else than text. */
  readonly isPlain: boolean;
  readonly tag: string | undefined;
  readonly offset: number;
}

export interface YamlList {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
  readonly tag: string | undefined;
  readonly offset: number;
}

export interface YamlMap {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
  readonly tag: string | undefined;
  readonly offset: number;
}

export interface YamlEntry {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

/** Nesting that a pipeline file may have, aliases followed. */
export const maxYamlDepth = 100;

/** Nodes met when every alias is followed: what a bomb multiplies. The largest file written without aliases has fewer. */
export const maxYamlVisits = 200_000;

/** Text that is no YAML, or more of it than we follow. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

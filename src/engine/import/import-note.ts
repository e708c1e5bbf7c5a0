/** What became of a part of the imported files. */
export interface ImportNote {
  /** `remark`: carried, and not quite the same. `lost`: to be written by hand. */
  readonly verdict: 'carried' | 'remark' | 'lost';
  readonly path: string;
  readonly line: number;
  /** `step "test"`, `pipeline "default"`. */
  readonly subject: string;
  /** Sentences without their end points; empty for what is simply carried. */
  readonly texts: readonly string[];
  /** Names in the result, for comparing. */
  readonly workflow?: string;
  readonly step?: string;
}

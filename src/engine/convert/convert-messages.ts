/** What the converter is asked: one program, and what it may know of its event. */
export interface ConvertRequest {
  readonly language: 'jsonnet' | 'starlark';
  /** For messages. */
  readonly path: string;
  readonly text: string;
  readonly context: ConvertContext;
  readonly maxBytes: number;
}

/** `ctx.repo` and `ctx.build` of Starlark, `std.extVar("repo.…")` and `std.extVar("build.…")` of Jsonnet. */
export interface ConvertContext {
  readonly repo: Readonly<Record<string, string | boolean>>;
  readonly build: Readonly<Record<string, string | boolean | Readonly<Record<string, string>>>>;
}

export interface ConvertFailure {
  readonly message: string;
  /** From 1; 0 where the program did not come so far. */
  readonly line: number;
  readonly column: number;
}

/** The documents as one text of YAML, or why there are none. */
export type ConvertAnswer =
  | { readonly text: string; readonly failure?: undefined }
  | { readonly text?: undefined; readonly failure: ConvertFailure };

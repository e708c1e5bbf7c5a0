import type { CompileInput, CompileResult } from './compile-input.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { IncludedText } from './includes.ts';
import type { LintResult } from './lint-result.ts';
import type { ResolvedFile } from './resolved-files.ts';

export type CompileQuestion =
  | { readonly kind: 'compile'; readonly input: CompileInput }
  | {
      readonly kind: 'lint';
      readonly path: string;
      readonly text: string;
      /** Absent = a push to the default branch of some project. */
      readonly facts?: EnvironmentFacts | undefined;
      readonly includes?: readonly IncludedText[] | undefined;
    }
  | { readonly kind: 'resolve'; readonly input: CompileInput };

export type CompileAnswer =
  | { readonly kind: 'compile'; readonly result: CompileResult }
  | { readonly kind: 'lint'; readonly result: LintResult }
  | { readonly kind: 'resolve'; readonly files: readonly ResolvedFile[] };

/** A question for the child, and how long the child lets itself work on it. */
export interface ToChild {
  readonly question: CompileQuestion;
  readonly limitMs: number;
}

/** `ready` comes once, when everything is loaded; after it one message for each question. */
export type FromChild =
  | CompileAnswer
  | { readonly kind: 'ready' }
  | { readonly kind: 'timeout' }
  /** The reader threw, which it never should. */
  | { readonly kind: 'bug'; readonly error: Error };

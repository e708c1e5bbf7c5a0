import type { ErrorCode } from '../../core/errors.ts';

/** What a reader is told of an error in their language; the code itself is never translated. */
export interface ErrorText {
  /** The kind of trouble, in a few words: the same for every occurrence. */
  readonly title: string;
  /** The next step. */
  readonly hint: string;
  /** The whole case from the error's details, where they carry it; otherwise the title and the English sentence are shown. */
  readonly detail?: (details: Readonly<Record<string, unknown>>) => string | undefined;
}

/** One text for each code: a missing one fails the compile. */
export type ErrorTexts = Readonly<Record<ErrorCode, ErrorText>>;

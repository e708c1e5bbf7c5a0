/** A document of a file: its text, and where that begins in the file. */
export interface SourceDocument {
  readonly text: string;
  readonly offset: number;
  /** Nothing but comments, directives and space: no document, but its `${…}` must be sound all the same. */
  readonly isEmpty: boolean;
}

export interface SplitFile {
  readonly documents: readonly SourceDocument[];
  /** Where text stands that is read by nobody: behind `---` on its line, or after the end. */
  readonly unreadOffsets: readonly number[];
}

/**
 * Splits a file at lines that begin with `---`; a line that begins with `...` ends it. By lines and not by YAML, as
 * Drone does (pipelines.md 10.1), so that `----` splits too.
 */
export function splitDocuments(file: string): SplitFile {
  const documents: SourceDocument[] = [];
  const unreadOffsets: number[] = [];
  let start = 0;
  const end = (to: number): void => {
    const text = file.slice(start, to);
    if (text !== '') documents.push({ text, offset: start, isEmpty: !/^(?!%)[^\S\n]*[^\s#]/m.test(text) });
  };
  const ending = lineWith('...', file, 0);
  for (let at = lineWith('---', file, 0); at < file.length || ending < file.length; at = lineWith('---', file, start)) {
    const isEnd = ending < at;
    const mark = isEnd ? ending : at;
    const newline = file.indexOf('\n', mark);
    const next = newline < 0 ? file.length : newline + 1;
    end(mark);
    start = next;
    const behind = /^[-.]+\s*/.exec(file.slice(mark, isEnd ? file.length : next))?.[0].length ?? 0;
    const unread = file.charAt(mark + behind);
    if (mark + behind < (isEnd ? file.length : next) && unread !== '#') unreadOffsets.push(mark + behind);
    if (isEnd) return { documents, unreadOffsets };
  }
  end(file.length);
  return { documents, unreadOffsets };
}

/** Where the first line begins that begins with `mark`, at the beginning of a line or behind it; else the text's end. */
function lineWith(mark: string, text: string, from: number): number {
  if (text.startsWith(mark, from)) return from;
  const found = text.indexOf(`\n${mark}`, from);
  return found < 0 ? text.length : found + 1;
}

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
  let at = 0;
  while (at < file.length) {
    const newline = file.indexOf('\n', at);
    const next = newline < 0 ? file.length : newline + 1;
    const isEnd = file.startsWith('...', at);
    if (isEnd || file.startsWith('---', at)) {
      end(at);
      start = next;
      const behind = /^[-.]+\s*/.exec(file.slice(at, isEnd ? file.length : next))?.[0].length ?? 0;
      const unread = file.charAt(at + behind);
      if (at + behind < (isEnd ? file.length : next) && unread !== '#') unreadOffsets.push(at + behind);
      if (isEnd) return { documents, unreadOffsets };
    }
    at = next;
  }
  end(file.length);
  return { documents, unreadOffsets };
}

import { findGlobFault, matchGlob } from './glob.ts';

/**
 * Whether a reference is protected: only `code:force` may rewind or delete it.
 * A pattern that begins with `refs/` is matched with the whole reference, any other with the name of the branch or tag.
 */
export function isProtectedRef(patterns: readonly string[], ref: string): boolean {
  const short = /^refs\/(?:heads|tags)\/(.+)$/s.exec(ref)?.[1];
  return patterns.some((pattern) => {
    const subject = pattern.startsWith('refs/') ? ref : short;
    return subject !== undefined && (pattern === subject || matchGlob(pattern, subject, 'woodpecker'));
  });
}

/** Whether a pattern names the reference itself: whoever wrote it meant this one, and none that somebody may yet make. */
export function isProtectedByName(patterns: readonly string[], ref: string): boolean {
  const short = /^refs\/(?:heads|tags)\/(.+)$/s.exec(ref)?.[1];
  return patterns.some((pattern) => pattern === ref || pattern === short);
}

/** Why a pattern protects nothing, as the end of a sentence; `undefined` when it is one. */
export function protectedRefProblem(pattern: string): string | undefined {
  return findGlobFault(pattern, 'woodpecker');
}

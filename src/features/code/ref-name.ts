/** References that Gantry keeps for itself: neither shown to git clients nor writable by them. */
export const hiddenRefPrefixes = ['refs/gantry/'] as const;

/** References that only Gantry writes, for everybody to fetch: the heads of pull requests. */
export const keptRefPrefixes = ['refs/pull/'] as const;

/** The longest name that we take. A file system allows 255 bytes for each part, and git adds `.lock`. */
const maxRefBytes = 250;

/**
 * Why this may not be the name of a reference, as the end of a sentence; `undefined` when it may.
 * The rules of git-check-ref-format, and those that git's own porcelain adds for branches and tags.
 */
export function refNameProblem(ref: string): string | undefined {
  if (!ref.startsWith('refs/')) return 'a reference begins with refs/';
  if (Buffer.byteLength(ref) > maxRefBytes) return `a reference may have ${maxRefBytes} bytes`;
  if (ref.includes('\uFFFD')) return 'a reference is written in UTF-8';
  // git-check-ref-format 4, 5 and 10: what the shell, revisions and patterns give a meaning.
  if (/[\x00-\x20\x7f~^:?*[\\]/.test(ref))
    return 'a reference may not have spaces, control characters or any of ~ ^ : ? * [ \\';
  if (ref.includes('..')) return 'a reference may not have ".."';
  if (ref.includes('@{')) return 'a reference may not have "@{"';
  const parts = ref.split('/');
  if (parts.length < 3) return 'a reference has a kind and a name, such as refs/heads/main';
  if (parts.some((part) => part === '')) return 'a reference may not have an empty part';
  if (parts.some((part) => part.startsWith('.') || part.endsWith('.'))) return 'no part may begin or end with "."';
  if (parts.some((part) => part.toLowerCase().endsWith('.lock'))) return 'no part may end with ".lock"';
  if (parts.some((part) => part === '@')) return 'no part may be "@"';
  if (hiddenRefPrefixes.some((prefix) => ref.startsWith(prefix))) return 'this reference is kept by Gantry';

  if (keptRefPrefixes.some((prefix) => ref.startsWith(prefix)))
    return 'heads of pull requests are kept by Gantry: push to the branch that one comes from';

  const short = /^refs\/(?:heads|tags)\/(.+)$/.exec(ref)?.[1];
  if (short?.startsWith('-')) return 'a branch or tag may not begin with "-"';
  if (short === 'HEAD') return 'a branch or tag may not be called HEAD';
  if (short && /^[0-9a-f]{40}$/i.test(short)) return 'a branch or tag may not look like a commit id';
  return undefined;
}

/** Whether a short name may be a branch: what a default branch may be called. */
export function isValidBranchName(name: string): boolean {
  return refNameProblem(`refs/heads/${name}`) === undefined;
}

/** Branches and tags make events; other references are git's own business. */
export function eventKindOf(ref: string): 'push' | 'tag' | undefined {
  if (ref.startsWith('refs/heads/')) return 'push';
  return ref.startsWith('refs/tags/') ? 'tag' : undefined;
}

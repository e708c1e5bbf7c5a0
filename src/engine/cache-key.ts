import { createHash } from 'node:crypto';

/** `{{ checksum "package-lock.json" }}`, as cache plugins and other systems write it; several files make one checksum. */
const checksumPattern = /\{\{\s*checksum((?:\s+"[^"\n{}]{1,500}")+)\s*\}\}/g;
const longestKey = 200;
const maxFiles = 32;

/** Ids of the blobs at the commit by path: what a checksum is made of. A path that is absent is no file there. */
export type BlobIds = Readonly<Record<string, string>>;

/** Paths of the files that checksums in the text of a pipeline file name, each once. */
export function checksumPaths(text: string): readonly string[] {
  const paths = new Set<string>();
  for (const [, files = ''] of text.matchAll(checksumPattern)) for (const path of pathsOf(files)) paths.add(path);
  return [...paths].slice(0, maxFiles);
}

export interface ResolvedKey {
  readonly key: string;
  /** Files that the commit does not have. */
  readonly missing: readonly string[];
  /** As the end of a sentence: why it is no key. */
  readonly fault?: string;
}

/** The key with its checksums. Without blob ids (a file that is only read) they stay as they are written. */
export function resolveCacheKey(written: string, blobs: BlobIds | undefined): ResolvedKey {
  const missing: string[] = [];
  const key = written.replaceAll(checksumPattern, (whole, files: string) => {
    if (!blobs) return whole;
    const hash = createHash('sha256');
    for (const path of pathsOf(files)) {
      const id = Object.hasOwn(blobs, path) ? blobs[path] : undefined;
      if (id === undefined) missing.push(path);
      hash.update(`${path}\0${id ?? ''}\0`);
    }
    return hash.digest('hex').slice(0, 16);
  });
  const rest = key.replaceAll(checksumPattern, '');
  if (rest.includes('{{'))
    return { key, missing, fault: 'what "{{ … }}" takes is checksum and names of files in quotes' };
  if (key.trim() === '') return { key, missing, fault: 'it is empty' };
  if (rest.length > longestKey || /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(rest))
    return { key, missing, fault: `it may have ${longestKey} printable characters` };
  return { key, missing };
}

function pathsOf(files: string): readonly string[] {
  return [...files.matchAll(/"([^"]+)"/g)].map(([, path = '']) => path.replace(/^\.\//, ''));
}

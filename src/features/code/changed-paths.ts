import type { TreeEntry } from './git-objects.ts';

type ReadTree = (id: string) => Promise<readonly TreeEntry[] | undefined>;

/**
 * Paths of files that differ between two trees, in the order of their names; a renamed file has both of its names. Equal
 * folders are not looked into, so the work is that of the change and not of the repository. `undefined` when there are
 * more than `limit`, or a tree is not there.
 */
export async function changedPaths(
  readTree: ReadTree,
  before: string,
  after: string,
  limit: number,
): Promise<readonly string[] | undefined> {
  const found: string[] = [];
  /** Whether it could be told. */
  const compare = async (prefix: string, older?: string, newer?: string): Promise<boolean> => {
    const [olderEntries, newerEntries] = await Promise.all([
      older === undefined ? [] : readTree(older),
      newer === undefined ? [] : readTree(newer),
    ]);
    if (!olderEntries || !newerEntries) return false;
    const pairs = new Map<string, { older?: TreeEntry; newer?: TreeEntry }>();
    for (const entry of olderEntries) pairs.set(entry.name, { older: entry });
    for (const entry of newerEntries) pairs.set(entry.name, { ...pairs.get(entry.name), newer: entry });
    for (const [name, pair] of pairs) {
      if (pair.older?.object === pair.newer?.object && pair.older?.mode === pair.newer?.mode) continue;
      const folders = [pair.older, pair.newer].map((entry) => (entry?.kind === 'folder' ? entry.object : undefined));
      if (
        folders.some((folder) => folder !== undefined) &&
        !(await compare(`${prefix}${name}/`, folders[0], folders[1]))
      )
        return false;
      const isFileChanged = [pair.older, pair.newer].some((entry) => entry !== undefined && entry.kind !== 'folder');
      if (isFileChanged) found.push(`${prefix}${name}`);
      if (found.length > limit) return false;
    }
    return true;
  };
  return (await compare('', before, after)) ? found.toSorted() : undefined;
}

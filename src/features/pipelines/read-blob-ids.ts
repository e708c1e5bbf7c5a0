import type { Repository } from '../../core/repository.ts';
import { type BlobIds, checksumPaths } from '../../engine/cache-key.ts';
import type { ReadFile } from './read-pipeline-files.ts';

/** Ids of the files at the commit whose checksums the pipeline files ask for: what git knows, nothing is read or hashed. */
export async function readBlobIds(
  repository: Pick<Repository, 'listFolder'>,
  projectId: number,
  commit: string,
  files: readonly ReadFile[],
): Promise<BlobIds> {
  const paths = [...new Set(files.flatMap(({ text }) => (text === undefined ? [] : checksumPaths(text))))];
  const byFolder = Map.groupBy(paths, (path) => path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  const found = await Promise.all(
    [...byFolder].map(async ([folder, wanted]) => {
      const entries = (await repository.listFolder(projectId, commit, folder)) ?? [];
      const ids = new Map(entries.filter(({ kind }) => kind === 'file').map(({ name, object }) => [name, object]));
      return wanted.flatMap((path) => {
        const id = ids.get(path.slice(path.lastIndexOf('/') + 1));
        return id === undefined ? [] : [[path, id] as const];
      });
    }),
  );
  return Object.fromEntries(found.flat());
}

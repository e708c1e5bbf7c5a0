import { git } from '../git.ts';

/** A pointer of LFS has about 130 bytes, whatever it stands for. */
const [leastPointerBytes, mostPointerBytes] = [100, 1_024];
const pointerBeginning = 'version https://git-lfs.github.com/spec/v1\n';
const answerLimitBytes = 256 * 2 ** 20;
/** So many files are looked into: they are small, and that many pointers say enough. */
const mostCandidates = 20_000;

/**
 * Paths of a commit whose content lies in LFS: small files that begin as its pointers do, in a tree whose attributes name
 * it at all. Found are `limit` of them at most.
 */
export async function findLfsPointers(repository: string, commit: string, limit: number): Promise<readonly string[]> {
  const listed = await git(['ls-tree', '-r', '-z', '-l', '--full-tree', commit], {
    repository,
    maxOutputBytes: answerLimitBytes,
  });
  const files = listed
    .toString('utf8')
    .split('\0')
    .flatMap((line) => {
      const [, object, size, path] = /^100\d{3} blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(line) ?? [];
      return object && path ? [{ object, path, sizeBytes: Number(size) }] : [];
    });
  const attributes = files.filter(
    ({ path, sizeBytes }) => /(?:^|\/)\.gitattributes$/.test(path) && sizeBytes < 2 ** 20,
  );
  const texts = await readBlobs(
    repository,
    attributes.map(({ object }) => object),
  );
  if (!texts.some((text) => text.includes('filter=lfs'))) return [];
  const candidates = files
    .filter(({ sizeBytes }) => sizeBytes >= leastPointerBytes && sizeBytes <= mostPointerBytes)
    .slice(0, mostCandidates);
  const contents = await readBlobs(
    repository,
    candidates.map(({ object }) => object),
  );
  return candidates
    .filter((_, index) => contents[index]!.startsWith(pointerBeginning))
    .slice(0, limit)
    .map(({ path }) => path);
}

async function readBlobs(repository: string, objects: readonly string[]): Promise<readonly string[]> {
  if (objects.length === 0) return [];
  const answer = await git(['cat-file', '--batch'], {
    repository,
    input: `${objects.join('\n')}\n`,
    maxOutputBytes: answerLimitBytes,
  });
  const texts: string[] = [];
  for (let at = 0; texts.length < objects.length; ) {
    const end = answer.indexOf(10, at);
    const size = Number(answer.toString('latin1', at, end).split(' ')[2]);
    texts.push(answer.toString('utf8', end + 1, end + 1 + size));
    at = end + 1 + size + 1;
  }
  return texts;
}

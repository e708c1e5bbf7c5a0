import { dialectOf } from '../engine/choose-files.ts';
import type { PipelineFile } from '../engine/compile-input.ts';
import { readIncludes } from '../engine/includes.ts';

/**
 * The files with what the first of them includes of its own repository. Files of other projects are for the server to
 * read: it knows who may.
 */
export async function withLocalIncludes<File extends Omit<PipelineFile, 'includes'>>(
  files: readonly File[],
  read: (path: string) => Promise<string | undefined>,
): Promise<readonly (File & Pick<PipelineFile, 'includes'>)[]> {
  const [first, ...others] = files;
  if (!first || dialectOf(first) !== 'gantry') return files;
  const includes = await readIncludes(first.text, async ({ project, file }) => {
    if (project !== undefined)
      return { fault: 'it is of another project, which only the server reads: push, or preview the file on its page' };
    const text = await read(file);
    return text === undefined ? { fault: 'there is no such file' } : { text };
  });
  return includes.length === 0 ? files : [{ ...first, includes }, ...others];
}

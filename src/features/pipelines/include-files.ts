import { GantryError } from '../../core/errors.ts';
import type { Project } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { isReadByAllWhoRead } from '../../core/visibility.ts';
import { dialectOf } from '../../engine/choose-files.ts';
import type { PipelineFile } from '../../engine/compile-input.ts';
import { type IncludedText, type IncludeRequest, readIncludes } from '../../engine/includes.ts';
import { maxPipelineFileBytes } from '../../engine/pipeline-file-size.ts';

export interface IncludeDeps {
  readonly store: { readonly read: Pick<Stores, 'projects'> };
  readonly repository: Pick<Repository, 'readFile' | 'resolve'>;
}

export interface IncludingCommit {
  readonly project: Project;
  readonly commit: string;
  /** The project asks for a signature on its pipeline file, which says nothing of other files of the repository. */
  readonly isSigned?: boolean;
}

/** The files with what the first of them includes: it is the one that counts. */
export async function withIncludes<File extends Omit<PipelineFile, 'includes'>>(
  deps: IncludeDeps,
  at: IncludingCommit,
  files: readonly File[],
): Promise<readonly (File & Pick<PipelineFile, 'includes'>)[]> {
  const [first, ...others] = files;
  if (!first || dialectOf(first) !== 'gantry') return files;
  const includes = await readIncludes(first.text, (request) => readIncluded(deps, at, request));
  return includes.length === 0 ? files : [{ ...first, includes }, ...others];
}

async function readIncluded(
  { store, repository }: IncludeDeps,
  { project: including, commit, isSigned = false }: IncludingCommit,
  { project: slug, ref = '', file }: IncludeRequest,
): Promise<Omit<IncludedText, 'name'>> {
  if (slug === undefined) {
    if (isSigned)
      return { fault: 'the project runs signed pipeline files only, and the signature does not cover this one' };
    return readText(repository, including.id, commit, file);
  }
  const [owner = '', name = ''] = slug.split('/');
  const project = await store.read.projects.findBySlug(owner, name);
  // What is included is shown to all who may read the pipelines of a project, so they must be able to read it anyway.
  // Whether there is one that not all may see is not told either.
  if (!project || !isReadByAllWhoRead(project, including))
    return { fault: `there is no project "${slug}" that all who may read this one may read too` };
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref)) {
    const found = await repository.resolve(project.id, ref);
    if (!found) return { fault: `${slug} has no commit ${ref}` };
    return { commit: found.commit, ...(await readText(repository, project.id, found.commit, file)) };
  }
  const tag = await repository.resolve(project.id, `refs/tags/${ref}`);
  if (tag) return { commit: tag.commit, ...(await readText(repository, project.id, tag.commit, file)) };
  const branch = await repository.resolve(project.id, `refs/heads/${ref}`);
  return {
    fault: branch
      ? `"${ref}" is a branch of ${slug}, which changes: name a tag or a whole commit`
      : `${slug} has no tag "${ref}"`,
  };
}

async function readText(
  repository: IncludeDeps['repository'],
  projectId: number,
  commit: string,
  file: string,
): Promise<Omit<IncludedText, 'name'>> {
  const where = `commit ${commit.slice(0, 8)}`;
  try {
    const found = await repository.readFile(projectId, commit, file, maxPipelineFileBytes);
    return found ? { text: found.bytes.toString('utf8') } : { fault: `${where} has no such file` };
  } catch (error) {
    if (!(error instanceof GantryError)) throw error;
    if (error.code === 'REQUEST_TOO_LARGE')
      return { fault: `it has more than ${maxPipelineFileBytes} bytes, which is what a pipeline file may have` };
    return { fault: `${where} has no such file` };
  }
}

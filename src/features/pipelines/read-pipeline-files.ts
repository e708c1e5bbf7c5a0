import { GantryError } from '../../core/errors.ts';
import type { Repository } from '../../core/repository.ts';
import { isFileOf } from '../../engine/choose-files.ts';
import { pipelineFilePaths } from '../../engine/compile-input.ts';

/** More than a pipeline file may have, so that the compiler says what is too large and by how much. */
export const readLimitBytes = 1024 * 1024;

/** Workflow files that one folder may have; documents of one file have the same limit. */
const maxWorkflowFiles = 200;

type FileRepository = Pick<Repository, 'readFile' | 'listFolder'>;

/** `text` is absent for a file that is too large to be read. */
export interface ReadFile {
  readonly path: string;
  readonly text?: string;
}

/**
 * The pipeline files that a commit has, in the order of precedence: at every place where one may be, or at the one that
 * the settings of the project name.
 */
export async function readPipelineFiles(
  repository: FileRepository,
  projectId: number,
  commit: string,
  configuredPath: string | undefined,
): Promise<readonly ReadFile[]> {
  const places = configuredPath === undefined ? pipelineFilePaths : [configuredPath];
  const found = await Promise.all(places.map((path) => readPlace(repository, projectId, commit, path)));
  return found.flat();
}

/** A file, or those directly in a folder; none when it does not exist. */
async function readPlace(
  repository: FileRepository,
  projectId: number,
  commit: string,
  path: string,
): Promise<readonly ReadFile[]> {
  if (!path.endsWith('/')) {
    const file = await readPipelineFile(repository, projectId, commit, path);
    return file ? [file] : [];
  }
  const entries = (await repository.listFolder(projectId, commit, path.slice(0, -1))) ?? [];
  const paths = entries.map(({ name }) => `${path}${name}`).filter((each) => isFileOf(path, each));
  const files = await Promise.all(
    paths.slice(0, maxWorkflowFiles).map((each) => readPipelineFile(repository, projectId, commit, each)),
  );
  return files.filter((file) => file !== undefined);
}

async function readPipelineFile(
  repository: FileRepository,
  projectId: number,
  commit: string,
  path: string,
): Promise<ReadFile | undefined> {
  try {
    const file = await repository.readFile(projectId, commit, path, readLimitBytes);
    return file && { path, text: file.bytes.toString('utf8') };
  } catch (error) {
    if (error instanceof GantryError && error.code === 'REQUEST_TOO_LARGE') return { path };
    throw error;
  }
}

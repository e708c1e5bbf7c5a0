import type { Project } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import { type ChosenFiles, chooseFiles } from '../../engine/choose-files.ts';
import { readPipelineFiles } from './read-pipeline-files.ts';

/** The pipeline files at a commit that count, as the project's settings have them; `undefined` when there is none. */
export async function readChosenFiles(
  repository: Pick<Repository, 'readFile' | 'listFolder'>,
  project: Project,
  commit: string,
): Promise<ChosenFiles | undefined> {
  const { path } = project.pipelines;
  const found = await readPipelineFiles(repository, project.id, commit, path);
  return chooseFiles(
    found.flatMap((file) => (file.text === undefined ? [] : [{ path: file.path, text: file.text }])),
    path,
  );
}

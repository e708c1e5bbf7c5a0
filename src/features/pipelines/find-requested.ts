import { GantryError } from '../../core/errors.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';

/** A project as routes name it. */
export interface ProjectName {
  readonly owner: string;
  readonly project: string;
}

/** The project that a request names. Throws PROJECT_NOT_FOUND. */
export async function getProject(store: UnitOfWork, { owner, project }: ProjectName): Promise<Project> {
  const found = await store.read.projects.findBySlug(owner, project);
  if (!found)
    throw new GantryError(
      'PROJECT_NOT_FOUND',
      `Cannot find the project ${owner}/${project}: there is none, or you may not see it`,
      {
        details: { project: `${owner}/${project}` },
      },
    );
  return found;
}

/** The pipeline that a request names. Throws PROJECT_NOT_FOUND and PIPELINE_NOT_FOUND. */
export async function getPipeline(
  store: UnitOfWork,
  params: ProjectName & { readonly number: number },
): Promise<Pipeline> {
  const project = await getProject(store, params);
  const pipeline = await store.read.pipelines.findByNumber(project.id, params.number);
  if (!pipeline)
    throw new GantryError(
      'PIPELINE_NOT_FOUND',
      `Cannot find pipeline #${params.number}: ${projectSlug(project)} has none with this number`,
    );
  return pipeline;
}

import type { Artifact } from '../../../core/artifact.ts';
import { GantryError } from '../../../core/errors.ts';
import { isFinished, type Pipeline } from '../../../core/pipeline.ts';
import type { Project } from '../../../core/project.ts';
import type { Stores } from '../../../core/unit-of-work.ts';

export interface PipelinePlace {
  readonly owner: string;
  readonly project: string;
  readonly number: number;
}

/** Throws PROJECT_NOT_FOUND or PIPELINE_NOT_FOUND. */
export async function getPipelineOf(
  stores: Stores,
  { owner, project: name, number }: PipelinePlace,
): Promise<{ readonly project: Project; readonly pipeline: Pipeline }> {
  const project = await stores.projects.findBySlug(owner, name);
  if (!project) throw new GantryError('PROJECT_NOT_FOUND', `Cannot find project ${owner}/${name}`);
  const pipeline = await stores.pipelines.findByNumber(project.id, number);
  if (!pipeline)
    throw new GantryError('PIPELINE_NOT_FOUND', `Cannot find pipeline ${number} of ${owner}/${name}: there is none`);
  return { project, pipeline };
}

/** Throws ARTIFACT_NOT_FOUND. */
export async function getArtifact(stores: Stores, pipeline: Pipeline, name: string): Promise<Artifact> {
  const artifact = await stores.artifacts.find(pipeline.id, name);
  if (artifact) return artifact;
  const until = isFinished(pipeline.status) ? 'it was not made, or its time is over' : 'it is not made yet';
  throw new GantryError(
    'ARTIFACT_NOT_FOUND',
    `Cannot find the artifact "${name}" of pipeline #${pipeline.number}: ${until}`,
    { details: { artifact: name } },
  );
}

/** Id of the pipeline whose artifacts stay: the newest of the default branch that passed. */
export async function findKeptPipeline(
  stores: Stores,
  { id, defaultBranch }: Pick<Project, 'id' | 'defaultBranch'>,
): Promise<number | undefined> {
  const { items } = await stores.pipelines.list(id, { status: ['passed'], branch: defaultBranch, limit: 10 });
  return items.find(({ ref }) => ref === `refs/heads/${defaultBranch}`)?.id;
}

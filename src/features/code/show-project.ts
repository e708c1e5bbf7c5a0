import type { ProjectView } from '../../api/projects.ts';
import { pipelineView } from '../../api/views/pipeline-view.ts';
import { GantryError } from '../../core/errors.ts';
import type { Actor, Role } from '../../core/permission.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { RepositoryFolders } from './repository-folders.ts';

export interface ShowProjectDeps {
  readonly unitOfWork: UnitOfWork;
  readonly folders: RepositoryFolders;
  /** The address that people reach this Gantry by, without a slash at its end. */
  readonly publicUrl: () => string;
}

/** The project of a path; PROJECT_NOT_FOUND when it went away since the request was authorised. */
export async function getProject(
  unitOfWork: UnitOfWork,
  path: { readonly owner: string; readonly project: string },
): Promise<Project> {
  const project = await unitOfWork.read.projects.findBySlug(path.owner, path.project);
  if (!project)
    throw new GantryError(
      'PROJECT_NOT_FOUND',
      `Cannot find the project "${path.owner}/${path.project}": there is none`,
    );
  return project;
}

/** A project as the asker sees it. */
export async function showProject(deps: ShowProjectDeps, project: Project, actor: Actor): Promise<ProjectView> {
  const latest = await deps.unitOfWork.read.pipelines.latest([project.id]);
  return projectView(deps, project, actor, latest.get(project.id));
}

export async function projectView(
  deps: ShowProjectDeps,
  project: Project,
  actor: Actor,
  latest: Pipeline | undefined,
): Promise<ProjectView> {
  const slug = projectSlug(project);
  return {
    owner: project.ownerName,
    name: project.name,
    slug,
    description: project.description,
    visibility: project.visibility,
    defaultBranch: project.defaultBranch,
    isEmpty: !(await deps.folders.hasBranches(project.id)),
    isArchived: project.archivedAt !== undefined,
    protectedRefs: [...project.protectedRefs],
    stepTimeoutMs: project.stepTimeoutMs,
    role: (await roleOf(deps.unitOfWork, project.id, actor)) ?? null,
    cloneUrl: `${deps.publicUrl()}/${slug}.git`,
    createdAt: project.createdAt.toISOString(),
    latestPipeline: latest ? pipelineView(latest) : null,
  };
}

/** The role that the actor has beyond what all have; a site admin is owner everywhere. */
export async function roleOf(unitOfWork: UnitOfWork, projectId: number, actor: Actor): Promise<Role | undefined> {
  if (actor.kind !== 'person') return undefined;
  return actor.person.isSiteAdmin ? 'owner' : unitOfWork.read.projects.roleOf(projectId, actor.person.id);
}

import { GantryError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/event.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { sortableId } from '../../lib/ids.ts';
import type { EventPlanner } from './event-planner.ts';
import type { Planned } from './plan-event.ts';

export interface StartPipelineDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'resolve'>;
  readonly planner: EventPlanner;
  readonly clock: Clock;
}

export interface ManualStart {
  readonly project: Project;
  /** Branch, tag or full reference; absent = the default branch. */
  readonly ref: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly person: { readonly id: number; readonly name: string };
  /** The same key by the same person in the same project starts one pipeline, however often it is sent. */
  readonly idempotencyKey: string | undefined;
}

export interface Promotion {
  readonly project: Project;
  /** The pipeline whose commit is run once more. */
  readonly pipeline: Pipeline;
  readonly event: 'promote' | 'rollback';
  readonly target: string;
  /** Beside those that the pipeline had, and over them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly person: ManualStart['person'];
  readonly idempotencyKey: string | undefined;
}

/** Starts a pipeline by hand. The event is stored first, so that nothing is lost when planning is cut off. */
export async function startPipeline(deps: StartPipelineDeps, start: ManualStart): Promise<Pipeline> {
  const { project } = start;
  const slug = projectSlug(project);
  const what = `Cannot start a pipeline of ${slug}`;
  refuseArchived(project, what);
  const wanted = start.ref ?? project.defaultBranch;
  const found = await deps.repository.resolve(project.id, wanted);
  if (!found?.ref) throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch or tag "${wanted}"`);
  const { commit, ref } = found;
  const planned = await planStart(deps, start, 'manual', { ref, before: commit, after: commit });
  return pipelineOf(planned, what, { place: `"${wanted}"`, kind: 'a manual start' });
}

/**
 * Runs the commit of a pipeline once more towards a target: a copy of its event with the same commit and reference
 * (pipelines.md 7). What runs is what the file says for that target.
 */
export async function promotePipeline(deps: StartPipelineDeps, promotion: Promotion): Promise<Pipeline> {
  const { project, pipeline, event, target } = promotion;
  const verb = event === 'promote' ? 'promote' : 'roll back to';
  const what = `Cannot ${verb} pipeline ${pipeline.number} of ${projectSlug(project)}`;
  refuseArchived(project, what);
  const { ref, before, commit, number } = pipeline;
  const parameters = { ...pipeline.parameters, ...promotion.parameters };
  const facts = { ref, before, after: commit, target, parentNumber: number };
  const planned = await planStart(deps, { ...promotion, parameters }, event, facts);
  const kind = `a ${event === 'promote' ? 'promotion' : 'rollback'} to "${target}"`;
  return pipelineOf(planned, what, { place: 'its commit', kind });
}

function refuseArchived(project: Project, what: string): void {
  if (!project.archivedAt) return;
  throw new GantryError('PROJECT_ARCHIVED', `${what}: the project is archived`, {
    details: { project: projectSlug(project) },
  });
}

async function planStart(
  { store, planner, clock }: StartPipelineDeps,
  { project, person, parameters, idempotencyKey }: Omit<ManualStart, 'ref'>,
  kind: 'manual' | 'promote' | 'rollback',
  facts: Pick<NewEvent, 'ref' | 'before' | 'after' | 'target' | 'parentNumber'>,
): Promise<Planned> {
  const now = clock.now();
  const key = idempotencyKey ? `${person.id}:${idempotencyKey}` : sortableId('start', now);
  const { event } = await store.write((stores) =>
    stores.events.create({
      ...facts,
      projectId: project.id,
      kind,
      key: `${kind}:${project.id}:${key}`,
      personName: person.name,
      personId: person.id,
      parameters,
      createdAt: now,
    }),
  );
  return planner.planNow(event.id, project.id);
}

function pipelineOf(
  { pipeline, trace }: Planned,
  what: string,
  { place, kind }: { readonly place: string; readonly kind: string },
): Pipeline {
  if (pipeline) return pipeline;
  if (trace.some(({ rule }) => rule === 'file.missing'))
    throw new GantryError('PIPELINE_FILE_MISSING', `${what}: ${place} has no pipeline file`);
  throw new GantryError('NO_PIPELINE_MATCHED', `${what}: no trigger matches ${kind}`);
}

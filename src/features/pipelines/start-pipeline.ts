import { GantryError } from '../../core/errors.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { sortableId } from '../../lib/ids.ts';
import type { EventPlanner } from './event-planner.ts';

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

/** Starts a pipeline by hand. The event is stored first, so that nothing is lost when planning is cut off. */
export async function startPipeline(deps: StartPipelineDeps, start: ManualStart): Promise<Pipeline> {
  const { store, repository, planner, clock } = deps;
  const { project, person } = start;
  const slug = projectSlug(project);
  if (project.archivedAt)
    throw new GantryError('PROJECT_ARCHIVED', `Cannot start a pipeline of ${slug}: the project is archived`, {
      details: { project: slug },
    });
  const wanted = start.ref ?? project.defaultBranch;
  const found = await repository.resolve(project.id, wanted);
  if (!found?.ref)
    throw new GantryError('REF_NOT_FOUND', `Cannot start a pipeline of ${slug}: there is no branch or tag "${wanted}"`);

  const { ref } = found;
  const now = clock.now();
  const key = start.idempotencyKey ? `${person.id}:${start.idempotencyKey}` : sortableId('start', now);
  const { event } = await store.write((stores) =>
    stores.events.create({
      projectId: project.id,
      kind: 'manual',
      key: `manual:${project.id}:${key}`,
      ref,
      before: found.commit,
      after: found.commit,
      personName: person.name,
      personId: person.id,
      parameters: start.parameters,
      createdAt: now,
    }),
  );
  const { pipeline, trace } = await planner.planNow(event.id, project.id);
  if (pipeline) return pipeline;
  if (trace.some(({ rule }) => rule === 'file.missing'))
    throw new GantryError(
      'PIPELINE_FILE_MISSING',
      `Cannot start a pipeline of ${slug}: "${wanted}" has no pipeline file`,
    );
  throw new GantryError('NO_PIPELINE_MATCHED', `Cannot start a pipeline of ${slug}: no trigger matches a manual start`);
}

import type { Cron } from '../../core/cron.ts';
import { GantryError } from '../../core/errors.ts';
import type { EventKind, NewEvent } from '../../core/event.ts';
import { isFinished, type Pipeline } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { sortableId } from '../../lib/ids.ts';
import { requireApproval } from './approvals/require-approval.ts';
import type { EventPlanner } from './event-planner.ts';
import type { Planned } from './plan-event.ts';
import { requirePromotionRight } from './promotion-rights.ts';
import { requireStartParameters, type StartParametersDeps } from './start-parameters.ts';

export interface StartPipelineDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'resolve'>;
  readonly planner: EventPlanner;
  readonly clock: Clock;
}

/** What starts with parameters need besides: they are compared with the file. */
export interface StartByHandDeps extends StartPipelineDeps, StartParametersDeps {
  readonly repository: Pick<Repository, 'resolve'> & StartParametersDeps['repository'];
}

/** Who starts a pipeline by hand. */
export interface Starter {
  readonly id: number;
  readonly name: string;
  /** Projects that their token is limited to; absent = all that they may see. */
  readonly tokenProjectIds?: readonly number[] | undefined;
}

export interface ManualStart {
  readonly project: Project;
  /** Steps run without caches. */
  readonly ignoresCaches?: boolean | undefined;
  /** Steps run although earlier results could stand for them. */
  readonly ignoresReuse?: boolean | undefined;
  /** Branch, tag or full reference; absent = the default branch. */
  readonly ref: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly person: Starter;
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
  readonly person: Starter;
  readonly idempotencyKey: string | undefined;
}

/** Starts a pipeline by hand. The event is stored first, so that nothing is lost when planning is cut off. */
export async function startPipeline(deps: StartByHandDeps, start: ManualStart): Promise<Pipeline> {
  const { project } = start;
  const slug = projectSlug(project);
  const what = `Cannot start a pipeline of ${slug}`;
  refuseArchived(project, what);
  const wanted = start.ref ?? project.defaultBranch;
  const found = await deps.repository.resolve(project.id, wanted);
  // The head of a pull request runs by its own events alone: by hand nobody would ask whose work it is.
  if (!found?.ref || !/^refs\/(heads|tags)\//.test(found.ref))
    throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch or tag "${wanted}"`);
  const { commit, ref } = found;
  await requireStartParameters(deps, project, commit, { kind: 'manual', parameters: start.parameters }, what);
  const planned = await planStart(deps, start, 'manual', { ref, before: commit, after: commit });
  return pipelineOf(planned, what, { place: `"${wanted}"`, kind: 'a manual start' });
}

/**
 * Runs the commit of a pipeline once more towards a target: a copy of its event with the same commit and reference
 * (pipelines.md 7). What runs is what the file says for that target.
 */
export async function promotePipeline(deps: StartByHandDeps, promotion: Promotion): Promise<Pipeline> {
  const { project, pipeline, event, target } = promotion;
  const verb = event === 'promote' ? 'promote' : 'roll back to';
  const what = `Cannot ${verb} pipeline ${pipeline.number} of ${projectSlug(project)}`;
  refuseArchived(project, what);
  await requirePromotionRight(deps.store, project, promotion.person.id, target, what);
  if (pipeline.trust === 'untrusted')
    throw new GantryError(
      'PIPELINE_UNTRUSTED',
      `${what}: its commit comes from a fork or from somebody who may not write to the project`,
    );
  await requireApproval(deps.store.read, pipeline, what);
  const { ref, before, commit, number } = pipeline;
  const parameters = { ...pipeline.parameters, ...promotion.parameters };
  await requireStartParameters(deps, project, commit, { kind: event, parameters }, what);
  const facts = { ref, before, after: commit, target, parentNumber: number };
  const planned = await planStart(deps, { ...promotion, parameters }, event, facts);
  const kind = `a ${event === 'promote' ? 'promotion' : 'rollback'} to "${target}"`;
  return pipelineOf(planned, what, { place: 'its commit', kind });
}

export interface Repetition {
  readonly project: Project;
  /** Steps run without caches. */
  readonly ignoresCaches?: boolean | undefined;
  /** Steps run although earlier results could stand for them. */
  readonly ignoresReuse?: boolean | undefined;
  readonly pipeline: Pipeline;
  /** Beside those that the pipeline had, and over them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly person: Starter;
  readonly idempotencyKey: string | undefined;
}

/** Starts now what a cron starts at its times. Its next time stays as it is. */
export async function startCron(
  deps: StartPipelineDeps,
  { cron, ...start }: Omit<ManualStart, 'ref' | 'parameters'> & { readonly cron: Cron },
): Promise<Pipeline> {
  const { project } = start;
  const what = `Cannot run the cron "${cron.name}" of ${projectSlug(project)}`;
  refuseArchived(project, what);
  const ref = `refs/heads/${cron.branch}`;
  const found = await deps.repository.resolve(project.id, ref);
  if (!found) throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch "${cron.branch}"`);
  const facts = { ref, before: found.commit, after: found.commit, cron: cron.name };
  const planned = await planStart(deps, { ...start, parameters: {} }, 'cron', facts, 'cron-now');
  return pipelineOf(planned, what, { place: `"${cron.branch}"`, kind: `the cron "${cron.name}"` });
}

/**
 * Runs a pipeline once more with other parameters, or one whose file did not compile. Parameters are part of its plan, so
 * it becomes a pipeline of its own: a copy of its event, as a retry is (pipelines.md 7), with its kind, commit, reference
 * and target.
 */
export async function repeatPipeline(deps: StartByHandDeps, repetition: Repetition): Promise<Pipeline> {
  const { project, pipeline } = repetition;
  const what = `Cannot rerun pipeline #${pipeline.number} of ${projectSlug(project)}`;
  refuseArchived(project, what);
  if (!isFinished(pipeline.status)) throw new GantryError('PIPELINE_NOT_FINISHED', `${what}: it is ${pipeline.status}`);
  const parameters = { ...pipeline.parameters, ...repetition.parameters };
  await requireApproval(deps.store.read, pipeline, what);
  const { event, ref, target, cron, number, pullRequest, trust } = pipeline;
  if (target !== undefined) await requirePromotionRight(deps.store, project, repetition.person.id, target, what);
  const source = await deps.store.read.events.find(pipeline.eventId);
  const { before, after } = source ?? { before: pipeline.before, after: pipeline.commit };
  await requireStartParameters(deps, project, pipeline.commit, { kind: event, parameters }, what);
  const facts = { ref, before, after, target, cron, parentNumber: number, pullRequest, trust };
  const planned = await planStart(deps, { ...repetition, parameters }, event, facts, 'rerun');
  return pipelineOf(planned, what, { place: 'its commit', kind: `the event "${event}"` });
}

function refuseArchived(project: Project, what: string): void {
  if (!project.archivedAt) return;
  throw new GantryError('PROJECT_ARCHIVED', `${what}: the project is archived`, {
    details: { project: projectSlug(project) },
  });
}

async function planStart(
  { store, planner, clock }: StartPipelineDeps,
  { project, person, parameters, idempotencyKey, ignoresCaches, ignoresReuse }: Omit<ManualStart, 'ref'>,
  kind: EventKind,
  facts: Pick<NewEvent, 'ref' | 'before' | 'after' | 'target' | 'cron' | 'parentNumber' | 'pullRequest' | 'trust'>,
  keyWord: string = kind,
): Promise<Planned> {
  const now = clock.now();
  const key = idempotencyKey ? `${person.id}:${idempotencyKey}` : sortableId('start', now);
  const { event } = await store.write((stores) =>
    stores.events.create({
      ...facts,
      projectId: project.id,
      kind,
      key: `${keyWord}:${project.id}:${key}`,
      personName: person.name,
      personId: person.id,
      tokenProjectIds: person.tokenProjectIds,
      parameters,
      ...(ignoresCaches ? { ignoresCaches } : {}),
      ...(ignoresReuse ? { ignoresReuse } : {}),
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
  if (trace.some(({ rule }) => rule === 'event.switched-off'))
    throw new GantryError('EVENT_SWITCHED_OFF', `${what}: the settings of the project have switched off ${kind}`);
  throw new GantryError('NO_PIPELINE_MATCHED', `${what}: no trigger matches ${kind}`);
}

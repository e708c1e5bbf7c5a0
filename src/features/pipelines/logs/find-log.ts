import { GantryError } from '../../../core/errors.ts';
import { isFinished, type Pipeline, type Step } from '../../../core/pipeline.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { LogState, LogStorage } from '../../../drivers/logs/logs.ts';

export interface FindLogDeps {
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly logs: LogStorage;
}

export interface StepPlace {
  readonly owner: string;
  readonly project: string;
  readonly number: number;
  readonly step: number;
}

/** The step of that place, only when it is of that very project and pipeline. Throws what is not there. */
export async function getStep(deps: Pick<FindLogDeps, 'store'>, place: StepPlace): Promise<Step> {
  const { number, step: stepId } = place;
  const pipeline = await getPipeline(deps, place);
  const step = await deps.store.read.pipelines.findStep(stepId);
  if (!step || step.pipelineId !== pipeline.id)
    throw new GantryError(
      'STEP_NOT_FOUND',
      `Cannot find step ${stepId} in pipeline ${number}: it has none with this id`,
    );
  return step;
}

/** A pipeline with the steps of the present attempts, in the order of their workflows, and the names of these. */
export async function getPipelineSteps(
  deps: Pick<FindLogDeps, 'store'>,
  place: Omit<StepPlace, 'step'>,
): Promise<{
  readonly pipeline: Pipeline;
  readonly workflows: ReadonlyMap<number, string>;
  readonly steps: readonly Step[];
}> {
  const { pipelines } = deps.store.read;
  const pipeline = await getPipeline(deps, place);
  const [workflows, steps] = await Promise.all([pipelines.workflows(pipeline.id), pipelines.steps(pipeline.id)]);
  const attempts = new Map(workflows.map(({ id, attempt }) => [id, attempt]));
  return {
    pipeline,
    workflows: new Map(workflows.map(({ id, name }) => [id, name])),
    steps: steps.filter(({ workflowId, attempt }) => attempts.get(workflowId) === attempt),
  };
}

async function getPipeline(
  { store }: Pick<FindLogDeps, 'store'>,
  { owner, project: name, number }: Omit<StepPlace, 'step'>,
): Promise<Pipeline> {
  const { projects, pipelines } = store.read;
  const project = await projects.findBySlug(owner, name);
  if (!project) throw new GantryError('PROJECT_NOT_FOUND', `Cannot find project ${owner}/${name}`);
  const pipeline = await pipelines.findByNumber(project.id, number);
  if (!pipeline)
    throw new GantryError('PIPELINE_NOT_FOUND', `Cannot find pipeline ${number} of ${owner}/${name}: there is none`);
  return pipeline;
}

/** How far the step's log goes. Throws LOG_NOT_FOUND while it has none. */
export async function getLogState({ logs }: Pick<FindLogDeps, 'logs'>, step: Step): Promise<LogState> {
  const state = await logs.find(step.id);
  if (state) return state;
  const isOver = isFinished(step.status) && !step.startedAt;
  const why = isOver ? 'it has none, since it did not start' : 'it has none yet';
  throw new GantryError('LOG_NOT_FOUND', `Cannot show the log of step "${step.name}": ${why}`);
}

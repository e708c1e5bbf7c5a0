import { GantryError } from '../../../core/errors.ts';
import type { Step } from '../../../core/pipeline.ts';
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
export async function getStep({ store }: Pick<FindLogDeps, 'store'>, place: StepPlace): Promise<Step> {
  const { projects, pipelines } = store.read;
  const { owner, project: name, number, step: stepId } = place;
  const project = await projects.findBySlug(owner, name);
  if (!project) throw new GantryError('PROJECT_NOT_FOUND', `Cannot find project ${owner}/${name}`);
  const pipeline = await pipelines.findByNumber(project.id, number);
  if (!pipeline)
    throw new GantryError('PIPELINE_NOT_FOUND', `Cannot find pipeline ${number} of ${owner}/${name}: there is none`);
  const step = await pipelines.findStep(stepId);
  if (!step || step.pipelineId !== pipeline.id)
    throw new GantryError(
      'STEP_NOT_FOUND',
      `Cannot find step ${stepId} in pipeline ${number}: it has none with this id`,
    );
  return step;
}

/** How far the step's log goes. Throws LOG_NOT_FOUND while it has none. */
export async function getLogState({ logs }: Pick<FindLogDeps, 'logs'>, step: Step): Promise<LogState> {
  const state = await logs.find(step.id);
  if (!state) throw new GantryError('LOG_NOT_FOUND', `Cannot show the log of step "${step.name}": it has none yet`);
  return state;
}

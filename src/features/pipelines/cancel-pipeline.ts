import { GantryError } from '../../core/errors.ts';
import { isFinished, type Pipeline } from '../../core/pipeline.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Engine } from './engine.ts';

/**
 * Stops a pipeline that has not finished and returns it as it now stands: its steps may take their time to end, and steps
 * that run after a cancel may run. Asked a second time, it ends these as well.
 */
export async function cancelPipeline(
  { store, engine }: { readonly store: UnitOfWork; readonly engine: Engine },
  pipeline: Pipeline,
  by: string,
): Promise<Pipeline> {
  // Between its plan and the engine there is a moment in which the record alone knows it.
  if (!isFinished(pipeline.status)) await engine.ensure(pipeline.id);
  const open = engine.find(pipeline.id);
  if (!open || isFinished(open.status)) {
    const now = open?.status ?? (await store.read.pipelines.find(pipeline.id))?.status;
    throw new GantryError(
      'PIPELINE_ALREADY_FINISHED',
      `Cannot cancel pipeline #${pipeline.number}: it is already ${now}`,
    );
  }
  if (!(await engine.cancel(open, by, { kind: 'person' })))
    throw new GantryError(
      'SERVER_BUSY',
      `Cannot cancel pipeline #${pipeline.number}: the change could not be recorded`,
    );
  return (await store.read.pipelines.find(pipeline.id)) ?? pipeline;
}

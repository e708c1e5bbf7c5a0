import { isFinished } from '../../core/pipeline.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Engine } from './engine.ts';
import type { OpenPipeline, OpenWorkflow } from './open-pipelines.ts';

/** Cancels pipelines that have run for longer than their project lets them. Asked every few seconds. */
export async function cancelOverdue({
  store,
  engine,
  clock,
}: {
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly engine: Engine;
  readonly clock: Clock;
}): Promise<void> {
  const projects = new Map<number, Project | undefined>();
  for (const pipeline of engine.openPipelines()) {
    const since = runsSince(pipeline);
    if (since === undefined || pipeline.workflows.every(isEnding)) continue;
    const { projectId } = pipeline.row;
    if (!projects.has(projectId)) projects.set(projectId, await store.read.projects.find(projectId));
    const timeoutMs = projects.get(projectId)?.pipelines.timeoutMs;
    if (timeoutMs === undefined || clock.now().getTime() - since < timeoutMs) continue;
    await engine.cancel(pipeline, 'Gantry', { rule: 'workflow.pipeline-timed-out', values: { timeoutMs } });
  }
}

function isEnding({ status, cancelledBy }: OpenWorkflow): boolean {
  return isFinished(status) || cancelledBy !== undefined;
}

/**
 * When the present run of a pipeline began, in milliseconds since 1970. After a rerun, workflows that were kept ended
 * before the others were queued; what ended later, or at that very moment, belongs to the same run.
 */
export function runsSince({ workflows }: Pick<OpenPipeline, 'workflows'>): number | undefined {
  const ofRun = new Set(workflows.filter(({ status }) => !isFinished(status)));
  // A set grows while it is walked through.
  for (const { queuedAt } of ofRun)
    for (const other of workflows) if (queuedAt && endOf(other) >= queuedAt.getTime()) ofRun.add(other);
  const starts = [...ofRun].flatMap(({ startedAt }) => startedAt?.getTime() ?? []);
  return starts.length === 0 ? undefined : Math.min(...starts);
}

function endOf({ steps }: OpenWorkflow): number {
  return Math.max(...steps.map(({ finishedAt }) => finishedAt?.getTime() ?? 0));
}

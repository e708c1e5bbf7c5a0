import { isFinished } from '../../core/pipeline.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Timers } from '../../lib/timers.ts';
import type { Engine } from './engine.ts';
import type { OpenPipeline, OpenWorkflow } from './open-pipelines.ts';

export interface TimeLimitDeps {
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** How often it is looked which pipelines come near the end of their time: no limit may be shorter. */
const lookEveryMs = 5_000;

/** Cancels pipelines at the moment at which they have run for as long as their project lets them. Answers how to stop. */
export function watchTimeLimits(deps: TimeLimitDeps): () => void {
  let isStopped = false;
  let takeBack = (): void => {};
  const lookIn = (ms: number): void => {
    if (isStopped) return;
    takeBack = deps.timers.after(ms, () => {
      cancelOverdue(deps).then(
        (nextMs) => lookIn(Math.min(lookEveryMs, nextMs)),
        (error: unknown) => {
          deps.logger.error('Pipelines whose time is over could not be cancelled', { error });
          lookIn(lookEveryMs);
        },
      );
    });
  };
  lookIn(lookEveryMs);
  return () => {
    isStopped = true;
    takeBack();
  };
}

/** Answers in how many milliseconds the next one has reached its limit. */
async function cancelOverdue({ store, engine, clock }: TimeLimitDeps): Promise<number> {
  let nextMs = Number.POSITIVE_INFINITY;
  const projects = new Map<number, Project | undefined>();
  for (const pipeline of engine.openPipelines()) {
    const since = runsSince(pipeline);
    if (since === undefined || pipeline.workflows.every(isEnding)) continue;
    const { projectId } = pipeline.row;
    if (!projects.has(projectId)) projects.set(projectId, await store.read.projects.find(projectId));
    const timeoutMs = projects.get(projectId)?.pipelines.timeoutMs;
    if (timeoutMs === undefined) continue;
    const leftMs = since + timeoutMs - clock.now().getTime();
    if (leftMs > 0) nextMs = Math.min(leftMs, nextMs);
    else await engine.cancel(pipeline, 'Gantry', { kind: 'timed-out', timeoutMs });
  }
  return nextMs;
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

import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Engine } from './engine.ts';
import { type OpenWorkflow, stateOf } from './open-pipelines.ts';
import { endBeforeStart } from './placement.ts';

/**
 * Ends workflows that no runner can take: of a project that does not wait for one at once, skipped; else when they have
 * waited for as long as the installation lets them. Asked every few seconds.
 */
export async function endUnavailable({
  store,
  engine,
  clock,
  waitLimitMs,
}: {
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly waitLimitMs: number;
}): Promise<void> {
  const projects = new Map<number, Project | undefined>();
  for (const { row, workflows } of engine.openPipelines())
    for (const workflow of workflows) {
      if (findWanted(engine, workflow) === undefined) continue;
      if (!projects.has(row.projectId)) projects.set(row.projectId, await store.read.projects.find(row.projectId));
      // A runner may have come while the project was read.
      const wanted = findWanted(engine, workflow);
      if (wanted === undefined) continue;
      const doesWait = projects.get(row.projectId)?.pipelines.unavailable !== 'skip';
      const waitedMs = clock.now().getTime() - (workflow.queuedAt ?? row.createdAt).getTime();
      if (doesWait && waitedMs < waitLimitMs) continue;
      const values = { wanted, waitedMs: doesWait ? waitedMs : 0 };
      const changes = engine.changes();
      engine.dispatcher.withdraw(workflow);
      if (doesWait) {
        changes.trace(workflow, 'workflow.unavailable', 'failed', values);
        changes.apply(workflow, endBeforeStart(stateOf(workflow), { rule: 'workflow.unavailable', values }));
        changes.settle(workflow);
      } else changes.skip(workflow, 'workflow.unavailable', values);
      await engine.commit(changes);
    }
}

/** What nobody has that the workflow waits for; `undefined` when it does not wait for that. */
function findWanted(engine: Engine, workflow: OpenWorkflow): string | undefined {
  if (workflow.status === 'blocked') return workflow.plan.blocked;
  return workflow.status === 'queued' ? engine.dispatcher.unmet(workflow) : undefined;
}

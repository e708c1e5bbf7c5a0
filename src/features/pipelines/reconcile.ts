import { isFinished } from '../../core/pipeline.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { endDeclined } from './approvals/decide-approval.ts';
import type { Engine } from './engine.ts';
import type { EventPlanner } from './event-planner.ts';
import type { Retries } from './retries.ts';

/** Something that was not as it should be, and what was done about it. */
export interface Finding {
  readonly kind:
    | 'declined-open'
    | 'event-without-plan'
    | 'pipeline-not-retried'
    | 'pipeline-unknown'
    | 'runner-lost'
    | 'workflow-without-runner';
  readonly message: string;
}

export interface ReconcileDeps {
  readonly store: UnitOfWork;
  readonly engine: Engine;
  readonly planner: EventPlanner;
  readonly retries: Retries;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An event younger than this is on its way to the planner by itself. */
const eventGraceMs = 5_000;

const eventsAtOnce = 200;

/** A pipeline that is to be run again is so by itself at its time. */
const retryGraceMs = 5_000;

/**
 * Looks for work that somebody lost hold of and moves it on; only ever forward. Finding nothing is the normal case.
 * The very same function is what a starting server begins with (engine.md 8): then every event counts, whatever its age.
 */
export async function reconcile(
  deps: ReconcileDeps,
  options: { readonly isStarting: boolean },
): Promise<readonly Finding[]> {
  const { engine, logger } = deps;
  const findings: Finding[] = [];
  for (const runnerId of engine.losses.checkLeases())
    findings.push({ kind: 'runner-lost', message: `The runner ${runnerId} has been silent for longer than its lease` });
  findings.push(
    ...(await adoptUnknown(deps)),
    ...(await loseOrphans(deps)),
    ...(await endRefused(deps)),
    ...(await planForgotten(deps, options)),
    ...(await retryForgotten(deps, options)),
  );
  if (!options.isStarting)
    for (const { kind, message } of findings) logger.warn('Reconciliation found something', { kind, finding: message });
  return findings;
}

/** Pipelines that the record holds open and this process does not know: all of them after a restart. */
async function adoptUnknown({ store, engine, planner }: ReconcileDeps): Promise<Finding[]> {
  const open = await store.read.pipelines.openWorkflows();
  const unknown = new Set(open.map(({ pipelineId }) => pipelineId).filter((id) => !engine.find(id)));
  const findings: Finding[] = [];
  for (const id of unknown) {
    const pipeline = await store.read.pipelines.find(id);
    // It may have ended since, or be on its way here.
    const isStillOpen = (await store.read.pipelines.workflows(id)).some(({ status }) => !isFinished(status));
    const isExpected = engine.isExpected(id) || (pipeline && planner.isPlanning(pipeline.eventId));
    if (!isStillOpen || isExpected || engine.find(id)) continue;
    await engine.ensure(id);
    findings.push({ kind: 'pipeline-unknown', message: `Pipeline ${id} is open and nobody looked after it` });
  }
  return findings;
}

/** Workflows that are claimed by a runner which is not there, not even as one that is awaited. */
async function loseOrphans({ engine }: ReconcileDeps): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const pipeline of engine.openPipelines()) {
    for (const workflow of pipeline.workflows) {
      if (workflow.status !== 'claimed' && workflow.status !== 'running') continue;
      const session = workflow.runnerId === undefined ? undefined : engine.sessions.get(workflow.runnerId);
      if (workflow.isBeingLost || (session && workflow.holder === session)) continue;
      await engine.losses.loseOrphan(workflow);
      const { row } = pipeline;
      findings.push({
        kind: 'workflow-without-runner',
        message: `Workflow ${workflow.name} of pipeline ${row.id} is held by ${workflow.runnerId ?? 'nobody'}, which is not there`,
      });
    }
  }
  return findings;
}

/** Pipelines that somebody refused, or that something newer overtook, and whose end was cut off. */
async function endRefused({ store, engine }: ReconcileDeps): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { row, isHeld } of engine.openPipelines()) {
    if (!isHeld) continue;
    const approval = await store.read.approvals.findByPipeline(row.id);
    if (approval?.state === 'approved') await engine.release(row.id, approval.hasSecrets);
    else if (approval?.state !== 'waiting') await endDeclined(engine, row.id, approval?.decidedBy ?? 'system');
    else continue;
    findings.push({ kind: 'declined-open', message: `Pipeline ${row.id} was ${approval?.state} and still waited` });
  }
  return findings;
}

async function planForgotten(
  { store, planner, clock, logger }: ReconcileDeps,
  { isStarting }: { readonly isStarting: boolean },
): Promise<Finding[]> {
  const events = await store.read.events.listUnplanned(eventsAtOnce);
  const before = clock.now().getTime() - eventGraceMs;
  const forgotten = events.filter(
    (event) => !planner.isPlanning(event.id) && (isStarting || event.createdAt.getTime() <= before),
  );
  for (const event of forgotten)
    planner.planNow(event.id, event.projectId).catch((error: unknown) => {
      logger.error('An event could not be planned anew', { error, eventId: event.id });
    });
  return forgotten.map(({ id }) => ({ kind: 'event-without-plan', message: `Event ${id} had no plan and no trace` }));
}

async function retryForgotten(
  { retries, clock }: ReconcileDeps,
  { isStarting }: { readonly isStarting: boolean },
): Promise<Finding[]> {
  const by = new Date(clock.now().getTime() - (isStarting ? 0 : retryGraceMs));
  const again = await retries.runDue(by);
  return again.map((id) => ({ kind: 'pipeline-not-retried', message: `Pipeline ${id} was to run again and did not` }));
}

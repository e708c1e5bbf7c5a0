import { isFinished } from '../../core/pipeline.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ChangeSet } from './change-set.ts';
import type { EngineRecord } from './engine-record.ts';
import { advanceOpen, type OpenWorkflow } from './open-pipelines.ts';
import { claimOf, type RunnerSession } from './runner-session.ts';
import type { StepLogs } from './step-logs.ts';

export interface LossesDeps {
  readonly record: EngineRecord;
  readonly logs: StepLogs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a runner may be silent before it counts as lost. */
  readonly leaseMs: number;
  /** Withdraws the starts that a runner asked for and nobody will hear the answer of. */
  readonly forgetStarts: (isConcerned: (start: { session: RunnerSession; workflow: OpenWorkflow }) => boolean) => void;
}

/** What becomes of work whose runner is gone: leases that ran out, claims that were let go (engine.md 4, 5). */
export class Losses {
  readonly #deps: LossesDeps;
  #leasesCheckedMs: number;

  constructor(deps: LossesDeps) {
    this.#deps = deps;
    this.#leasesCheckedMs = deps.clock.monotonicMs();
  }

  /**
   * The runner does not have the workflow any more. Nothing of it had started: it waits in the queue again. Otherwise its
   * workspace is gone and it ends as infrastructure. Either way a later report of that runner carries an old token.
   */
  lose(session: RunnerSession, workflow: OpenWorkflow): Promise<boolean> {
    session.release(claimOf(workflow));
    return this.#lose(workflow, session.runnerId);
  }

  /** As `lose`, for a workflow whose runner nobody knows. */
  loseOrphan(workflow: OpenWorkflow): Promise<boolean> {
    return this.#lose(workflow, workflow.runnerId ?? 'unknown');
  }

  #lose(workflow: OpenWorkflow, runner: string): Promise<boolean> {
    const { record, logs, forgetStarts } = this.#deps;
    if (isFinished(workflow.status)) {
      for (const id of startedSteps(workflow)) record.inBackground(logs.close(id));
      return Promise.resolve(true);
    }
    if (workflow.isBeingLost) return Promise.resolve(true);
    forgetStarts((start) => start.workflow === workflow);
    workflow.isAssigned = false;
    const changes = record.changes();
    changes.setWorkflow(workflow, { token: workflow.token + 1, runnerId: null });
    if (startedSteps(workflow).length > 0) return this.#endLost(changes, workflow, runner);
    this.#applyLoss(changes, workflow, runner);
    return record.commit(changes);
  }

  /**
   * In this order: the new token, so that nothing more of that runner is taken; then the end marks of its logs, without
   * which they would be followed for ever; then how the workflow ended. A server that dies in between finds a workflow
   * that runs and is nobody's, and goes on from there.
   */
  async #endLost(fence: ChangeSet, workflow: OpenWorkflow, runner: string): Promise<boolean> {
    const { record, logs } = this.#deps;
    workflow.isBeingLost = true;
    if (!(await record.commit(fence))) return false;
    await Promise.allSettled(startedSteps(workflow).map((id) => logs.close(id)));
    workflow.isBeingLost = false;
    // Read anew meanwhile: whoever did that looks after it.
    if (record.find(workflow.pipeline.row.id) !== workflow.pipeline) return false;
    const changes = record.changes();
    this.#applyLoss(changes, workflow, runner);
    return record.commit(changes);
  }

  #applyLoss(changes: ChangeSet, workflow: OpenWorkflow, runner: string): void {
    const lost = advanceOpen(workflow, { type: 'lost', runner });
    const isBack = lost.status === 'queued';
    const rule = isBack ? 'workflow.requeued' : 'workflow.runner-lost';
    changes.trace(workflow, rule, isBack ? 'waiting' : 'failed', { runner });
    changes.apply(workflow, lost);
    if (isBack) {
      changes.setWorkflow(workflow, { status: 'queued' });
      changes.queue(workflow);
      changes.settlePipeline(workflow.pipeline);
    } else changes.settle(workflow);
  }

  /** A runner that is gone for good, with all that it held. */
  loseSession(session: RunnerSession): Promise<unknown> {
    const { record, forgetStarts } = this.#deps;
    if (record.sessions.get(session.runnerId) === session) record.sessions.delete(session.runnerId);
    forgetStarts((start) => start.session === session);
    const { connection } = session;
    session.connection = undefined;
    const lost = Promise.all(session.claims.map((workflow) => this.lose(session, workflow)));
    connection?.close();
    return lost;
  }

  /**
   * Gives up runners whose lease has run out; answers those that held something. Time in which the server itself did
   * not run is not held against them: their heartbeats may still wait in the socket.
   */
  checkLeases(): readonly string[] {
    const { record, clock, logger, leaseMs } = this.#deps;
    const nowMs = clock.monotonicMs();
    const hasSlept = nowMs - this.#leasesCheckedMs > leaseMs / 2;
    this.#leasesCheckedMs = nowMs;
    const lost: string[] = [];
    for (const session of record.sessions.values()) {
      if (hasSlept) session.lastHeartbeatMs = nowMs;
      if (nowMs - session.lastHeartbeatMs <= leaseMs) continue;
      if (session.claimCount > 0) {
        lost.push(session.runnerId);
        logger.warn('A runner is lost', { runnerId: session.runnerId, workflows: session.claimCount });
      }
      record.inBackground(this.loseSession(session));
    }
    return lost;
  }
}

function startedSteps({ steps }: OpenWorkflow): readonly number[] {
  return steps.flatMap(({ id, startedAt, status }) =>
    startedAt || (isFinished(status) && status !== 'skipped') ? [id] : [],
  );
}

import { isFinished } from '../../core/pipeline.ts';
import type { Repository } from '../../core/repository.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { advance, type Occurrence } from '../../engine/advance.ts';
import { restoreWorkflow, type WorkflowState } from '../../engine/advance-state.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { assignmentOf } from './assignment.ts';
import { ChangeSet, slotsTaken } from './change-set.ts';
import { FairQueue } from './fair-queue.ts';
import { endForMissingSecret, needsSecrets } from './missing-secret.ts';
import { loadPipeline, type OpenPipeline, type OpenStep, type OpenWorkflow } from './open-pipelines.ts';
import { Recorder } from './recorder.ts';
import { claimOf, RunnerSession } from './runner-session.ts';
import { startEnvironment } from './start-environment.ts';
import type { StepLogs } from './step-logs.ts';

export interface EngineDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'folder'>;
  readonly secrets: SecretVault;
  readonly logs: StepLogs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: EngineConfig;
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
}

export interface EngineConfig {
  /** How many steps may run at once, over all runners. */
  readonly runningStepsLimit: number;
  /** How long a runner may be silent before it counts as lost. */
  readonly leaseMs: number;
  /** How many bytes a step may log. */
  readonly logLimitBytes: number;
}

/** A start that a runner asked for. It waits while all slots are taken. */
interface PendingStart {
  session: RunnerSession;
  request: number;
  readonly workflow: OpenWorkflow;
  readonly step: OpenStep;
}

/**
 * Places workflows on runners and keeps the record of what becomes of them (engine.md 4, 5, 8).
 *
 * Every decision is made at once on the open pipelines, in the order in which its causes arrive, and is recorded in that
 * order; nothing is told to a runner before it is on disk. There is no timer here: whatever frees a slot or a workflow
 * wakes the dispatcher in the same tick.
 */
export class Engine {
  readonly sessions = new Map<string, RunnerSession>();
  readonly #deps: EngineDeps;
  readonly #open = new Map<number, OpenPipeline>();
  /** Pipelines that are being written and on their way here: who wants one of them waits for it. */
  readonly #expected = new Map<number, PromiseWithResolvers<void>>();
  readonly #loading = new Map<number, { isDirty: boolean; done: Promise<void> }>();
  readonly #queue = new FairQueue<OpenWorkflow>();
  readonly #starts = new FairQueue<PendingStart>();
  readonly #startOf = new Map<number, PendingStart>();
  readonly #recorder: Recorder;
  readonly #background = new Set<Promise<void>>();
  #startsAsked = 0;
  #isDispatching = false;
  #isWoken = false;
  #isStopped = false;
  #leasesCheckedMs: number;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#leasesCheckedMs = deps.clock.monotonicMs();
    this.#recorder = new Recorder(deps.store, (failed, error) => this.#recover(failed, error));
  }

  /** Takes a pipeline that the record holds open: at its birth, after a restart, at a rerun. Known ones stay as they are. */
  adopt(pipeline: OpenPipeline): Promise<boolean> {
    this.unexpect(pipeline.row.id);
    if (this.#open.has(pipeline.row.id)) return Promise.resolve(true);
    this.#open.set(pipeline.row.id, pipeline);
    const changes = this.changes();
    changes.settlePipeline(pipeline);
    for (const workflow of pipeline.workflows) {
      if (workflow.status === 'queued') this.#enqueue(workflow);
      else if (!isFinished(workflow.status) && workflow.runnerId !== undefined)
        this.#sessionOf(workflow.runnerId).holdByRecord(workflow);
    }
    return this.commit(changes);
  }

  /** Announces a pipeline that `adopt` is going to be given, or `unexpect` when it does not come to be. */
  expect(pipelineId: number): void {
    if (!this.#expected.has(pipelineId)) this.#expected.set(pipelineId, Promise.withResolvers());
  }

  unexpect(pipelineId: number): void {
    this.#expected.get(pipelineId)?.resolve();
    this.#expected.delete(pipelineId);
  }

  isExpected(pipelineId: number): boolean {
    return this.#expected.has(pipelineId);
  }

  /** Makes sure that an open pipeline is known here: waits for it, or reads it from the record. */
  async ensure(pipelineId: number): Promise<void> {
    await this.#expected.get(pipelineId)?.promise;
    if (!this.#open.has(pipelineId)) await this.#load(pipelineId);
  }

  /** Resolves when no pipeline is being read from the record: until then nobody can say who holds what. */
  async loaded(): Promise<void> {
    while (this.#loading.size > 0) await Promise.allSettled([...this.#loading.values()].map(({ done }) => done));
  }

  find(pipelineId: number): OpenPipeline | undefined {
    return this.#open.get(pipelineId);
  }

  openPipelines(): readonly OpenPipeline[] {
    return [...this.#open.values()];
  }

  changes(): ChangeSet {
    return new ChangeSet(this.#deps.clock.now());
  }

  /**
   * Records what was decided and wakes the dispatcher. Answers whether it is on disk; when it is not, the pipelines are
   * read anew and the runners concerned call again.
   */
  async commit(changes: ChangeSet): Promise<boolean> {
    for (const { row } of changes.pipelines) {
      const loading = this.#loading.get(row.id);
      if (loading) loading.isDirty = true;
    }
    // Some have nothing to do and have passed meanwhile.
    for (const workflow of changes.queued) if (workflow.status === 'queued') this.#enqueue(workflow);
    const recorded = this.#record(changes);
    this.wake();
    return recorded;
  }

  /** Gives free slots to starts that wait, then to workflows that wait. */
  wake(): void {
    this.#isWoken = true;
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      this.#grantStarts();
      this.#claimWorkflows();
    }
    this.#isDispatching = false;
  }

  /** Asks for a start on behalf of a runner. The answer goes to it once the start is recorded. */
  requestStart(session: RunnerSession, workflow: OpenWorkflow, step: OpenStep, request: number): void {
    const waiting = this.#startOf.get(step.id);
    if (waiting) {
      waiting.session = session;
      waiting.request = request;
      return;
    }
    const start: PendingStart = { session, request, workflow, step };
    if (step.status === 'starting') {
      // Recorded already: the answer was lost on its way.
      this.#inBackground(this.#grant(start));
      return;
    }
    this.#startOf.set(step.id, start);
    this.#startsAsked += 1;
    this.#starts.add(start, workflow.pipeline.row.projectId, this.#startsAsked);
    this.wake();
  }

  /** A step that has ended, skipped by its runner perhaps, does not wait for a slot any more. */
  forgetStart(stepId: number): void {
    const start = this.#startOf.get(stepId);
    if (!start) return;
    this.#starts.remove(start);
    this.#startOf.delete(stepId);
  }

  /** A runner that left asks again when it is back. */
  forgetStarts(isConcerned: (start: { session: RunnerSession; workflow: OpenWorkflow }) => boolean): void {
    for (const start of this.#starts.items()) {
      if (!isConcerned(start)) continue;
      this.forgetStart(start.step.id);
    }
  }

  /** What the workflow waits for: a slot and how many are ahead, or another one. `undefined` when nothing holds it. */
  waitsFor(workflow: OpenWorkflow): TraceEntry | undefined {
    const entry = (rule: TraceEntry['rule'], values: TraceEntry['values']): TraceEntry => ({
      subject: { kind: 'workflow', workflow: workflow.name },
      rule,
      verdict: 'waiting',
      values,
    });
    if (workflow.status === 'queued') {
      const running = this.#runningSteps();
      return entry('workflow.waits-for-slot', { running, limit: this.#slots(), ahead: this.#queue.ahead(workflow) });
    }
    if (workflow.status !== 'blocked') return undefined;
    const awaited = workflow.pipeline.workflows.find(
      (other) => workflow.plan.dependsOn.includes(other.name) && !isFinished(other.status),
    );
    return awaited && entry('workflow.waits-for', { workflow: awaited.name });
  }

  /** Marks first, stops afterwards: a runner that reports a failure meanwhile finds it cancelled. */
  async cancel(pipeline: OpenPipeline, by: string): Promise<boolean> {
    const changes = this.changes();
    const told: OpenWorkflow[] = [];
    this.forgetStarts(({ workflow }) => workflow.pipeline === pipeline);
    for (const workflow of pipeline.workflows) {
      if (isFinished(workflow.status) || workflow.cancelledBy !== undefined) continue;
      if (workflow.isAssigned || workflow.isBeingLost) {
        changes.setWorkflow(workflow, { cancelledBy: by });
        told.push(workflow);
      } else this.#endUnheld(changes, workflow, { type: 'cancelled', by });
    }
    changes.settlePipeline(pipeline);
    if (!(await this.commit(changes))) return false;
    for (const workflow of told) {
      const session = workflow.runnerId === undefined ? undefined : this.sessions.get(workflow.runnerId);
      if (session?.find(claimOf(workflow)) === workflow) session.send({ type: 'cancel', ...claimOf(workflow), by });
    }
    return true;
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
    if (isFinished(workflow.status)) {
      for (const id of startedSteps(workflow)) this.#inBackground(this.#deps.logs.close(id));
      return Promise.resolve(true);
    }
    if (workflow.isBeingLost) return Promise.resolve(true);
    this.forgetStarts((start) => start.workflow === workflow);
    workflow.isAssigned = false;
    const changes = this.changes();
    changes.setWorkflow(workflow, { token: workflow.token + 1, runnerId: null });
    if (startedSteps(workflow).length > 0) return this.#endLost(changes, workflow, runner);
    this.#applyLoss(changes, workflow, runner);
    return this.commit(changes);
  }

  /**
   * In this order: the new token, so that nothing more of that runner is taken; then the end marks of its logs, without
   * which they would be followed for ever; then how the workflow ended. A server that dies in between finds a workflow
   * that runs and is nobody's, and goes on from there.
   */
  async #endLost(fence: ChangeSet, workflow: OpenWorkflow, runner: string): Promise<boolean> {
    workflow.isBeingLost = true;
    if (!(await this.commit(fence))) return false;
    await Promise.allSettled(startedSteps(workflow).map((id) => this.#deps.logs.close(id)));
    workflow.isBeingLost = false;
    // Read anew meanwhile: whoever did that looks after it.
    if (this.#open.get(workflow.pipeline.row.id) !== workflow.pipeline) return false;
    const changes = this.changes();
    this.#applyLoss(changes, workflow, runner);
    return this.commit(changes);
  }

  #applyLoss(changes: ChangeSet, workflow: OpenWorkflow, runner: string): void {
    const lost = this.#advance(workflow, { type: 'lost', runner });
    const isBack = lost.status === 'queued';
    const rule = isBack ? 'workflow.requeued' : 'workflow.runner-lost';
    changes.trace(workflow, rule, isBack ? 'waiting' : 'failed', { runner });
    this.#applySteps(changes, workflow, lost);
    if (isBack) {
      changes.setWorkflow(workflow, { status: 'queued' });
      changes.queued.push(workflow);
      changes.settlePipeline(workflow.pipeline);
    } else changes.settle(workflow);
  }

  /** A runner that is gone for good, with all that it held. */
  loseSession(session: RunnerSession): Promise<unknown> {
    if (this.sessions.get(session.runnerId) === session) this.sessions.delete(session.runnerId);
    this.forgetStarts((start) => start.session === session);
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
    const { clock, config, logger } = this.#deps;
    const nowMs = clock.monotonicMs();
    const hasSlept = nowMs - this.#leasesCheckedMs > config.leaseMs / 2;
    this.#leasesCheckedMs = nowMs;
    const lost: string[] = [];
    for (const session of this.sessions.values()) {
      if (hasSlept) session.lastHeartbeatMs = nowMs;
      if (nowMs - session.lastHeartbeatMs <= config.leaseMs) continue;
      if (session.claims.length > 0) {
        lost.push(session.runnerId);
        logger.warn('A runner is lost', { runnerId: session.runnerId, workflows: session.claims.length });
      }
      this.#inBackground(this.loseSession(session));
    }
    return lost;
  }

  /** Nothing is decided any more; resolves when what was decided is on disk. Runners go on without us. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const session of this.sessions.values()) session.connection?.close();
    await this.settled();
  }

  async settled(): Promise<void> {
    await this.#recorder.settled();
    while (this.#background.size > 0) await Promise.allSettled(this.#background);
    await this.#recorder.settled();
  }

  /** Work whose failure is logged, since nobody waits for it. */
  #inBackground(work: Promise<unknown>): void {
    const watched = work.then(
      () => {},
      (error: unknown) => this.#deps.logger.error('Work of the engine failed', { error }),
    );
    this.#background.add(watched);
    void watched.finally(() => this.#background.delete(watched));
  }

  /** Reads a pipeline from the record. What was decided about it meanwhile makes what was read old: it is read again. */
  #load(pipelineId: number): Promise<void> {
    const underWay = this.#loading.get(pipelineId);
    if (underWay) return underWay.done;
    const load = async (): Promise<void> => {
      let loaded: OpenPipeline;
      do {
        loading.isDirty = false;
        await this.#recorder.settled();
        loaded = await loadPipeline(this.#deps.store.read, pipelineId);
      } while (loading.isDirty);
      this.#loading.delete(pipelineId);
      if (!isFinished(loaded.status)) void this.adopt(loaded);
    };
    const loading = { isDirty: false, done: Promise.resolve() };
    this.#loading.set(pipelineId, loading);
    loading.done = load().catch((error: unknown) => {
      this.#loading.delete(pipelineId);
      throw error;
    });
    return loading.done;
  }

  async #record(changes: ChangeSet): Promise<boolean> {
    try {
      await this.#recorder.record(changes);
    } catch {
      return false; // `#recover` was told, with all that were in the same commit.
    }
    for (const pipeline of changes.pipelines)
      if (isFinished(pipeline.status) && this.#open.get(pipeline.row.id) === pipeline)
        this.#open.delete(pipeline.row.id);
    return true;
  }

  #recover(failed: readonly ChangeSet[], error: unknown): void {
    const pipelines = new Set(failed.flatMap((changes) => [...changes.pipelines]));
    this.#deps.logger.error('What was decided could not be recorded', {
      error,
      pipelines: [...pipelines].map(({ row }) => row.id),
    });
    if (this.#isStopped) return;
    for (const pipeline of pipelines) {
      this.#forget(pipeline);
      this.#inBackground(this.#load(pipeline.row.id));
    }
  }

  /** The runners concerned call again and are told how things stand. */
  #forget(pipeline: OpenPipeline): void {
    this.#open.delete(pipeline.row.id);
    this.forgetStarts(({ workflow }) => workflow.pipeline === pipeline);
    for (const workflow of pipeline.workflows) this.#queue.remove(workflow);
    for (const session of this.sessions.values()) {
      const held = session.claims.filter((workflow) => workflow.pipeline === pipeline);
      for (const workflow of held) session.release(claimOf(workflow));
      if (held.length > 0) session.connection?.close();
    }
  }

  #enqueue(workflow: OpenWorkflow): void {
    this.#queue.add(workflow, workflow.pipeline.row.projectId, (workflow.queuedAt ?? new Date(0)).getTime());
  }

  /** Known from the record alone until it calls. */
  #sessionOf(runnerId: string): RunnerSession {
    let session = this.sessions.get(runnerId);
    if (!session) {
      session = new RunnerSession({ runnerId, slots: 0, nowMs: this.#deps.clock.monotonicMs() });
      this.sessions.set(runnerId, session);
    }
    return session;
  }

  #runningSteps(): number {
    let running = 0;
    for (const session of this.sessions.values()) running += session.activeSteps();
    return running;
  }

  #slots(): number {
    let slots = 0;
    for (const session of this.sessions.values()) if (session.connection) slots += session.slots;
    return Math.min(slots, this.#deps.config.runningStepsLimit);
  }

  #grantStarts(): void {
    if (this.#starts.size === 0) return;
    let running = this.#runningSteps();
    while (running < this.#deps.config.runningStepsLimit) {
      const start = this.#starts.take(({ session }) => session.activeSteps() < session.slots);
      if (!start) return;
      this.#startOf.delete(start.step.id);
      running += 1;
      this.#inBackground(this.#grant(start));
    }
  }

  async #grant({ session, workflow, step, request }: PendingStart): Promise<void> {
    const { clock, secrets } = this.#deps;
    const { projectId, event } = workflow.pipeline.row;
    const changes = this.changes();
    if (step.status !== 'starting') {
      changes.landmarks.add('start');
      changes.setStep(workflow, step, { status: 'starting', startedAt: changes.at });
      changes.settle(workflow);
    }
    // The values are read while the start is written: neither waits for the other.
    const [isRecorded, values] = await Promise.all([
      this.commit(changes),
      Promise.all([secrets.reveal(projectId, event), secrets.maskValues(projectId)]).catch((error: unknown) => {
        this.#deps.logger.error('Secrets could not be revealed', { error, projectId });
        return undefined;
      }),
    ]);
    // Whatever came in between has been told already: a cancel, or that the claim is lost.
    if (!isRecorded || session.find(claimOf(workflow)) !== workflow || workflow.cancelledBy !== undefined) return;
    if (!values) {
      const claim = claimOf(workflow);
      await this.lose(session, workflow);
      session.send({ type: 'stale', ...claim });
      return;
    }
    const [revealed, mask] = values;
    const given: Record<string, string> = {};
    for (const { variable, secret } of workflow.plan.steps[step.position]!.secrets) {
      const value = revealed.get(secret);
      if (value !== undefined) given[variable] = value;
    }
    session.send({
      type: 'started',
      ...claimOf(workflow),
      stepId: step.id,
      request,
      environment: startEnvironment(workflow, step, session.runnerId, clock.now()),
      secrets: given,
      mask,
    });
  }

  #claimWorkflows(): void {
    while (this.#queue.size > 0) {
      let taken = 0;
      let best: RunnerSession | undefined;
      for (const session of this.sessions.values()) {
        for (const workflow of session.claims) taken += slotsTaken(workflow);
        if (session.connection && session.freeSlots() > (best?.freeSlots() ?? 0)) best = session;
      }
      if (!best || taken >= this.#deps.config.runningStepsLimit) return;
      const workflow = this.#queue.take();
      if (workflow) this.#inBackground(this.#claim(best, workflow));
    }
  }

  async #claim(session: RunnerSession, workflow: OpenWorkflow): Promise<void> {
    const changes = this.changes();
    changes.landmarks.add('claim');
    changes.setWorkflow(workflow, { status: 'claimed', runnerId: session.runnerId, token: workflow.token + 1 });
    changes.trace(workflow, 'workflow.claimed', 'ran', { runner: session.runnerId });
    changes.settlePipeline(workflow.pipeline);
    session.hold(workflow);
    const isRecorded = await this.commit(changes);
    // Cancelled or given up before anybody was told: nothing is left to do.
    if (!isRecorded || session.find(claimOf(workflow)) !== workflow) return;
    const missing = await this.#missingSecret(workflow);
    if (session.find(claimOf(workflow)) !== workflow) return;
    if (missing) {
      const failed = this.changes();
      session.release(claimOf(workflow));
      this.#applySteps(failed, workflow, missing);
      failed.settle(workflow);
      await this.commit(failed);
    } else if (session.connection) {
      workflow.isAssigned = true;
      session.send({ type: 'assign', ...claimOf(workflow), assignment: assignmentOf(workflow, this.#deps) });
    } else await this.lose(session, workflow);
  }

  async #missingSecret(workflow: OpenWorkflow): Promise<WorkflowState | undefined> {
    if (!needsSecrets(workflow)) return undefined;
    const { projectId, event } = workflow.pipeline.row;
    const names = await this.#deps.secrets.names(projectId, event);
    return endForMissingSecret(restoreOpen(workflow), names);
  }

  /** Ends a workflow that no runner was told of. */
  #endUnheld(changes: ChangeSet, workflow: OpenWorkflow, occurrence: Extract<Occurrence, { type: 'cancelled' }>): void {
    this.#queue.remove(workflow);
    if (workflow.runnerId !== undefined) this.sessions.get(workflow.runnerId)?.release(claimOf(workflow));
    const ended = this.#advance(workflow, occurrence);
    changes.setWorkflow(workflow, { cancelledBy: occurrence.by });
    this.#applySteps(changes, workflow, ended);
    changes.settle(workflow);
  }

  #advance(workflow: OpenWorkflow, occurrence: Occurrence): WorkflowState {
    return advance(restoreOpen(workflow), occurrence).workflow;
  }

  #applySteps(changes: ChangeSet, workflow: OpenWorkflow, state: WorkflowState): void {
    workflow.steps.forEach((step, position) => {
      const next = state.steps[position]!;
      if (next.status === step.status) return;
      changes.setStep(workflow, step, {
        status: next.status,
        ...(next.outcome ? { outcome: next.outcome } : {}),
        ...(next.reason ? { reason: next.reason } : {}),
        ...(isFinished(next.status) ? { finishedAt: changes.at } : {}),
      });
    });
  }
}

function startedSteps({ steps }: OpenWorkflow): readonly number[] {
  return steps.flatMap(({ id, startedAt, status }) =>
    startedAt || (isFinished(status) && status !== 'skipped') ? [id] : [],
  );
}

function restoreOpen(workflow: OpenWorkflow): WorkflowState {
  return restoreWorkflow(workflow.plan, {
    isClaimed: workflow.status === 'claimed' || workflow.status === 'running',
    cancelledBy: workflow.cancelledBy,
    steps: workflow.steps,
  });
}

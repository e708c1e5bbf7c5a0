import { type CancelCause, isFinished } from '../../core/pipeline.ts';
import type { Repository } from '../../core/repository.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { ChangeSet } from './change-set.ts';
import { Dispatcher } from './dispatcher.ts';
import type { EngineRecord } from './engine-record.ts';
import { JobCredentials } from './job-credentials.ts';
import { Losses } from './losses.ts';
import { advanceOpen, loadPipeline, mayStart, type OpenPipeline, type OpenWorkflow } from './open-pipelines.ts';
import type { PipelineMasks } from './pipeline-masks.ts';
import { Recorder } from './recorder.ts';
import { cancelMessage, claimOf, RunnerSession } from './runner-session.ts';
import type { StepLogs } from './step-logs.ts';

export interface EngineDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'folder' | 'listFolder'>;
  readonly secrets: SecretVault;
  readonly logs: StepLogs;
  readonly masks: PipelineMasks;
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

/**
 * Knows the open pipelines and keeps the record of what becomes of them (engine.md 4, 5, 8); who runs what is the
 * dispatcher's, what became of lost runners is told by the losses.
 *
 * Every decision is made at once on the open pipelines, in the order in which its causes arrive, and is recorded in that
 * order; nothing is told to a runner before it is on disk.
 */
export class Engine implements EngineRecord {
  readonly dispatcher: Dispatcher;
  readonly losses: Losses;
  readonly sessions = new Map<string, RunnerSession>();
  /** With which steps fetch the code of their own project. */
  readonly jobs: JobCredentials;
  readonly #deps: EngineDeps;
  readonly #open = new Map<number, OpenPipeline>();
  /** Pipelines that are being written and on their way here: who wants one of them waits for it. */
  readonly #expected = new Map<number, PromiseWithResolvers<void>>();
  readonly #loading = new Map<number, { isDirty: boolean; done: Promise<void> }>();
  readonly #recorder: Recorder;
  readonly #background = new Set<Promise<void>>();
  #isStopped = false;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#recorder = new Recorder({
      store: deps.store,
      onRecorded: (changes) => this.#forgetFinished(changes),
      onFailure: (failed, error) => this.#recover(failed, error),
    });
    this.jobs = new JobCredentials({
      key: () => deps.secrets.keyFor('job credentials'),
      workflows: () => this.openWorkflows(),
    });
    this.dispatcher = new Dispatcher({
      ...deps,
      record: this,
      jobs: this.jobs,
      lose: (session, workflow) => this.losses.lose(session, workflow),
    });
    this.losses = new Losses({
      ...deps,
      record: this,
      leaseMs: deps.config.leaseMs,
      forgetStarts: (isConcerned) => this.dispatcher.forgetStarts(isConcerned),
    });
  }

  /** Every workflow of every open pipeline. */
  *openWorkflows(): Iterable<OpenWorkflow> {
    for (const { workflows } of this.#open.values()) yield* workflows;
  }

  /** Takes a pipeline that the record holds open: at its birth, after a restart, at a rerun. Known ones stay as they are. */
  adopt(pipeline: OpenPipeline): Promise<boolean> {
    this.unexpect(pipeline.row.id);
    if (this.#open.has(pipeline.row.id)) return Promise.resolve(true);
    this.#open.set(pipeline.row.id, pipeline);
    const changes = this.changes();
    changes.settlePipeline(pipeline);
    for (const workflow of pipeline.workflows) {
      this.dispatcher.note(workflow);
      if (workflow.status === 'queued') this.dispatcher.enqueue(workflow);
      else if (!isFinished(workflow.status) && workflow.runnerId !== undefined)
        this.#sessionOf(workflow.runnerId).holdByRecord(workflow);
    }
    const recorded = this.commit(changes);
    this.inBackground(recorded.then((isRecorded) => (isRecorded ? this.dispatcher.fetchAhead(pipeline) : undefined)));
    return recorded;
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
  commit(changes: ChangeSet): Promise<boolean> {
    for (const { row } of changes.pipelines) {
      const loading = this.#loading.get(row.id);
      if (loading) loading.isDirty = true;
    }
    // Some have nothing to do and have passed meanwhile.
    for (const workflow of changes.queued) if (workflow.status === 'queued') this.dispatcher.enqueue(workflow);
    const recorded = this.#recorder.record(changes);
    this.dispatcher.wake();
    return recorded;
  }

  /**
   * Marks first, stops afterwards: a runner that reports a failure meanwhile finds it cancelled. A person's second cancel
   * ends the steps too that run after the first.
   */
  async cancel(pipeline: OpenPipeline, by: string, cause: CancelCause = { kind: 'person' }): Promise<boolean> {
    const changes = this.changes();
    const told = this.markCancelled(changes, pipeline, by, cause);
    if (!(await this.commit(changes))) return false;
    this.tellCancelled(told);
    return true;
  }

  /** As `cancel`, as part of another decision: answers whose runners are to be told once it is on disk. */
  markCancelled(changes: ChangeSet, pipeline: OpenPipeline, by: string, cause: CancelCause): readonly OpenWorkflow[] {
    const open = pipeline.workflows.filter(({ status }) => !isFinished(status));
    const isSecond = cause.kind === 'person' && open.every(({ cancelledBy }) => cancelledBy !== undefined);
    const told: OpenWorkflow[] = [];
    for (const workflow of open) {
      if (isSecond && !workflow.isCancelFinal) {
        changes.trace(workflow, 'workflow.cancelled-finally', 'noted', { by });
        changes.setWorkflow(workflow, { isCancelFinal: true });
        told.push(workflow);
      }
      if (workflow.cancelledBy !== undefined) continue;
      const because = traceOf(cause);
      if (because) changes.trace(workflow, because.rule, 'skipped', because.values);
      if (workflow.isAssigned || workflow.isBeingLost) {
        changes.setWorkflow(workflow, { cancelledBy: by, cancelCause: cause });
        told.push(workflow);
      } else this.#endUnheld(changes, workflow, by, cause);
    }
    // What runs after a cancel may have been asked for already: by a runner that knew of a failure that cancels.
    this.dispatcher.forgetStarts(({ step, workflow }) => workflow.pipeline === pipeline && !mayStart(workflow, step));
    changes.settlePipeline(pipeline);
    return told;
  }

  tellCancelled(told: readonly OpenWorkflow[]): void {
    for (const workflow of told) {
      const session = workflow.runnerId === undefined ? undefined : this.sessions.get(workflow.runnerId);
      const message = cancelMessage(workflow);
      if (message && session?.holds(workflow)) session.send(message);
    }
  }

  /** Lets a pipeline run that waited for somebody's word, once that word is on record. */
  async release(pipelineId: number, hasSecrets: boolean): Promise<void> {
    await this.ensure(pipelineId);
    const pipeline = this.#open.get(pipelineId);
    if (!pipeline?.isHeld) return;
    pipeline.isHeld = false;
    pipeline.mayHaveSecrets ||= hasSecrets;
    const changes = this.changes();
    changes.settlePipeline(pipeline);
    await this.commit(changes);
  }

  /** Nothing is decided any more; resolves when what was decided is on disk. Runners go on without us. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.dispatcher.stop();
    for (const session of this.sessions.values()) session.connection?.close();
    await this.settled();
  }

  async settled(): Promise<void> {
    await this.#recorder.settled();
    while (this.#background.size > 0) await Promise.allSettled(this.#background);
    await this.#recorder.settled();
  }

  inBackground(work: Promise<unknown>): void {
    const watched = work.then(
      () => void this.#background.delete(watched),
      (error: unknown) => {
        this.#deps.logger.error('Work of the engine failed', { error });
        this.#background.delete(watched);
      },
    );
    this.#background.add(watched);
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
      // What was known of one that has ended is old: it holds no place any more.
      else if (!this.#open.has(pipelineId)) for (const workflow of loaded.workflows) this.dispatcher.note(workflow);
    };
    const loading = { isDirty: false, done: Promise.resolve() };
    this.#loading.set(pipelineId, loading);
    loading.done = load().catch((error: unknown) => {
      this.#loading.delete(pipelineId);
      throw error;
    });
    return loading.done;
  }

  #forgetFinished(changes: ChangeSet): void {
    for (const pipeline of changes.pipelines)
      if (isFinished(pipeline.status) && this.#open.get(pipeline.row.id) === pipeline) {
        this.#open.delete(pipeline.row.id);
        for (const workflow of pipeline.workflows) this.dispatcher.note(workflow);
      }
  }

  #recover(failed: readonly ChangeSet[], error: unknown): void {
    const pipelines = new Set(failed.flatMap((changes) => changes.pipelines));
    this.#deps.logger.error('What was decided could not be recorded', {
      error,
      pipelines: [...pipelines].map(({ row }) => row.id),
    });
    if (this.#isStopped) return;
    for (const pipeline of pipelines) {
      this.#forget(pipeline);
      this.inBackground(this.#load(pipeline.row.id));
    }
  }

  /** The runners concerned call again and are told how things stand. */
  #forget(pipeline: OpenPipeline): void {
    this.#open.delete(pipeline.row.id);
    this.dispatcher.forgetStarts(({ workflow }) => workflow.pipeline === pipeline);
    for (const workflow of pipeline.workflows) this.dispatcher.withdraw(workflow);
    for (const session of this.sessions.values()) {
      const held = session.claims.filter((workflow) => workflow.pipeline === pipeline);
      for (const workflow of held) session.release(claimOf(workflow));
      if (held.length > 0) session.connection?.close();
    }
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

  /** Ends a workflow that no runner was told of. */
  #endUnheld(changes: ChangeSet, workflow: OpenWorkflow, by: string, cause: CancelCause): void {
    this.dispatcher.withdraw(workflow);
    if (workflow.runnerId !== undefined) this.sessions.get(workflow.runnerId)?.release(claimOf(workflow));
    const ended = advanceOpen(workflow, { type: 'cancelled', by, cause });
    changes.setWorkflow(workflow, { cancelledBy: by, cancelCause: cause });
    changes.apply(workflow, ended);
    changes.settle(workflow);
  }
}

/** What the pipeline says about it; of a person the steps do. */
function traceOf(cause: CancelCause): Pick<TraceEntry, 'rule' | 'values'> | undefined {
  switch (cause.kind) {
    case 'person':
      return undefined;
    case 'superseded':
      return { rule: 'workflow.superseded', values: { number: cause.number, ref: cause.ref } };
    case 'timed-out':
      return { rule: 'workflow.pipeline-timed-out', values: { timeoutMs: cause.timeoutMs } };
    case 'step-failed':
      return { rule: 'workflow.cancelled-by-step', values: { workflow: cause.workflow, step: cause.step } };
  }
}

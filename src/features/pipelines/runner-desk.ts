import { isFinished } from '../../core/pipeline.ts';
import type { RuntimeName } from '../../core/runtime-choice.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { cancelReason } from '../../engine/cancel-reason.ts';
import { type ClaimName, protocolVersion, type ToServer } from '../../engine/runner-protocol.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ArtifactDesk } from './artifacts/artifact-desk.ts';
import type { ChangeSet } from './change-set.ts';
import type { CheckoutDesk } from './checkout-desk.ts';
import type { Engine } from './engine.ts';
import { findStep, loadPipeline, mayStart, type OpenStep, type OpenWorkflow } from './open-pipelines.ts';
import { maskCacheReport, maskReport, type PipelineMasks } from './pipeline-masks.ts';
import { reuseEntry } from './reuse-entry.ts';
import { cancelMessage, claimOf, type RunnerConnection, RunnerSession } from './runner-session.ts';
import type { StepLogs } from './step-logs.ts';

export interface RunnerDeskDeps {
  readonly engine: Engine;
  readonly store: UnitOfWork;
  readonly logs: StepLogs;
  readonly masks: PipelineMasks;
  readonly artifacts: ArtifactDesk;
  readonly checkouts: CheckoutDesk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** Resolves when the record has been read: before that nobody could be told what is theirs. */
  readonly ready: Promise<void>;
}

type Message<Type extends ToServer['type']> = Extract<ToServer, { type: Type }>;

/** Messages that may wait while a greeting is worked on; a runner that sends more is cut off and calls again. */
const greetingInboxLimit = 10_000;

/** The server's side of the runner protocol: who calls, what they hold, and what becomes of what they say. */
export class RunnerDesk {
  readonly #deps: RunnerDeskDeps;
  #isStopped = false;
  /** Stale claims that were written down: one line for each is enough. */
  readonly #refused = new Set<string>();

  constructor(deps: RunnerDeskDeps) {
    this.#deps = deps;
  }

  /** Takes a connection of a runner: its first message tells whether it is for work or for heartbeats. */
  accept(connection: RunnerConnection): void {
    let session: RunnerSession | undefined;
    let greeting: Promise<void> | undefined;
    let isClosed = false;
    let inbox: { message: ToServer; payload: Buffer }[] = [];
    connection.onMessage((message, payload) => {
      if (message.type === 'heartbeat') this.noteHeartbeat(message.runnerId, message.generation);
      else if (message.type === 'hello') {
        if (session || greeting) return;
        greeting = this.#greet(connection, message, () => isClosed).then(
          (greeted) => {
            session = greeted;
            greeting = undefined;
            const waiting = inbox;
            inbox = [];
            if (greeted) for (const each of waiting) this.#hear(greeted, each.message, each.payload);
          },
          (error: unknown) => {
            this.#deps.logger.error('A runner could not be greeted', { error, runnerId: message.runnerId });
            connection.close();
          },
        );
      } else if (greeting) {
        if (inbox.length >= greetingInboxLimit) connection.close();
        else inbox.push({ message, payload });
      } else if (session) this.#hear(session, message, payload);
    });
    connection.onClose(() => {
      isClosed = true;
      if (!session || session.connection !== connection) return;
      // Not lost: its lease decides. What it asked for it will ask again.
      session.connection = undefined;
      const left = session;
      this.#forgetArtifacts(left);
      this.#deps.engine.dispatcher.forgetStarts((start) => start.session === left);
    });
  }

  /** A heartbeat counts for the process that sent it, not for one that had its name before. */
  noteHeartbeat(runnerId: string, generation?: string): void {
    const { engine, clock } = this.#deps;
    const session = engine.sessions.get(runnerId);
    if (!session || (generation !== undefined && session.generation !== generation)) return;
    const wasSilent = engine.dispatcher.isSilent(session);
    session.lastHeartbeatMs = clock.monotonicMs();
    if (wasSilent) engine.dispatcher.wake();
  }

  /** What a line carried in part is sent anew over the next one. */
  #forgetArtifacts(session: RunnerSession): void {
    this.#deps.artifacts.forget(session).catch((error: unknown) => {
      this.#deps.logger.warn('Half an artifact could not be removed', { error, runnerId: session.runnerId });
    });
  }

  async #greet(
    connection: RunnerConnection,
    hello: Message<'hello'>,
    isClosed: () => boolean,
  ): Promise<RunnerSession | undefined> {
    const { engine, clock, logger, leaseMs } = this.#deps;
    if (hello.protocol !== protocolVersion && hello.protocol !== protocolVersion - 1) {
      logger.warn('A runner speaks a protocol that is not understood', {
        runnerId: hello.runnerId,
        protocol: hello.protocol,
      });
      connection.close();
      return undefined;
    }
    await this.#deps.ready;
    await engine.loaded();
    if (isClosed()) return undefined;
    const { runnerId, generation, slots } = hello;
    const previous = engine.sessions.get(runnerId);
    let session = previous;
    if (!previous || previous.generation !== generation) {
      session = new RunnerSession({ runnerId, generation, slots, nowMs: clock.monotonicMs() });
      engine.sessions.set(runnerId, session);
      if (previous?.generation === undefined) for (const workflow of previous?.claims ?? []) session.hold(workflow);
      // The same name, another process: the one before is dead, and its steps with it.
      else await engine.losses.loseSession(previous);
    }
    if (!session || engine.sessions.get(runnerId) !== session) {
      connection.close();
      return undefined;
    }
    session.slots = slots;
    session.isDraining = hello.isDraining ?? false;
    session.runtimes = hello.runtimes ?? [hello.runtime as RuntimeName];
    session.withheld = hello.withheld ?? [];
    session.labels = { known: hello.labels, own: hello.ownLabels ?? {} };
    const replaced = session.connection;
    session.connection = undefined;
    session.calling = connection;
    if (replaced !== connection) replaced?.close();
    session.lastHeartbeatMs = clock.monotonicMs();

    let disowned: readonly ClaimName[];
    do {
      session.hasUnsettledClaims = false;
      disowned = await this.#settleHolds(session, hello.holds);
      await this.#loadMasks(session);
    } while (session.hasUnsettledClaims);
    if (isClosed() || session.calling !== connection) {
      connection.close();
      return undefined;
    }
    this.#forgetArtifacts(session);
    session.connection = connection;
    connection.send({ type: 'welcome', protocol: protocolVersion, leaseMs, disowned });
    for (const workflow of session.claims) {
      if (isFinished(workflow.status)) continue;
      const cancel = cancelMessage(workflow);
      if (cancel) connection.send(cancel);
    }
    engine.dispatcher.noteRunner();
    engine.dispatcher.wake();
    return session;
  }

  /** It may have secrets from an earlier server: what it says of them is masked here too. */
  async #loadMasks({ claims, runnerId }: RunnerSession): Promise<void> {
    const { masks, logger } = this.#deps;
    for (const { pipeline } of claims) {
      if (masks.of(pipeline)) continue;
      try {
        await masks.load(pipeline);
      } catch (error) {
        logger.warn('What is to be masked could not be read', { error, runnerId });
      }
    }
  }

  /** Compares what the runner has with what the record says it has; answers what is not its own any more. */
  async #settleHolds(session: RunnerSession, holds: readonly ClaimName[]): Promise<readonly ClaimName[]> {
    const { engine } = this.#deps;
    const held = new Set(holds.map(({ workflowId, attempt, token }) => `${workflowId}/${attempt}/${token}`));
    // Decided in one go: while one loss is being recorded the runner may have called again, with other claims in hand.
    const isGone = (workflow: OpenWorkflow): boolean => {
      const { workflowId, attempt, token } = claimOf(workflow);
      // One that was claimed and not yet told of is sent as soon as its claim is recorded.
      return workflow.isAssigned && !held.has(`${workflowId}/${attempt}/${token}`);
    };
    await Promise.all(session.claims.filter(isGone).map((workflow) => engine.losses.lose(session, workflow)));
    const disowned: ClaimName[] = [];
    for (const claim of holds) {
      if (session.find(claim)) continue;
      const finished = await this.#findFinished(session.runnerId, claim);
      if (finished) session.hold(finished);
      else disowned.push({ workflowId: claim.workflowId, attempt: claim.attempt, token: claim.token });
    }
    return disowned;
  }

  /** A workflow that ended in the record while its runner has not let go: the rest of its logs may still come. */
  async #findFinished(runnerId: string, claim: ClaimName): Promise<OpenWorkflow | undefined> {
    const { engine, store } = this.#deps;
    const stores = store.read;
    const row = await stores.pipelines.findWorkflow(claim.workflowId);
    if (!row || row.attempt !== claim.attempt || row.token !== claim.token || row.runnerId !== runnerId)
      return undefined;
    if (!isFinished(row.status)) return undefined;
    const pipeline = engine.find(row.pipelineId) ?? (await loadPipeline(stores, row.pipelineId));
    return pipeline.workflows.find(({ id }) => id === row.id);
  }

  /** What comes after this is left to the next server: unanswered, it is said again there. */
  stop(): void {
    this.#isStopped = true;
  }

  #hear(session: RunnerSession, message: ToServer, payload: Buffer): void {
    if (this.#isStopped || message.type === 'hello' || message.type === 'heartbeat') return;
    const workflow = session.find(message);
    if (!workflow) {
      this.#refuse(session, message);
      return;
    }
    try {
      this.#handle(session, workflow, message, payload)?.catch((error: unknown) => {
        this.#hangUp(session, message, error);
      });
    } catch (error) {
      this.#hangUp(session, message, error);
    }
  }

  /** What was not answered comes again: over a new line, from a known state. */
  #hangUp(session: RunnerSession, { type }: ToServer, error: unknown): void {
    this.#deps.logger.error('What a runner said could not be worked on', { error, type });
    session.connection?.close();
  }

  #handle(
    session: RunnerSession,
    workflow: OpenWorkflow,
    message: Exclude<ToServer, { type: 'hello' | 'heartbeat' }>,
    payload: Buffer,
  ): Promise<unknown> | undefined {
    switch (message.type) {
      case 'start':
        return this.#onStart(session, workflow, message);
      case 'running':
        return this.#onRunning(workflow, message);
      case 'outcome':
        return this.#onOutcome(session, workflow, message);
      case 'log':
      case 'log-end':
        return this.#onLog(session, workflow, message, payload);
      case 'artifact-write':
      case 'artifact-end':
      case 'artifact-read':
        return this.#deps.artifacts.hear(session, workflow, message, payload);
      case 'gather':
        // It may take minutes: what else is said on the line does not wait for it.
        void this.#deps.checkouts.hear(session, workflow, message);
        return undefined;
      case 'done':
        return this.#onDone(session, workflow, message);
      case 'returned':
        this.#deps.logger.info('A runner gave a workflow back', { runnerId: session.runnerId, reason: message.reason });
        // It would give back the next one too: it takes part again when it calls anew.
        session.isDraining = true;
        return this.#deps.engine.losses.lose(session, workflow);
    }
  }

  #onStart(session: RunnerSession, workflow: OpenWorkflow, message: Message<'start'>): Promise<unknown> | undefined {
    const step = findStep(workflow, message.stepId);
    if (!step) {
      this.#refuse(session, message);
      return this.#deps.engine.losses.lose(session, workflow);
    }
    // After a cancel nothing else starts; that it was cancelled is told by a message of its own.
    if (!mayStart(workflow, step) || isFinished(step.status) || step.status === 'running') return undefined;
    this.#deps.engine.dispatcher.requestStart(session, workflow, step, message.request);
    return undefined;
  }

  #onRunning(workflow: OpenWorkflow, message: Message<'running'>): Promise<unknown> | undefined {
    const step = findStep(workflow, message.stepId);
    const isSilence = message.silence !== undefined && step?.status === 'running' && !step.reason;
    if (!step || (step.status !== 'starting' && !isSilence)) return undefined;
    const changes = this.#deps.engine.changes();
    const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
    changes.setStep(workflow, step, {
      status: 'running',
      ...(step.status === 'starting' ? { runningAt: changes.at } : {}),
      ...(message.silence
        ? { reason: { subject, rule: 'service.not-ready', verdict: 'failed', values: message.silence } }
        : {}),
    });
    // A step that runs as before is no news: what is told is about the workflow.
    if (isSilence) changes.trace(workflow, 'workflow.service-silent', 'noted', { step: step.name, ...message.silence });
    return this.#deps.engine.commit(changes);
  }

  async #onOutcome(session: RunnerSession, workflow: OpenWorkflow, message: Message<'outcome'>): Promise<void> {
    const { engine } = this.#deps;
    const step = findStep(workflow, message.stepId);
    if (!step || !isFinished(message.status)) {
      this.#refuse(session, message);
      await engine.losses.lose(session, workflow);
      return;
    }
    engine.dispatcher.forgetStart(step.id);
    if (workflow.openSteps === (isFinished(step.status) ? 0 : 1)) {
      // The last word on this workflow: whoever sees it ended finds its logs whole.
      await this.#deps.logs.flushed(workflow.steps.map(({ id }) => id));
      if (session.find(message) !== workflow) return;
    }
    const changes = engine.changes();
    if (!isFinished(step.status)) {
      changes.pass('outcome');
      // Marked before it was stopped: whatever came in between, it was cancelled.
      const isOverruled =
        workflow.cancelledBy !== undefined &&
        message.status !== 'skipped' &&
        message.status !== 'cancelled' &&
        !mayStart(workflow, step);
      const report = maskReport(message, this.#deps.masks.of(workflow.pipeline));
      changes.setStep(workflow, step, {
        status: isOverruled ? 'cancelled' : message.status,
        ...report,
        ...(message.reuse?.result === 'reused' ? { reason: reuseEntry(subjectOf(workflow, step), message.reuse) } : {}),
        ...(isOverruled ? { reason: reasonOfCancel(workflow, step) } : {}),
        finishedAt: changes.at,
      });
      if (message.cache)
        changes.noteCache(workflow, step, maskCacheReport(message.cache, this.#deps.masks.of(workflow.pipeline)));
      if (message.reuse && !isOverruled) changes.noteReuse(workflow, step, message.reuse);
      const cancelled = this.#cancelAfter(changes, workflow, step);
      changes.settle(workflow);
      if (!(await engine.commit(changes))) return;
      engine.tellCancelled(cancelled);
    } else if (!(await engine.commit(changes))) return;
    // A repetition is answered once what it repeats is on disk.
    session.send({ type: 'outcome-stored', ...claimName(message), stepId: step.id });
  }

  /** A failure that cancels the pipeline does so with the very commit that records it. */
  #cancelAfter(changes: ChangeSet, workflow: OpenWorkflow, step: OpenStep): readonly OpenWorkflow[] {
    if (step.status !== 'failed' || workflow.plan.steps[step.position]?.onFailure !== 'cancel-pipeline') return [];
    const cause = { kind: 'step-failed', workflow: workflow.name, step: step.name } as const;
    return this.#deps.engine.markCancelled(changes, workflow.pipeline, step.name, cause);
  }

  async #onLog(
    session: RunnerSession,
    workflow: OpenWorkflow,
    message: Message<'log'> | Message<'log-end'>,
    payload: Buffer,
  ): Promise<void> {
    const { logs, masks } = this.#deps;
    const { stepId } = message;
    if (!findStep(workflow, stepId)) {
      this.#refuse(session, message);
      await this.#deps.engine.losses.lose(session, workflow);
      return;
    }
    const known = masks.of(workflow.pipeline) ?? (await masks.load(workflow.pipeline));
    const sequence =
      message.type === 'log'
        ? await logs.append(message, payload, known)
        : await logs.end(stepId, message.sequence, message.isCut);
    session.send({ type: 'log-stored', ...claimName(message), stepId, sequence });
    if (message.type === 'log-end' && sequence === message.sequence) await logs.forget(stepId);
  }

  async #onDone(session: RunnerSession, workflow: OpenWorkflow, message: Message<'done'>): Promise<void> {
    const { engine, logger } = this.#deps;
    if (!isFinished(workflow.status)) {
      // Its outcomes come before it on the same line: without them nobody knows how its steps ended.
      logger.warn('A runner let go of a workflow that has not ended', {
        runnerId: session.runnerId,
        workflow: workflow.id,
      });
      await engine.losses.lose(session, workflow);
    } else if (!(await engine.commit(engine.changes()))) return;
    await this.#deps.logs.forgetAll(workflow.steps.map(({ id }) => id));
    session.release(claimName(message));
    session.send({ type: 'released', ...claimName(message) });
    engine.dispatcher.wake();
  }

  /**
   * Its token is not the present one, or it names what its claim does not have. Refused, and written down; the runner lets
   * go of the whole claim.
   */
  #refuse(session: RunnerSession, message: Exclude<ToServer, { type: 'hello' | 'heartbeat' }>): void {
    const claim = claimName(message);
    // Nothing is lost by letting go of what was released already.
    if (message.type === 'done') session.send({ type: 'released', ...claim });
    else
      session.send({
        type: 'stale',
        ...claim,
        ...('stepId' in message ? { stepId: message.stepId } : {}),
        ...('request' in message ? { request: message.request } : {}),
      });
    const key = `${claim.workflowId}/${claim.attempt}/${claim.token}`;
    if (message.type === 'done' || this.#refused.has(key)) return;
    if (this.#refused.size > 10_000) this.#refused.clear();
    this.#refused.add(key);
    this.#deps.logger.warn('A report with an old token was refused', { runnerId: session.runnerId, ...claim });
    this.#writeRefusal(session, claim).catch((error: unknown) => {
      this.#deps.logger.error('A refusal could not be written down', { error });
    });
  }

  async #writeRefusal(session: RunnerSession, claim: ClaimName): Promise<void> {
    const { store, clock } = this.#deps;
    await store.write(async (stores) => {
      const row = await stores.pipelines.findWorkflow(claim.workflowId);
      if (!row) return;
      const values = { runner: session.runnerId, token: claim.token, current: row.token };
      const entry = {
        subject: { kind: 'workflow', workflow: row.name },
        rule: 'workflow.stale-refused',
        verdict: 'noted',
        values,
      } as const;
      await stores.pipelines.addTrace(row.pipelineId, [entry], clock.now());
    });
  }
}

function reasonOfCancel({ cancelledBy = '', cancelCause, name }: OpenWorkflow, step: OpenStep): TraceEntry {
  const subject = { kind: 'step', workflow: name, step: step.name } as const;
  return { subject, verdict: 'failed', ...cancelReason(cancelledBy, cancelCause) };
}

function subjectOf({ name }: OpenWorkflow, step: OpenStep): TraceEntry['subject'] {
  return { kind: 'step', workflow: name, step: step.name };
}

function claimName({ workflowId, attempt, token }: ClaimName): ClaimName {
  return { workflowId, attempt, token };
}

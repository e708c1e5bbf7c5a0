import type { CacheAccess } from '../../core/cache.ts';
import { passwordsOf } from '../../core/image.ts';
import { isFinished } from '../../core/pipeline.ts';
import type { Repository } from '../../core/repository.ts';
import { chooseRuntime } from '../../core/runtime-choice.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { ReuseOffer } from '../../core/step-reuse.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { secretValue } from '../../engine/secret-value.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { assignmentOf } from './assignment.ts';
import { cacheAccessOf } from './cache-access.ts';
import { ConcurrencyGroups } from './concurrency-groups.ts';
import type { EngineRecord } from './engine-record.ts';
import { FairQueue } from './fair-queue.ts';
import { imagesAhead } from './images-ahead.ts';
import type { JobCredentials } from './job-credentials.ts';
import { type Netrc, netrcOf, noNetrc } from './netrc.ts';
import { mayStart, type OpenPipeline, type OpenStep, type OpenWorkflow, stateOf } from './open-pipelines.ts';
import type { PipelineMasks } from './pipeline-masks.ts';
import { PipelineSecrets } from './pipeline-secrets.ts';
import { endBeforeStart, Placement } from './placement.ts';
import { reuseOfferOf } from './reuse-offer.ts';
import { claimOf, type RunnerSession } from './runner-session.ts';
import { startEnvironment } from './start-environment.ts';

export interface DispatcherDeps {
  readonly record: EngineRecord;
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly repository: Pick<Repository, 'folder' | 'listFolder'>;
  readonly secrets: SecretVault;
  readonly masks: PipelineMasks;
  readonly jobs: JobCredentials;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: {
    /** How many steps may run at once, over all runners. */
    readonly runningStepsLimit: number;
    /** How long a runner may be silent before it counts as lost. */
    readonly leaseMs: number;
    readonly logLimitBytes: number;
  };
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
  /** Gives up a workflow that its runner cannot be told of. */
  readonly lose: (session: RunnerSession, workflow: OpenWorkflow) => Promise<boolean>;
}

/** A runner says that it is there every third of its lease; one that has missed two of these is given nothing new. */
const silentAfterLeases = 2 / 3;

/** A start that a runner asked for. It waits while all slots are taken. */
interface PendingStart {
  session: RunnerSession;
  request: number;
  readonly workflow: OpenWorkflow;
  readonly step: OpenStep;
}

/**
 * Gives free slots to what waits for them: to starts first, then to workflows (engine.md 5). There is no timer here:
 * whatever frees a slot or a workflow wakes it in the same tick.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #queue = new FairQueue<OpenWorkflow>();
  readonly #groups = new ConcurrencyGroups();
  readonly #placement: Placement;
  /** Of those in the queue, the ones of which nobody has looked yet whether a runner may take them. */
  readonly #fresh = new Set<OpenWorkflow>();
  readonly #starts = new FairQueue<PendingStart>();
  readonly #startOf = new Map<number, PendingStart>();
  readonly #secrets: PipelineSecrets;
  #startsAsked = 0;
  #isDispatching = false;
  #isWoken = false;
  #isStopped = false;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#placement = new Placement(deps.record.sessions);
    this.#secrets = new PipelineSecrets(deps);
  }

  /** Tells of a workflow that was read from the record, or has ended: it may hold a place of its concurrency group. */
  note(workflow: OpenWorkflow): void {
    this.#groups.note(workflow);
  }

  enqueue(workflow: OpenWorkflow): void {
    this.#fresh.add(workflow);
    this.#queue.add(workflow, workflow.pipeline.row.projectId, (workflow.queuedAt ?? new Date(0)).getTime());
  }

  withdraw(workflow: OpenWorkflow): void {
    this.#queue.remove(workflow);
    this.#fresh.delete(workflow);
    this.#placement.forget(workflow);
  }

  /** Who is there has changed: what nobody could take is looked at again. */
  noteRunner(): void {
    for (const workflow of this.#placement.takeUnplaced()) this.enqueue(workflow);
    for (const workflow of this.#queue.items()) this.#fresh.add(workflow);
  }

  /** What a workflow asks of a runner that no connected one has; `undefined` when it does not wait for that. */
  unmet(workflow: OpenWorkflow): string | undefined {
    return this.#placement.awaited(workflow);
  }

  /**
   * Has images fetched of the workflows that wait, by the runner that will get them: where more than one may, nobody knows
   * yet which.
   */
  async fetchAhead(pipeline: OpenPipeline): Promise<void> {
    for (const workflow of pipeline.workflows) {
      if (pipeline.isHeld || workflow.plan.blocked !== undefined) continue;
      if (workflow.status !== 'queued' && workflow.status !== 'blocked') continue;
      const images = imagesAhead(workflow);
      const able = [...this.#deps.record.sessions.values()].filter(
        (session) => session.connection && !session.isDraining && this.#placement.fits(session, workflow),
      );
      const [session] = able;
      if (images.length === 0 || !session || able.length > 1) continue;
      const registries = await this.#secrets.registriesFor(pipeline);
      if (!registries) continue;
      // Before anybody is told a password it is known here what to mask.
      this.#deps.masks.learn(pipeline, passwordsOf(registries));
      const runtime = chooseRuntime(workflow.plan.runtime, session.runtimes)?.runtime;
      session.send({ type: 'fetch-images', images, registries, ...(runtime === undefined ? {} : { runtime }) });
    }
  }

  /** Nothing is given out any more. */
  stop(): void {
    this.#isStopped = true;
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
      this.#deps.record.inBackground(this.#grant(start));
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
  forgetStarts(
    isConcerned: (start: { session: RunnerSession; workflow: OpenWorkflow; step: OpenStep }) => boolean,
  ): void {
    for (const start of this.#starts.items()) {
      if (!isConcerned(start)) continue;
      this.forgetStart(start.step.id);
    }
  }

  /**
   * What the workflow waits for: a slot and how many are ahead, another workflow, or a runner that says nothing.
   * `undefined` when nothing holds it.
   */
  waitsFor(workflow: OpenWorkflow): TraceEntry | undefined {
    const entry = (rule: TraceEntry['rule'], values: TraceEntry['values']): TraceEntry => ({
      subject: { kind: 'workflow', workflow: workflow.name },
      rule,
      verdict: 'waiting',
      values,
    });
    const waitsForSilent = (runner: RunnerSession): TraceEntry =>
      entry('workflow.waits-for-silent-runner', {
        runner: runner.runnerId,
        silentMs: Math.round(this.#silentMs(runner)),
        leaseMs: this.#deps.config.leaseMs,
      });
    const { sessions } = this.#deps.record;
    if (workflow.status === 'claimed' || workflow.status === 'running') {
      const session = sessions.get(workflow.runnerId ?? '');
      if (session && this.isSilent(session)) return waitsForSilent(session);
      return workflow.cancelledBy === undefined
        ? undefined
        : entry('workflow.cancelling', { by: workflow.cancelledBy });
    }
    if (workflow.status === 'queued') {
      const connected = [...sessions.values()].filter(({ connection }) => connection);
      const [silent] = connected;
      if (silent && connected.every((session) => this.isSilent(session))) return waitsForSilent(silent);
      const wanted = this.#placement.unmet(workflow);
      if (wanted !== undefined) return entry('workflow.waits-for-runner', { wanted });
      const full = this.#groups.findFull(workflow);
      if (full) {
        const { group, running, limit, pipelines } = full;
        const by = pipelines.map((number) => `#${number}`).join(', ');
        return entry('workflow.waits-for-concurrency', { group, running, limit, by });
      }
      const running = this.#runningSteps();
      return entry('workflow.waits-for-slot', { running, limit: this.#slots(), ahead: this.#queue.ahead(workflow) });
    }
    if (workflow.status !== 'blocked') return undefined;
    const awaited = workflow.pipeline.workflows.find(
      (other) => workflow.plan.dependsOn.includes(other.name) && !isFinished(other.status),
    );
    return awaited && entry('workflow.waits-for', { workflow: awaited.name });
  }

  /** Whether the runner has missed so many signs of life that it is better given nothing new. */
  isSilent(session: RunnerSession): boolean {
    return this.#silentMs(session) > this.#deps.config.leaseMs * silentAfterLeases;
  }

  #silentMs(session: RunnerSession): number {
    return this.#deps.clock.monotonicMs() - session.lastHeartbeatMs;
  }

  #runningSteps(): number {
    let running = 0;
    for (const session of this.#deps.record.sessions.values()) running += session.activeSteps;
    return running;
  }

  #hasRoom(): boolean {
    for (const session of this.#deps.record.sessions.values()) if (session.activeSteps < session.slots) return true;
    return false;
  }

  #slots(): number {
    let slots = 0;
    for (const session of this.#deps.record.sessions.values()) if (session.connection) slots += session.slots;
    return Math.min(slots, this.#deps.config.runningStepsLimit);
  }

  #grantStarts(): void {
    if (this.#starts.size === 0) return;
    let running = this.#runningSteps();
    // Where no runner has room nobody need be looked through.
    while (running < this.#deps.config.runningStepsLimit && this.#hasRoom()) {
      const start = this.#starts.take(({ session }) => session.activeSteps < session.slots);
      if (!start) return;
      this.#startOf.delete(start.step.id);
      running += 1;
      this.#deps.record.inBackground(this.#grant(start));
    }
  }

  async #grant({ session, workflow, step, request }: PendingStart): Promise<void> {
    const { record, clock } = this.#deps;
    const changes = record.changes();
    if (step.status !== 'starting') {
      changes.pass('start');
      changes.setStep(workflow, step, { status: 'starting', startedAt: changes.at });
      changes.settle(workflow);
    }
    // The values are read while the start is written: neither waits for the other.
    const recorded = record.commit(changes);
    const reading = Promise.all([this.#secrets.forStarts(workflow.pipeline), this.#netrcFor(workflow, step)]);
    // Whatever came in between has been told already: a cancel, or that the claim is lost.
    if (!(await recorded)) return;
    const [values, netrc] = await reading;
    if (!session.holds(workflow) || !mayStart(workflow, step)) return;
    if (!values) {
      const claim = claimOf(workflow);
      await this.#deps.lose(session, workflow);
      session.send({ type: 'stale', ...claim });
      return;
    }
    const given: Record<string, string> = {};
    const planned = workflow.plan.steps[step.position]!;
    const ofStep = values.forStep(planned);
    for (const reference of planned.secrets) {
      const value = secretValue(reference, ofStep);
      if (value !== undefined) given[reference.variable] = value;
    }
    const masked = [...values.mask, ...Object.values(netrc.secrets)];
    // Before anybody is told a secret it is known here what to mask.
    this.#deps.masks.learn(workflow.pipeline, masked);
    session.send({
      type: 'started',
      ...claimOf(workflow),
      stepId: step.id,
      request,
      environment: { ...startEnvironment(workflow, step, session.runnerId, clock.now()), ...netrc.environment },
      secrets: { ...netrc.secrets, ...given },
      mask: masked,
    });
  }

  /** Without it steps run all the same. */
  async #netrcFor(workflow: OpenWorkflow, { position }: OpenStep): Promise<Netrc> {
    const { plan, pipeline } = workflow;
    const { store, publicUrl, jobs, logger } = this.#deps;
    try {
      const project = await store.read.projects.find(pipeline.row.projectId);
      return netrcOf(plan, plan.steps[position]!, {
        visibility: project?.visibility,
        publicUrl: publicUrl(),
        credential: () => jobs.of(workflow),
      });
    } catch (error) {
      logger.error('A step got no login for its own project', { error, projectId: pipeline.row.projectId });
      return noNetrc;
    }
  }

  #claimWorkflows(): void {
    this.#setApart();
    const mayBegin = this.#groups.round();
    while (this.#queue.size > 0) {
      let taken = 0;
      const free: RunnerSession[] = [];
      for (const session of this.#deps.record.sessions.values()) {
        taken += session.takenSlots;
        // A process that is stopped keeps its socket. What waits here goes to whoever is there first, it perhaps.
        if (session.connection && session.freeSlots > 0 && !this.isSilent(session)) free.push(session);
      }
      if (free.length === 0 || taken >= this.#deps.config.runningStepsLimit) return;
      if (!this.#claimOne(free, mayBegin)) return;
    }
  }

  /** Gives the runner with the most room the next workflow that it may take, or the one after it. */
  #claimOne(free: RunnerSession[], mayBegin: (workflow: OpenWorkflow) => boolean): boolean {
    if (free.length > 1) free.sort((a, b) => b.freeSlots - a.freeSlots);
    for (const session of free) {
      // Last, since a yes takes a place of its group.
      const workflow = this.#queue.take((each) => this.#placement.fits(session, each) && mayBegin(each));
      if (!workflow) continue;
      this.#deps.record.inBackground(this.#claim(session, workflow));
      return true;
    }
    return false;
  }

  /** Takes what no runner can run out of the queue: labels are waited for, and a runtime that may run it is not. */
  #setApart(): void {
    if (this.#fresh.size === 0 || !this.#placement.hasRunners) return;
    const waiting = [...this.#fresh].filter((workflow) => this.#queue.has(workflow));
    this.#fresh.clear();
    for (const workflow of this.#placement.setApart(waiting)) {
      this.#queue.remove(workflow);
      const refused = this.#placement.findMissingRuntime(workflow);
      if (!refused) continue;
      this.#placement.forget(workflow);
      const changes = this.#deps.record.changes();
      changes.trace(workflow, 'workflow.no-runtime', 'blocked', refused);
      changes.apply(workflow, endBeforeStart(stateOf(workflow), { rule: 'workflow.no-runtime', values: refused }));
      changes.settle(workflow);
      this.#deps.record.inBackground(this.#deps.record.commit(changes));
    }
  }

  async #claim(session: RunnerSession, workflow: OpenWorkflow): Promise<void> {
    const changes = this.#deps.record.changes();
    changes.pass('claim');
    changes.setWorkflow(workflow, { status: 'claimed', runnerId: session.runnerId, token: workflow.token + 1 });
    changes.trace(workflow, 'workflow.claimed', 'ran', { runner: session.runnerId });
    const chosen = chooseRuntime(workflow.plan.runtime, session.runtimes);
    // Where only one will do the plan has said so.
    if (chosen && (workflow.plan.runtime?.allowed.length ?? 0) > 1)
      changes.trace(workflow, 'runtime.chosen', 'noted', { runtime: chosen.runtime, reason: chosen.reason });
    changes.settlePipeline(workflow.pipeline);
    session.hold(workflow);
    const isRecorded = await this.#deps.record.commit(changes);
    // Cancelled or given up before anybody was told: nothing is left to do.
    if (!isRecorded || !session.holds(workflow)) return;
    const missing = await this.#secrets.endForMissing(workflow);
    if (!session.holds(workflow)) return;
    if (missing) {
      const failed = this.#deps.record.changes();
      session.release(claimOf(workflow));
      failed.apply(workflow, missing);
      failed.settle(workflow);
      await this.#deps.record.commit(failed);
      return;
    }
    const [registries, caches] = await Promise.all([
      this.#secrets.registriesFor(workflow.pipeline),
      this.#cachesFor(workflow),
    ]);
    const reuse = await this.#reuseFor(workflow, caches);
    if (!session.holds(workflow)) return;
    if (registries && session.connection) {
      workflow.isAssigned = true;
      // Before anybody is told a password it is known here what to mask.
      this.#deps.masks.learn(workflow.pipeline, passwordsOf(registries));
      session.send({
        type: 'assign',
        ...claimOf(workflow),
        assignment: assignmentOf(workflow, this.#deps, registries, caches, reuse, chosen?.runtime),
      });
    } else await this.#deps.lose(session, workflow);
  }

  /** Without it all steps run. */
  async #reuseFor(workflow: OpenWorkflow, caches: CacheAccess | undefined): Promise<ReuseOffer | undefined> {
    try {
      return await reuseOfferOf(this.#deps, workflow, caches);
    } catch (error) {
      this.#deps.logger.error('What steps of a workflow read could not be told', { error });
      return undefined;
    }
  }

  /** Without them steps run all the same. */
  async #cachesFor(workflow: OpenWorkflow): Promise<CacheAccess | undefined> {
    try {
      return await cacheAccessOf(this.#deps, workflow);
    } catch (error) {
      this.#deps.logger.error('What a workflow may have of caches could not be told', { error });
      return undefined;
    }
  }
}

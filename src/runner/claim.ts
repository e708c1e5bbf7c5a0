import type { CacheEvent } from '../core/cache.ts';
import { isGathered } from '../core/checkout.ts';
import { GantryError } from '../core/errors.ts';
import { passwordsOf } from '../core/image.ts';
import { isFinished, type Outcome } from '../core/pipeline.ts';
import { type BuildPlan, environmentOfStep, type StepPlan } from '../core/plan.ts';
import type {
  ImageWish,
  JobSpec,
  Runtime,
  RuntimeJob,
  StagedStep,
  StepLimits,
  StepResultEvent,
} from '../drivers/runtime/runtime.ts';
import { advance, type Effect, endedSteps, type Occurrence } from '../engine/advance.ts';
import { initialWorkflow, type WorkflowState } from '../engine/advance-state.ts';
import { machineEnvironment } from '../engine/architecture.ts';
import { limitAfterCancelMs } from '../engine/cancel-reason.ts';
import { commandScript } from '../engine/command-script.ts';
import { isTooShortToMask } from '../engine/masking/mask-needles.ts';
import { maskOutcome } from '../engine/masking/mask-outcome.ts';
import { MaskSet } from '../engine/masking/masker.ts';
import type { Assignment, ClaimName, ToRunner, ToServer } from '../engine/runner-protocol.ts';
import { wholeWorkspace } from '../engine/workspace-folder.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Timers } from '../lib/timers.ts';
import { ArtifactLine } from './artifacts/artifact-line.ts';
import { type ArtifactPlace, artifactTimeMs, takingStep, withArtifacts } from './artifacts/artifact-steps.ts';
import { awaitService, defaultServiceReadyLimitMs } from './await-service.ts';
import { type BuildPlace, BuildStep } from './build-step.ts';
import { cacheLine, cacheReportOf } from './cache-line.ts';
import { CheckoutLine } from './checkout-line.ts';
import { type ClaimStep, newClaimStep } from './claim-step.ts';
import type { OutputBudget } from './output-budget.ts';
import { resultLine, reuseLine } from './reuse-line.ts';
import { stageSpecOf } from './stage-spec.ts';
import { StepOutput } from './step-output.ts';
import { withCacheTime, withPhases } from './step-phases.ts';
import { decideReuse, mustRun, noReuse, type ReuseDecisions } from './step-reuse.ts';
import { endedAsReused, reuseReportOf } from './told-reuse.ts';

export interface ClaimDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly budget: OutputBudget;
  readonly stepLimits: StepLimits;
  /** Absent = there is nothing to build images with. */
  readonly build?: BuildPlace | undefined;
  /** Masked from the first line on, before the server has named the workflow's secrets. */
  readonly alwaysMasked?: readonly string[] | undefined;
  readonly graceMs: number;
  /** Begins to fetch images before their steps are staged. */
  readonly fetchImages?: ((wishes: readonly ImageWish[]) => void) | undefined;
  /** How long a service may stay silent before the steps go on without it; absent = one minute. */
  readonly serviceReadyLimitMs?: number | undefined;
  /** Sends to the server; dropped while there is none, since all that matters is sent again. */
  readonly send: (message: ToServer, payload?: Uint8Array) => void;
}

type Started = Extract<ToRunner, { type: 'started' }>;

/** How long after its time limit a step is waited for. */
const endlessMs = 60_000;
/** How long it may take to make a step ready, unless it may run for longer itself. */
const maxStagingMs = 3_600_000;
/** Lines of progress that are kept of a step whose turn has not come. */
const maxEarlyLines = 200;
/** Registries are asked what images are: a step does not wait for longer to learn that it may be left out. */
const reuseDecisionLimitMs = 20_000;

/** Nothing is masked that the server has not named; tokens are known by their beginnings anyway. */
const noSecrets = new MaskSet([]);

/**
 * One workflow in the hands of this runner, from its assignment to its release: drives the state machine, has the
 * runtime do what it asks for, and tells the server. Everything that the server must know is kept until it says that it
 * has it, and told again over each new line.
 */
export class Claim {
  readonly name: ClaimName;
  readonly #deps: ClaimDeps;
  readonly #assignment: Assignment;
  readonly #steps: readonly ClaimStep[];
  /** Absent until something is to be run in it. */
  #job: Promise<RuntimeJob> | undefined;
  #reuse: ReuseDecisions = noReuse;
  #state: WorkflowState;
  #masks = noSecrets;
  readonly #maskValues = new Set<string>();
  readonly #artifacts: ArtifactLine;
  readonly #checkouts: CheckoutLine;
  #requests = 0;
  #isDisowned = false;
  #isDestroyed = false;
  #isDoneSent = false;
  #settle: () => void = () => {};
  /** Resolves when nothing of it runs and the server has let go, or never wanted it. */
  readonly released: Promise<void>;

  constructor(name: ClaimName, assignment: Assignment, deps: ClaimDeps) {
    this.name = { workflowId: name.workflowId, attempt: name.attempt, token: name.token };
    this.#deps = deps;
    this.#artifacts = new ArtifactLine(this.name, (message, payload) => this.#send(message, payload));
    this.#checkouts = new CheckoutLine(this.name, (message) => this.#send(message));
    this.#assignment = assignment;
    this.#state = initialWorkflow(assignment.plan);
    this.#steps = assignment.plan.steps.map((plan, position) => this.#newStep(plan, assignment.stepIds[position]!));
    // Whatever is said while an image is pulled passes these masks already.
    const masks = this.#masksOf([...(deps.alwaysMasked ?? []), ...passwordsOf(assignment.registries ?? [])]);
    for (const step of this.#steps) step.output.useMasks(masks);
    // The record has these as ended from the beginning.
    for (const step of this.#steps) if (step.plan.skipped) step.output.drop();
    this.released = new Promise((resolve) => {
      this.#settle = resolve;
    });
    // While it is being decided what is reused, a job that is needed anyway is made.
    if (!assignment.reuse || mustRun(assignment.plan)) void this.#openJob();
  }

  #openJob(): Promise<RuntimeJob> {
    if (this.#job) return this.#job;
    const assignment = this.#assignment;
    this.#job = this.#deps.runtime.prepare({
      id: this.jobId,
      workspace: wholeWorkspace(assignment.plan.workspace),
      ...this.#repository(),
      ...(assignment.plan.volumes ? { volumes: assignment.plan.volumes } : {}),
      ...(assignment.caches ? { caches: assignment.caches } : {}),
      ...(assignment.plan.runtime?.isStrict ? { isStrict: true } : {}),
      hostNames: assignment.plan.steps.flatMap(({ hostName, skipped }) => (hostName && !skipped ? [hostName] : [])),
    });
    // Each step that is staged hears of it; a claim without steps to stage must not bring the process down.
    this.#job.catch(() => undefined);
    return this.#job;
  }

  #repository(): Pick<JobSpec, 'repository'> {
    const { plan, repository } = this.#assignment;
    const { depth, hasTags, isDisabled, path } = plan.clone;
    if (isDisabled) return {};
    return { repository: { ...repository, depth, hasTags, path, isGathered: isGathered(plan.clone) } };
  }

  get jobId(): string {
    return `w${this.name.workflowId}-a${this.name.attempt}-t${this.name.token}`;
  }

  /** Slots that it takes at this moment; what runs beside the steps takes none. */
  get runningSteps(): number {
    return this.#state.steps.filter(
      ({ status }, position) => status === 'running' && !this.#steps[position]!.plan.background,
    ).length;
  }

  begin(): void {
    if (this.#assignment.reuse) void this.#beginWithReuse();
    else this.#begin();
  }

  #begin(): void {
    this.#happen({ type: 'claimed' });
    this.#fetchAhead();
  }

  /** Images of steps that are not staged yet come meanwhile. */
  #fetchAhead(): void {
    const { plan, registries } = this.#assignment;
    const wishes = new Map<string, ImageWish>();
    plan.steps.forEach(({ image, kind, pull, skipped }, position) => {
      if (kind !== 'commands' && kind !== 'image') return;
      if (skipped || this.#reuse.steps.get(position)?.use?.kind === 'take') return;
      wishes.set(`${pull} ${image}`, { image, pull, ...(registries ? { credentials: registries } : {}) });
    });
    // The only one is asked for by the first step itself.
    if (wishes.size > 1) this.#deps.fetchImages?.([...wishes.values()]);
  }

  /** What is reused is decided before anything is made: where all of it is, nothing is. */
  async #beginWithReuse(): Promise<void> {
    const patience = new AbortController();
    const takeBackLimit = this.#deps.timers.after(reuseDecisionLimitMs, () => patience.abort());
    try {
      this.#reuse = await decideReuse(this.name, this.#assignment, {
        runtime: this.#deps.runtime,
        signal: patience.signal,
      });
    } catch (error) {
      this.#deps.logger.warn('What may be reused could not be found out', { ...this.name, error });
    } finally {
      takeBackLimit();
    }
    if (this.#isDisowned || isFinished(this.#state.status)) {
      this.#reuse.release();
      return;
    }
    if (this.#reuse.isWhole) this.#endAsReused();
    else void this.#openJob();
    this.#begin();
  }

  /**
   * A workflow whose steps are all reused is over as soon as that is said: nothing starts, and nothing needs its checkout and
   * its services.
   */
  #endAsReused(): void {
    const before = this.#state;
    this.#state = endedAsReused(before, this.#reuse);
    for (const position of endedSteps(before, this.#state)) this.#tellOutcome(position);
  }

  cancel({ by, cause, isFinal }: Pick<Extract<ToRunner, { type: 'cancel' }>, 'by' | 'cause' | 'isFinal'>): void {
    this.#happen({ type: 'cancelled', by, cause, isFinal });
  }

  /** The server does not know it, or gave it to somebody else: ends everything and says nothing. */
  disown(): void {
    if (this.#isDisowned) return;
    this.#isDisowned = true;
    for (const step of this.#steps) step.output.drop();
    this.#artifacts.close();
    this.#checkouts.close();
    this.#deps.logger.warn('A claim is not ours any more', { ...this.name });
    void this.#destroy();
  }

  /** The start is recorded: opens the gate, unless the step has ended meanwhile. */
  noteStarted(message: Started): void {
    const position = this.#steps.findIndex(({ id }) => id === message.stepId);
    const step = this.#steps[position];
    if (!step || step.asked !== message.request || !step.staged || step.isDiscarded || this.#isDisowned) return;
    if (this.#state.steps[position]?.status !== 'ready') return;
    step.asked = undefined;
    step.output.noteStarted();

    const masks = this.#masksOf([...message.mask, ...Object.values(message.secrets)]);
    for (const each of this.#steps) each.output.useMasks(masks);
    for (const [variable, value] of Object.entries(message.secrets))
      if (value !== '' && isTooShortToMask(value))
        step.output.writeLine(
          `warning: the secret in ${variable} is too short to be masked: it has fewer than 4 bytes`,
        );
    const { plan } = step;
    const timeoutMs = this.#timeoutOf(step, position);
    const release = {
      ...(plan.kind === 'commands' ? { script: commandScript(plan.commands, 'gantry') } : {}),
      environment: {
        ...environmentOfStep(this.#assignment.plan, plan),
        // Status and times are other ones in each run: a step that may be reused cannot depend on them.
        ...(plan.reuse ? {} : message.environment),
        ...machineEnvironment(process.arch),
      },
      secrets: message.secrets,
      timeoutMs,
      graceMs: this.#deps.graceMs,
      onCache: (event: CacheEvent) => {
        step.cache = cacheReportOf(event) ?? step.cache;
        step.phases = withCacheTime(step.phases, event);
        step.output.writeLine(cacheLine(event));
      },
      onResult: (event: StepResultEvent) => step.output.writeLine(resultLine(event)),
      ...(plan.kind === 'clone' && isGathered(this.#assignment.plan.clone)
        ? { gather: (note: (line: string) => void) => this.#checkouts.ask(step.id, note) }
        : {}),
      onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => step.output.write(stream, bytes),
    };
    const decision = this.#reuse.steps.get(position);
    if (decision) step.output.writeLine(reuseLine(decision.report));
    if (plan.cache && !this.#keepsCaches) step.output.writeLine(this.#whyNoCache(plan.cache.key));
    try {
      const running = step.staged.release(release);
      // What a step left that is reused is in the record: the server gives it to this run too.
      const keeps = plan.artifacts && decision?.use?.kind !== 'take' && step.job;
      step.running = keeps ? withArtifacts(running, this.#artifactPlace(step, keeps)) : running;
    } catch (error) {
      this.#happen({ type: 'exited', step: position, outcome: this.#outcomeOf(error), atMs: this.#nowMs() });
      return;
    }
    this.#happen({ type: 'started', step: position, atMs: this.#nowMs() });
    this.#send({ type: 'running', ...this.name, stepId: step.id });
    if (plan.background) void this.#watchUntilUp(step, position);
    const end = (outcome: Outcome): void => {
      takeBackNet();
      step.running = undefined;
      step.stop.abort(new Error('The step has ended'));
      this.#happen({ type: 'output-ended', step: position, atMs: this.#nowMs() });
      const told = withPhases(this.#masked(outcome), step.phases);
      this.#happen({ type: 'exited', step: position, outcome: told, atMs: this.#nowMs() });
    };
    // The runtime ends steps at their time; should it fail to, the workflow must not wait for ever.
    const netMs = timeoutMs + this.#deps.graceMs + endlessMs + artifactTimeMs(plan);
    const takeBackNet = this.#deps.timers.after(netMs, () =>
      end({
        kind: 'infrastructure',
        message: `The step did not end ${Math.round(endlessMs / 1_000)} s after its time`,
      }),
    );
    void step.running.outcome.then(end);
  }

  noteLogStored(stepId: number, sequence: number): void {
    this.#find(stepId)?.output.noteStored(sequence);
    this.#finishIfDone();
  }

  noteArtifact(message: Extract<ToRunner, { type: `artifact-${string}` }>, payload: Buffer): void {
    this.#artifacts.hear(message, payload);
  }

  noteCheckout(message: Extract<ToRunner, { type: 'gather-note' | 'gathered' | 'gather-refused' }>): void {
    this.#checkouts.hear(message);
  }

  noteOutcomeStored(stepId: number): void {
    const step = this.#find(stepId);
    if (step) step.outcome = undefined;
    this.#finishIfDone();
  }

  noteReleased(): void {
    if (this.#isDoneSent) this.#settle();
  }

  /** The line is new: says again all that the server has not answered, in the order in which it happened. */
  resend(): void {
    this.#artifacts.resend();
    this.#checkouts.resend();
    for (const [position, step] of this.#steps.entries()) {
      if (step.asked !== undefined) this.#send({ type: 'start', ...this.name, stepId: step.id, request: step.asked });
      const { silence } = this.#state.steps[position]!;
      if (step.running) this.#send({ type: 'running', ...this.name, stepId: step.id, ...(silence ? { silence } : {}) });
      step.output.resend();
      if (step.outcome) this.#send(step.outcome);
    }
    if (this.#isDoneSent) this.#send({ type: 'done', ...this.name });
  }

  #artifactPlace(step: ClaimStep, job: RuntimeJob): ArtifactPlace {
    return {
      job,
      line: this.#artifacts,
      stepId: step.id,
      jobStepId: this.#stageId(step),
      plan: step.plan,
      credentials: this.#assignment.registries,
      limits: this.#deps.stepLimits,
      writeLine: (line) => step.output.writeLine(line),
    };
  }

  get #keepsCaches(): boolean {
    return this.#deps.runtime.keepsCaches === true && this.#assignment.caches !== undefined;
  }

  #whyNoCache(key: string): string {
    const why = this.#deps.runtime.keepsCaches
      ? 'it could not be told whose it is'
      : `the runtime ${this.#deps.runtime.name} has none`;
    return cacheLine({ kind: 'unused', key, why });
  }

  #newStep(plan: StepPlan, id: number): ClaimStep {
    const { budget, clock, timers } = this.#deps;
    const name = this.name;
    const output = new StepOutput({
      sink: {
        sendChunk: ({ sequence, stream, atMs, bytes }) =>
          this.#send({ type: 'log', ...name, stepId: id, sequence, stream, atMs }, bytes),
        sendEnd: (sequence, isCut) => this.#send({ type: 'log-end', ...name, stepId: id, sequence, isCut }),
      },
      budget,
      clock,
      timers,
      logLimitBytes: this.#assignment.logLimitBytes,
      masks: noSecrets,
    });
    return newClaimStep(id, plan, output);
  }

  #happen(occurrence: Occurrence): void {
    if (this.#isDisowned) return;
    const before = this.#state;
    const { workflow, effects } = advance(before, occurrence);
    this.#state = workflow;
    if (before.cancelledBy === undefined && workflow.cancelledBy !== undefined) this.#noteCancelled();
    for (const position of endedSteps(before, workflow)) this.#tellOutcome(position);
    for (const effect of effects) this.#do(effect);
  }

  /** Steps that go on have a time of their own from now on. */
  #noteCancelled(): void {
    this.#state.steps.forEach(({ status, isAfterCancel }, position) => {
      const step = this.#steps[position]!;
      if (isAfterCancel && status === 'running') {
        const takeBack = this.#deps.timers.after(limitAfterCancelMs(step.plan), () =>
          this.#happen({ type: 'timed-out', step: position }),
        );
        step.stop.signal.addEventListener('abort', takeBack, { once: true });
      }
    });
  }

  /** A step that runs after a cancel has a minute, whatever it had before. */
  #timeoutOf(step: ClaimStep, position: number): number {
    return this.#state.steps[position]?.isAfterCancel ? limitAfterCancelMs(step.plan) : step.plan.timeoutMs;
  }

  /** The time of a step is for what it runs: an image that is pulled or composed first does not count against it. */
  #stagingLimitOf(step: ClaimStep, position: number): number {
    const timeoutMs = this.#timeoutOf(step, position);
    if (this.#state.steps[position]?.isAfterCancel) return timeoutMs;
    return step.plan.background ? maxStagingMs : Math.max(timeoutMs, maxStagingMs);
  }

  #do(effect: Effect): void {
    if (effect.type === 'finish') {
      void this.#destroy();
      return;
    }
    const step = this.#steps[effect.step]!;
    switch (effect.type) {
      case 'stage':
        step.staging = this.#stage(step, effect.step);
        return;
      case 'release':
        step.isTurn = true;
        for (const line of step.earlyLines.splice(0)) step.output.writeLine(line);
        this.#askToStart(step);
        return;
      case 'discard':
        void this.#discard(step);
        return;
      case 'cancel':
        step.running?.cancel(this.#state.cancelledBy ?? effect.reason);
        return;
    }
  }

  async #stage(step: ClaimStep, position: number): Promise<void> {
    const { plan } = step;
    // A pull that never ends must not hold the workflow for ever; what waits behind the gate has all the time there is.
    const limitMs = this.#stagingLimitOf(step, position);
    const takeBackLimit = this.#deps.timers.after(limitMs, () => step.stop.abort(stagingTimedOut(plan.name, limitMs)));
    try {
      const decision = this.#reuse.steps.get(position);
      const job = await Promise.race([this.#openJob(), whenAborted(step.stop.signal)]);
      if (step.isDiscarded || this.#isDisowned) return;
      step.job = job;
      if (plan.takes) {
        step.staged = takingStep(this.#artifactPlace(step, job));
        this.#askToStart(step);
        return;
      }
      if (plan.build) {
        step.staged = this.#buildStep(step, plan.build, job);
        this.#askToStart(step);
        return;
      }
      const staged = await job.stage({
        ...stageSpecOf(plan, {
          id: this.#stageId(step),
          credentials: this.#assignment.registries,
          keepsCaches: this.#keepsCaches,
          result: decision?.use,
          limits: this.#deps.stepLimits,
        }),
        progress: (line) => this.#showProgress(step, line),
        onImage: (elapsedMs) => {
          step.phases = { ...step.phases, pullMs: Math.round(elapsedMs) };
        },
        signal: step.stop.signal,
      });
      if (step.isDiscarded || this.#isDisowned) {
        await staged.discard();
        return;
      }
      step.staged = staged;
      this.#askToStart(step);
    } catch (error) {
      if (step.isDiscarded || this.#isDisowned) return;
      const reason: unknown = step.stop.signal.aborted ? step.stop.signal.reason : error;
      const outcome = this.#masked(this.#outcomeOf(reason));
      if ('message' in outcome) this.#showProgress(step, outcome.message);
      this.#happen({ type: 'exited', step: position, outcome, atMs: this.#nowMs() });
    } finally {
      takeBackLimit();
    }
  }

  /** It needs nothing made ready: what it reads of the workspace is there when its turn has come. */
  #buildStep(step: ClaimStep, plan: BuildPlan, job: RuntimeJob): StagedStep {
    const { build, clock, stepLimits, timers } = this.#deps;
    const { caches, plan: workflow, projectSlug, registries = [] } = this.#assignment;
    return new BuildStep({
      id: this.#stageId(step),
      name: step.plan.name,
      plan,
      job,
      place: build,
      credentials: registries,
      cacheScope: caches ? `${caches.projectId}/${caches.scope}` : `${projectSlug}/${this.jobId}`,
      isUntrusted: workflow.trust === 'untrusted',
      limits: stepLimits,
      clock,
      timers,
    });
  }

  /** The others wait until it is up, or until it has ended. */
  async #watchUntilUp(step: ClaimStep, position: number): Promise<void> {
    const readiness = await awaitService({
      job: await this.#openJob(),
      stepId: this.#stageId(step),
      plan: step.plan,
      imagePorts: step.staged?.ports,
      limitMs: this.#deps.serviceReadyLimitMs ?? defaultServiceReadyLimitMs,
      signal: step.stop.signal,
    });
    if (!readiness || !step.running) return;
    const { line, silence } = readiness;
    if (line !== undefined) step.output.writeLine(line);
    this.#happen({ type: 'up', step: position, silence });
    if (silence) this.#send({ type: 'running', ...this.name, stepId: step.id, silence });
  }

  #stageId(step: ClaimStep): string {
    return `${this.jobId}-s${step.id}`;
  }

  #showProgress(step: ClaimStep, line: string): void {
    if (step.isTurn) step.output.writeLine(line);
    else {
      step.earlyLines.push(line);
      if (step.earlyLines.length > maxEarlyLines) step.earlyLines.shift();
    }
  }

  #askToStart(step: ClaimStep): void {
    if (!step.isTurn || !step.staged || step.asked !== undefined || step.running) return;
    this.#requests += 1;
    step.asked = this.#requests;
    this.#send({ type: 'start', ...this.name, stepId: step.id, request: step.asked });
  }

  async #discard(step: ClaimStep): Promise<void> {
    step.isDiscarded = true;
    step.asked = undefined;
    step.stop.abort(new Error('The step is not needed any more'));
    const { staged } = step;
    step.staged = undefined;
    try {
      await staged?.discard();
    } catch (error) {
      // What is left of it goes with the job.
      this.#deps.logger.warn('A staged step could not be torn down', { ...this.name, stepId: step.id, error });
    }
  }

  #tellOutcome(position: number): void {
    const step = this.#steps[position]!;
    const { status, outcome, reason } = this.#state.steps[position]!;
    if (status === 'failed' || status === 'infrastructure')
      for (const line of step.earlyLines.splice(0)) step.output.writeLine(line);
    // A step whose turn never came has no log, not an empty one.
    if (this.#state.steps[position]!.startedAtMs === undefined && step.output.isEmpty) step.output.drop();
    else step.output.end();
    const failure = status === 'failed' ? step.output.failureExcerpt() : undefined;
    const reuse = reuseReportOf(this.#reuse.steps.get(position), this.#state.steps[position]!);
    step.outcome = {
      type: 'outcome',
      ...this.name,
      stepId: step.id,
      status,
      ...(outcome ? { outcome } : {}),
      ...(reason ? { reason } : {}),
      ...(failure ? { failure } : {}),
      ...(step.cache ? { cache: step.cache } : {}),
      ...(reuse ? { reuse } : {}),
    };
    this.#send(step.outcome);
  }

  /** Removes the surroundings, trying until it works: what is left over would wait for the next start of a runner. */
  async #destroy(): Promise<void> {
    const job = await this.#job?.catch(() => undefined);
    for (let attempt = 1; job; attempt += 1) {
      try {
        await job.destroy();
        break;
      } catch (error) {
        this.#deps.logger.warn('The surroundings of a workflow could not be removed', { ...this.name, attempt, error });
        if (attempt === 5) break;
        await new Promise<void>((resolve) => this.#deps.timers.after(200 * 2 ** attempt, resolve));
      }
    }
    this.#reuse.release();
    this.#isDestroyed = true;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (!this.#isDestroyed) return;
    if (this.#isDisowned) {
      this.#settle();
      return;
    }
    if (this.#isDoneSent || !isFinished(this.#state.status)) return;
    if (this.#steps.some(({ output, outcome }) => outcome !== undefined || !output.isStored)) return;
    this.#isDoneSent = true;
    this.#send({ type: 'done', ...this.name });
  }

  /** One automaton for all steps of the workflow, made anew when a value comes that was not there before. */
  #masksOf(values: readonly string[]): MaskSet {
    const known = this.#maskValues.size;
    for (const value of values) this.#maskValues.add(value);
    if (this.#maskValues.size !== known) this.#masks = new MaskSet([...this.#maskValues]);
    return this.#masks;
  }

  #masked(outcome: Outcome): Outcome {
    return maskOutcome(outcome, this.#masks);
  }

  /** A step whose image is missing or bad is at fault itself; whatever else went wrong is nobody's verdict on it. */
  #outcomeOf(error: unknown): Outcome {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof GantryError && error.kind !== 'unavailable') return { kind: 'cannot-start', message };
    return { kind: 'infrastructure', message };
  }

  #find(stepId: number): ClaimStep | undefined {
    return this.#steps.find(({ id }) => id === stepId);
  }

  #send(message: ToServer, payload?: Uint8Array): void {
    if (!this.#isDisowned) this.#deps.send(message, payload);
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs();
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function stagingTimedOut(name: string, timeoutMs: number): GantryError {
  return new GantryError(
    'RUNTIME_UNAVAILABLE',
    `Cannot start step "${name}": making it ready took longer than ${Math.round(timeoutMs / 1_000)} s`,
  );
}

import type { GatheredCheckout } from '../core/checkout.ts';
import { GantryError } from '../core/errors.ts';
import {
  type CancelCause,
  type FailureExcerpt,
  isFinished,
  type Outcome,
  type PipelineStatus,
  type StepStatus,
  type WorkflowStatus,
} from '../core/pipeline.ts';
import type { PipelinePlan, StepPlan, WorkflowPlan } from '../core/plan.ts';
import { chooseRuntime, type RuntimeName } from '../core/runtime-choice.ts';
import type { TraceEntry } from '../core/trace.ts';
import { advance } from '../engine/advance.ts';
import { initialWorkflow } from '../engine/advance-state.ts';
import { cancelsRest, runsAfterCancel } from '../engine/cancel-reason.ts';
import { type ExecutionFacts, executionEnvironment } from '../engine/execution-environment.ts';
import { hasNoWork, judgeWorkflow } from '../engine/judge-workflow.ts';
import { pipelineStatusOf, workflowStatusOf } from '../engine/level-status.ts';
import {
  type Assignment,
  type ClaimName,
  type Connection,
  protocolVersion,
  type ToRunner,
  type ToServer,
} from '../engine/runner-protocol.ts';
import { secretValue } from '../engine/secret-value.ts';
import { reuseEntry } from '../features/pipelines/reuse-entry.ts';
import type { Clock } from '../lib/clock.ts';
import { pairedConnection } from '../lib/paired-connection.ts';
import type { ExecArtifacts } from './exec-artifacts.ts';

/** A step of a pipeline that is run here, as it stands. */
export interface ExecStep {
  readonly id: number;
  readonly workflow: string;
  readonly plan: StepPlan;
  status: StepStatus;
  outcome: Outcome | undefined;
  reason: TraceEntry | undefined;
  failure: FailureExcerpt | undefined;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
}

export interface ExecWorkflow {
  readonly id: number;
  readonly name: string;
  readonly plan: WorkflowPlan;
  readonly steps: readonly ExecStep[];
  status: WorkflowStatus;
  startedAt: Date | undefined;
  /** Whether the runner has it: it lets go when everything of it is gone. */
  isHeld: boolean;
}

/** Told what happens, in order. The runner waits while output is being taken. */
export interface ExecListener {
  /** The step has another status than before. */
  step(step: ExecStep): void;
  output(step: ExecStep, stream: 'stdout' | 'stderr' | 'system', bytes: Buffer): Promise<void>;
}

export interface ExecDeskOptions {
  readonly plan: PipelinePlan;
  /** What each workflow of the plan has of caches and results. */
  readonly kept: readonly Pick<Assignment, 'caches' | 'reuse'>[];
  readonly repository: Assignment['repository'];
  readonly projectSlug: string;
  readonly logLimitBytes: number;
  /** Steps that may run at once. */
  readonly slots: number;
  /** By lower-case name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly listener: ExecListener;
  readonly artifacts: ExecArtifacts;
  /** Finds what lies in the checkout of a workflow that has more than its commit. */
  readonly gather: (plan: WorkflowPlan, note: (line: string) => void) => Promise<GatheredCheckout>;
  readonly clock: Clock;
}

const leaseMs = 3_600_000;

/**
 * The server's side of the runner protocol for one pipeline, with its record in memory: what `gantry exec` has in place
 * of a server. Order, starts, secrets and results go the same way as there, through the same state machine.
 */
export class ExecDesk {
  readonly workflows: readonly ExecWorkflow[];
  /** Resolves when nothing runs any more and nothing can start. */
  readonly ended: Promise<PipelineStatus>;
  readonly #options: ExecDeskOptions;
  readonly #steps = new Map<number, ExecStep>();
  readonly #waitingStarts: { readonly claim: ClaimName; readonly step: ExecStep; readonly request: number }[] = [];
  readonly #mask: readonly string[];
  #runtimes: readonly RuntimeName[] = [];
  #line: Connection<ToRunner, ToServer> | undefined;
  #startedAt: Date | undefined;
  #cancel: { readonly by: string; readonly cause: CancelCause } | undefined;
  #end: (status: PipelineStatus) => void = () => {};

  constructor(options: ExecDeskOptions) {
    this.#options = options;
    this.#mask = [...options.secrets.values()].filter((value) => value !== '');
    this.workflows = options.plan.workflows.map((plan, index) => this.#newWorkflow(plan, index + 1));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get status(): PipelineStatus {
    return pipelineStatusOf(this.workflows);
  }

  /** The line that a runner of this process calls. */
  connect(): Connection<ToServer, ToRunner> {
    const [ours, theirs] = pairedConnection<ToRunner, ToServer>();
    ours.onMessage((message, payload) => this.#hear(message, payload));
    this.#line = ours;
    return theirs;
  }

  /** What runs is told to stop; nothing else starts but the steps that run after a cancel. */
  cancel(by: string, cause: CancelCause = { kind: 'person' }): void {
    if (this.#cancel) return;
    this.#cancel = { by, cause };
    this.#waitingStarts.length = 0;
    for (const workflow of this.workflows) {
      if (isFinished(workflow.status)) continue;
      if (workflow.isHeld) this.#send({ type: 'cancel', ...claimOf(workflow), by, cause });
      else {
        const { steps } = advance(initialWorkflow(workflow.plan), { type: 'cancelled', by, cause }).workflow;
        workflow.steps.forEach((step, position) => {
          const { status, reason } = steps[position]!;
          if (!isFinished(step.status)) this.#setStep(step, { status, reason });
        });
        workflow.status = 'cancelled';
      }
    }
    this.#settle();
  }

  #newWorkflow(plan: WorkflowPlan, id: number): ExecWorkflow {
    const steps = plan.steps.map((stepPlan): ExecStep => {
      const step: ExecStep = {
        id: this.#steps.size + 1,
        workflow: plan.name,
        plan: stepPlan,
        status: stepPlan.skipped ? 'skipped' : 'waiting',
        outcome: undefined,
        reason: stepPlan.skipped,
        failure: undefined,
        startedAt: undefined,
        finishedAt: undefined,
      };
      this.#steps.set(step.id, step);
      return step;
    });
    return { id, name: plan.name, plan, steps, status: 'blocked', startedAt: undefined, isHeld: false };
  }

  #hear(message: ToServer, payload: Buffer): void {
    switch (message.type) {
      case 'hello':
        this.#runtimes = message.runtimes ?? [];
        this.#send({ type: 'welcome', protocol: protocolVersion, leaseMs, disowned: [] });
        for (const workflow of this.workflows)
          for (const step of workflow.steps) if (step.status === 'skipped') this.#options.listener.step(step);
        this.#settle();
        return;
      case 'heartbeat':
        return;
      case 'done':
        this.#workflowOf(message).isHeld = false;
        this.#send({ type: 'released', ...nameOf(message) });
        this.#settle();
        return;
      case 'returned':
        // It is told to leave only when the pipeline has ended.
        throw new Error(`The runner gave a workflow back: ${message.reason}`);
      default:
        this.#hearOfStep(message, payload);
    }
  }

  #hearOfStep(message: Extract<ToServer, { readonly stepId: number }>, payload: Buffer): void {
    const step = this.#steps.get(message.stepId);
    if (!step) return;
    switch (message.type) {
      case 'start':
        if ((this.#cancel && !runsAfterCancel(step.plan)) || isFinished(step.status) || step.status === 'running')
          return;
        this.#waitingStarts.push({ claim: nameOf(message), step, request: message.request });
        this.#grantStarts();
        return;
      case 'running':
        if (step.status === 'starting') this.#setStep(step, { status: 'running' });
        return;
      case 'artifact-write':
      case 'artifact-end':
      case 'artifact-read':
        void this.#options.artifacts.hear(message, payload).then(([answer, bytes]) => this.#line?.send(answer, bytes));
        return;
      case 'gather':
        void this.#gather(message);
        return;
      case 'log':
        void this.#options.listener
          .output(step, message.stream, payload)
          .then(() => this.#noteLog(message, message.stepId, message.sequence));
        return;
      case 'log-end':
        this.#noteLog(message, message.stepId, message.sequence);
        return;
      case 'outcome':
        this.#noteOutcome(message, step);
    }
  }

  async #gather(message: Extract<ToServer, { type: 'gather' }>): Promise<void> {
    const name = { ...nameOf(message), stepId: message.stepId, request: message.request };
    try {
      const { plan } = this.#workflowOf(message);
      const checkout = await this.#options.gather(plan, (line) => this.#send({ type: 'gather-note', ...name, line }));
      this.#send({ type: 'gathered', ...name, checkout });
    } catch (error) {
      this.#send({
        type: 'gather-refused',
        ...name,
        message: error instanceof Error ? error.message : String(error),
        isInfrastructure: !(error instanceof GantryError) || error.kind === 'unavailable',
      });
    }
  }

  #noteLog(claim: ClaimName, stepId: number, sequence: number): void {
    this.#send({ type: 'log-stored', ...nameOf(claim), stepId, sequence });
  }

  #noteOutcome(message: Extract<ToServer, { type: 'outcome' }>, step: ExecStep): void {
    const waiting = this.#waitingStarts.findIndex((start) => start.step === step);
    if (waiting >= 0) this.#waitingStarts.splice(waiting, 1);
    if (!isFinished(step.status)) {
      const { status, outcome, failure, reuse } = message;
      const subject = { kind: 'step', workflow: step.workflow, step: step.plan.name } as const;
      const reason = reuse?.result === 'reused' ? reuseEntry(subject, reuse) : message.reason;
      this.#setStep(step, { status, outcome, reason, failure });
      if (status === 'failed' && step.plan.onFailure === 'cancel-pipeline')
        this.cancel(step.plan.name, { kind: 'step-failed', workflow: step.workflow, step: step.plan.name });
    }
    this.#send({ type: 'outcome-stored', ...nameOf(message), stepId: step.id });
    this.#settle();
  }

  /** Frees workflows whose turn has come, hands them out, and ends the pipeline when nothing is left to do. */
  #settle(): void {
    for (const workflow of this.workflows) this.#settleWorkflow(workflow);
    for (let isAgain = true; isAgain; ) {
      isAgain = false;
      for (const workflow of this.workflows) if (this.#judge(workflow)) isAgain = true;
    }
    this.#grantStarts();
    this.#assign();
    const isIdle = this.workflows.every(
      ({ status, isHeld }) => !isHeld && (isFinished(status) || status === 'blocked'),
    );
    if (isIdle) this.#end(this.status);
  }

  #settleWorkflow(workflow: ExecWorkflow): void {
    if (isFinished(workflow.status) || !workflow.isHeld) return;
    const steps = workflow.steps.map(({ status, plan }) => ({ status, isIgnored: plan.onFailure === 'ignore' }));
    const isCancelled = this.#cancel !== undefined && this.#cancel.cause.kind !== 'step-failed';
    workflow.status = workflowStatusOf(steps, 'claimed', { isCancelled });
  }

  /** Whether the workflow moved. */
  #judge(workflow: ExecWorkflow): boolean {
    if (workflow.status !== 'blocked') return false;
    const verdict = judgeWorkflow(workflow.plan, this.workflows);
    if (verdict.kind === 'waits') return false;
    if (verdict.kind === 'runs' && !hasNoWork(workflow.plan)) {
      workflow.status = 'queued';
      return true;
    }
    const rule = verdict.kind === 'runs' ? 'workflow.nothing-to-do' : verdict.rule;
    const values = verdict.kind === 'runs' ? {} : verdict.values;
    for (const step of workflow.steps) {
      if (isFinished(step.status)) continue;
      const subject = { kind: 'step', workflow: workflow.name, step: step.plan.name } as const;
      this.#setStep(step, { status: 'skipped', reason: { subject, rule, verdict: 'skipped', values } });
    }
    workflow.status = verdict.kind === 'runs' ? 'passed' : 'skipped';
    return true;
  }

  #assign(): void {
    for (const workflow of this.workflows) {
      if (workflow.status !== 'queued' || this.#takenSlots() >= this.#options.slots) continue;
      workflow.status = 'claimed';
      workflow.isHeld = true;
      const { repository, projectSlug, logLimitBytes } = this.#options;
      const assignment: Assignment = {
        plan: workflow.plan,
        stepIds: workflow.steps.map(({ id }) => id),
        runtime: chooseRuntime(workflow.plan.runtime, this.#runtimes)?.runtime,
        projectSlug,
        pipelineNumber: 0,
        repository,
        logLimitBytes,
        ...this.#options.kept[workflow.id - 1],
      };
      this.#send({ type: 'assign', ...claimOf(workflow), assignment });
    }
  }

  /** One for each step that runs, and at least one for each workflow that is being worked on. */
  #takenSlots(): number {
    return this.workflows
      .filter(({ isHeld, status }) => isHeld && !isFinished(status))
      .reduce((sum, { steps }) => sum + Math.max(1, steps.filter(isActive).length), 0);
  }

  #grantStarts(): void {
    while ([...this.#steps.values()].filter(isActive).length < this.#options.slots) {
      const start = this.#waitingStarts.shift();
      if (!start) return;
      this.#grant(start);
    }
  }

  #grant({ claim, step, request }: { claim: ClaimName; step: ExecStep; request: number }): void {
    const { clock, secrets } = this.#options;
    const now = clock.now();
    const workflow = this.#workflowOf(claim);
    this.#startedAt ??= now;
    workflow.startedAt ??= now;
    step.startedAt = now;
    step.status = 'starting';
    const given: Record<string, string> = {};
    for (const reference of step.plan.secrets) {
      const value = secretValue(reference, secrets);
      if (value !== undefined) given[reference.variable] = value;
    }
    const hasFailed = ({ status, plan }: ExecStep): boolean =>
      status === 'infrastructure' || (status === 'failed' && plan.onFailure !== 'ignore');
    this.#send({
      type: 'started',
      ...claim,
      stepId: step.id,
      request,
      environment: executionEnvironment({
        pipeline: {
          startedAt: this.#startedAt,
          failedWorkflows: this.workflows
            .filter(({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped')
            .map(({ name }) => name),
        },
        workflow: {
          startedAt: workflow.startedAt,
          failedSteps: workflow.steps.filter(hasFailed).map(({ plan }) => plan.name),
        },
        step: { startedAt: now },
        cancel: this.#cancelOf(workflow),
        runnerName: 'exec',
      }),
      secrets: given,
      mask: this.#mask,
    });
  }

  #cancelOf({ steps }: ExecWorkflow): ExecutionFacts['cancel'] {
    if (this.#cancel) return { by: this.#cancel.by, cause: this.#cancel.cause.kind };
    const failed = steps.find(({ status, plan }) => status === 'failed' && cancelsRest(plan));
    return failed && { by: failed.plan.name, cause: 'step-failed' };
  }

  #setStep(step: ExecStep, change: Partial<Pick<ExecStep, 'status' | 'outcome' | 'reason' | 'failure'>>): void {
    Object.assign(step, change);
    if (isFinished(step.status)) step.finishedAt = this.#options.clock.now();
    this.#options.listener.step(step);
  }

  #workflowOf({ workflowId }: ClaimName): ExecWorkflow {
    return this.workflows[workflowId - 1]!;
  }

  #send(message: ToRunner): void {
    this.#line?.send(message);
  }
}

/** Whether it takes a slot: what runs beside the others takes none, for they could wait for ever for the one it has. */
function isActive({ plan, status }: ExecStep): boolean {
  return !plan.background && (status === 'starting' || status === 'running');
}

function claimOf({ id }: ExecWorkflow): ClaimName {
  return { workflowId: id, attempt: 1, token: 1 };
}

function nameOf({ workflowId, attempt, token }: ClaimName): ClaimName {
  return { workflowId, attempt, token };
}

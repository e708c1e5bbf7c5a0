import {
  type CancelCause,
  type FinishedStatus,
  isFinished,
  type Outcome,
  type Step,
  type StepStatus,
} from '../core/pipeline.ts';
import type { StepPlan, WorkflowPlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';

/** One attempt of a workflow as the state machine sees it. Never changed in place: `advance` answers a new one. */
export interface WorkflowState {
  readonly plan: WorkflowPlan;
  readonly status: 'queued' | 'claimed' | 'running' | FinishedStatus;
  /** By position in the plan. */
  readonly steps: readonly StepState[];
  /** The first failure that is not ignored: from then on only steps that run on failure may start. */
  readonly failedStep?: number | undefined;
  /** The step whose exit code ended the workflow early with success: nothing may start any more. */
  readonly earlySuccess?: { readonly step: number; readonly exitCode: number } | undefined;
  /**
   * Who asked to cancel, or the step whose failure did. Nothing may start any more but the steps that run after a cancel;
   * and not even these once it was cancelled a second time.
   */
  readonly cancelledBy?: string | undefined;
  readonly cancelCause?: CancelCause | undefined;
  readonly isCancelFinal?: true | undefined;
  /** How many steps may be staged and not yet started (engine.md 6: three). */
  readonly stageAhead: number;
}

export interface StepState {
  readonly status: StepStatus;
  /** A sandbox is being made, or stands behind its gate. */
  readonly isStaged: boolean;
  /** Its turn has come: the gate opens as soon as the start is recorded. */
  readonly isReleased: boolean;
  readonly startedAtMs?: number | undefined;
  readonly hasOutputEnded: boolean;
  /** Of a step that runs beside the others: they need not wait for it any more. */
  readonly isUp?: boolean | undefined;
  /** It never answered on these ports, and the others went on after so long. */
  readonly silence?: { readonly ports: string; readonly limitMs: number } | undefined;
  /** It was told to stop because no step is left that it would run beside. */
  readonly isDismissed?: boolean | undefined;
  /** How its process ended; the step ends with it once the output has ended too. */
  readonly exit?: { readonly outcome: Outcome; readonly atMs: number } | undefined;
  /** It was told to stop because its time was over. */
  readonly isTimedOut: boolean;
  /**
   * Its turn came and it was not to run, for this reason; a cancel could still make it run. The others go on as if it had
   * ended.
   */
  readonly passedOver?: TraceEntry | undefined;
  /** It runs on, or was made ready, although its workflow was cancelled. */
  readonly isAfterCancel?: true | undefined;
  readonly outcome?: Outcome | undefined;
  /** The rule that skipped, cancelled or failed it. */
  readonly reason?: TraceEntry | undefined;
}

/** What is to be done about it. The order within one answer is the order to do it in. */
export type Effect =
  /** Make a sandbox ready behind its gate. */
  | { readonly type: 'stage'; readonly step: number }
  /** Its turn has come: once staged, ask to record the start, then open the gate. */
  | { readonly type: 'release'; readonly step: number }
  /** Tear down what was staged: its gate stays shut, and an answer that allows the start comes too late. */
  | { readonly type: 'discard'; readonly step: number }
  /** SIGTERM, grace, SIGKILL. */
  | { readonly type: 'cancel'; readonly step: number; readonly reason: 'cancelled' | 'timed-out' | 'dismissed' }
  /** Every step has ended: destroy the surroundings and tell. */
  | { readonly type: 'finish'; readonly status: FinishedStatus };

/** The state of a workflow that nobody has taken. */
export function initialWorkflow(plan: WorkflowPlan, options: { readonly stageAhead?: number } = {}): WorkflowState {
  return { plan, status: 'queued', steps: plan.steps.map(initialStep), stageAhead: options.stageAhead ?? 3 };
}

export function initialStep(plan: StepPlan): StepState {
  return {
    status: plan.skipped ? 'skipped' : 'waiting',
    isStaged: false,
    isReleased: false,
    hasOutputEnded: false,
    isTimedOut: false,
    ...(plan.skipped ? { reason: plan.skipped } : {}),
  };
}

/** The state that the record tells of: what the server judges by when nobody else can. */
export function restoreWorkflow(
  plan: WorkflowPlan,
  record: {
    readonly isClaimed: boolean;
    readonly cancelledBy?: string | undefined;
    readonly cancelCause?: CancelCause | undefined;
    readonly isCancelFinal?: boolean | undefined;
    /** By position. */
    readonly steps: readonly Pick<Step, 'status' | 'outcome' | 'reason' | 'startedAt'>[];
  },
): WorkflowState {
  const steps = plan.steps.map((stepPlan, position): StepState => {
    const step = record.steps[position];
    if (!step) return initialStep(stepPlan);
    const isRunning = step.status === 'starting' || step.status === 'running';
    return {
      ...initialStep(stepPlan),
      status: step.status,
      isStaged: isRunning,
      isReleased: isRunning,
      ...(step.startedAt ? { startedAtMs: step.startedAt.getTime() } : {}),
      ...(step.outcome ? { outcome: step.outcome } : {}),
      ...(step.reason ? { reason: step.reason } : {}),
    };
  });
  const failed = steps.findIndex(
    (step, position) => step.status === 'failed' && plan.steps[position]?.onFailure !== 'ignore',
  );
  const hasStarted = steps.some(
    (step) => step.startedAtMs !== undefined || (isFinished(step.status) && step.status !== 'skipped'),
  );
  return {
    plan,
    status: hasStarted ? 'running' : record.isClaimed ? 'claimed' : 'queued',
    steps,
    stageAhead: 3,
    ...(failed === -1 ? {} : { failedStep: failed }),
    ...(record.cancelledBy === undefined ? {} : { cancelledBy: record.cancelledBy }),
    ...(record.cancelCause ? { cancelCause: record.cancelCause } : {}),
    ...(record.isCancelFinal ? { isCancelFinal: true } : {}),
  };
}

export function isRunning(step: StepState): boolean {
  return step.status === 'starting' || step.status === 'running';
}

export function hasStarted(step: StepState): boolean {
  return isRunning(step) || step.startedAtMs !== undefined;
}

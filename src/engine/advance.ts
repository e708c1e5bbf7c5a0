import { type CancelCause, isFinished, type Outcome } from '../core/pipeline.ts';
import type { TraceEntry } from '../core/trace.ts';
import { Draft, hasPassed } from './advance-draft.ts';
import { type Effect, hasStarted, initialStep, isRunning, type WorkflowState } from './advance-state.ts';
import { cancelReason, cancelsRest, limitAfterCancelMs, runsAfterCancel } from './cancel-reason.ts';
import { endOf } from './level-status.ts';

export type { Effect };

/** Something that happened to a workflow. Times are milliseconds of one monotonic clock; steps are named by position. */
export type Occurrence =
  | { readonly type: 'claimed' }
  /** The start is recorded and the gate was opened. */
  | { readonly type: 'started'; readonly step: number; readonly atMs: number }
  /**
   * A step that runs beside the others has come as far as they wait for. `silence`: it has not, and they go on all the
   * same.
   */
  | {
      readonly type: 'up';
      readonly step: number;
      readonly silence?: { readonly ports: string; readonly limitMs: number } | undefined;
    }
  | { readonly type: 'output-ended'; readonly step: number; readonly atMs: number }
  /** Its process ended, or it could not be staged (which counts once its turn has come). */
  | { readonly type: 'exited'; readonly step: number; readonly outcome: Outcome; readonly atMs: number }
  /** Its time is over, says whoever watches it. */
  | { readonly type: 'timed-out'; readonly step: number }
  /** `isFinal`: the steps that run after a cancel are ended as well. */
  | {
      readonly type: 'cancelled';
      readonly by: string;
      readonly cause?: CancelCause | undefined;
      readonly isFinal?: boolean | undefined;
    }
  | { readonly type: 'lost'; readonly runner: string }
  | { readonly type: 'clock'; readonly atMs: number };

export interface Advance {
  readonly workflow: WorkflowState;
  readonly effects: readonly Effect[];
}

/** How long after its exit a step waits for the end of its output (engine.md 7). */
const outputGraceMs = 2_000;

/**
 * The engine's state machine: what a workflow becomes, and what is to be done, when something happens to it.
 *
 * Pure and total: an occurrence that does not fit (twice, too late, of no step) answers the very same state and no
 * effect. Order is a graph of steps; after a failure that is not ignored no on-success step starts, whatever branch it is
 * on (Drone 1.x, pipelines.md 10.5), or none of a later stage (`failureSkips`); a step whose condition did not match
 * counts as ended; after a cancel nothing starts but, once all that ran has ended, the steps that ask for just that
 * (`status: [cancelled]`); a second cancel ends these too. Steps that run beside the others (services, detached ones) are waited
 * for until they are up, and are told to stop when the last of the others has ended.
 */
export function advance(workflow: WorkflowState, occurrence: Occurrence): Advance {
  if (isFinished(workflow.status)) return { workflow, effects: [] };
  const draft = new Draft(workflow);
  happen(draft, occurrence);
  if (!draft.isChanged) return { workflow, effects: [] };
  if (draft.workflow.status !== 'queued') {
    // Most occurrences of a step end nothing: then nothing follows for the others, however many they are.
    if (!settled.has(workflow) || !concernsOneStep(occurrence)) settle(draft, 0);
    else if (settleStep(draft, occurrence.step)) settle(draft, occurrence.step + 1);
    else stageNext(draft);
    settled.add(draft.workflow);
  }
  return { workflow: draft.workflow, effects: draft.effects };
}

/** States in which nothing more follows from what has happened; whoever holds one need not say so. */
const settled = new WeakSet<WorkflowState>();

/** Occurrences from which nothing follows for other steps unless they end the step, and so its turn. */
function concernsOneStep(
  occurrence: Occurrence,
): occurrence is Extract<Occurrence, { type: 'started' | 'output-ended' | 'exited' }> {
  return occurrence.type === 'started' || occurrence.type === 'output-ended' || occurrence.type === 'exited';
}

function happen(draft: Draft, occurrence: Occurrence): void {
  const { workflow } = draft;
  switch (occurrence.type) {
    case 'claimed':
      if (workflow.status === 'queued') draft.set({ status: 'claimed' });
      return;
    case 'started': {
      const step = draft.step(occurrence.step);
      if (!step?.isReleased || (step.status !== 'ready' && step.status !== 'starting')) return;
      draft.set({ status: 'running' });
      draft.setStep(occurrence.step, { status: 'running', startedAtMs: occurrence.atMs });
      return;
    }
    case 'up': {
      const step = draft.step(occurrence.step);
      if (step?.status !== 'running' || step.isUp || !draft.plan(occurrence.step).background) return;
      draft.setStep(occurrence.step, {
        isUp: true,
        ...(occurrence.silence ? { silence: occurrence.silence } : {}),
      });
      return;
    }
    case 'output-ended': {
      const step = draft.step(occurrence.step);
      if (step?.status !== 'running' || step.hasOutputEnded) return;
      draft.setStep(occurrence.step, { hasOutputEnded: true });
      return;
    }
    case 'exited': {
      const step = draft.step(occurrence.step);
      // Without a sandbox of its own a step cannot have exited.
      if (!step || isFinished(step.status) || step.exit || !step.isStaged) return;
      draft.setStep(occurrence.step, { exit: { outcome: occurrence.outcome, atMs: occurrence.atMs } });
      return;
    }
    case 'timed-out':
      timeOut(draft, occurrence.step);
      return;
    case 'cancelled':
      if (workflow.cancelledBy === undefined) cancel(draft, occurrence.by, occurrence.cause);
      if (occurrence.isFinal) cancelFinally(draft);
      return;
    case 'lost':
      lose(draft, occurrence.runner);
      return;
    case 'clock':
      workflow.steps.forEach((step, position) => {
        if (step.status !== 'running') return;
        const timeoutMs = step.isAfterCancel
          ? limitAfterCancelMs(draft.plan(position))
          : draft.plan(position).timeoutMs;
        if (step.exit && !step.hasOutputEnded && occurrence.atMs - step.exit.atMs >= outputGraceMs)
          draft.setStep(position, { hasOutputEnded: true });
        else if (!step.exit && occurrence.atMs - (step.startedAtMs ?? occurrence.atMs) >= timeoutMs)
          timeOut(draft, position);
      });
      return;
  }
}

function timeOut(draft: Draft, position: number): void {
  const step = draft.step(position);
  if (step?.status !== 'running' || step.isTimedOut || step.isDismissed || step.exit) return;
  draft.setStep(position, { isTimedOut: true });
  draft.effects.push({ type: 'cancel', step: position, reason: 'timed-out' });
}

/**
 * Running steps are told to stop and end when they do; all others end here and now. Those that run after a cancel go on,
 * or wait for their turn: unless nothing has started, so that there is nothing to clear away.
 */
function cancel(draft: Draft, by: string, cause: CancelCause | undefined): void {
  const hasBegun = draft.workflow.steps.some((step) => hasStarted(step));
  draft.set({ cancelledBy: by, ...(cause ? { cancelCause: cause } : {}) });
  draft.workflow.steps.forEach((step, position) => {
    if (isFinished(step.status)) return;
    const { plan } = draft.workflow;
    if (hasBegun && runsAfterCancel(plan.steps[position]!)) {
      // One whose turn had come keeps it: its start may be on its way into the record.
      if (step.status === 'running' || step.status === 'ready') draft.setStep(position, { isAfterCancel: true });
      else if (step.passedOver) draft.setStep(position, { passedOver: undefined });
    } else stop(draft, position);
  });
  // Whoever waits in the queue is held by nobody: it is over at once.
  if (draft.workflow.status === 'queued') draft.set({ status: 'claimed' });
}

/** Ends what a first cancel had let go on. */
function cancelFinally(draft: Draft): void {
  if (draft.workflow.isCancelFinal) return;
  draft.set({ isCancelFinal: true });
  draft.workflow.steps.forEach((step, position) => {
    if (!isFinished(step.status) && (step.isAfterCancel || !isRunning(step))) stop(draft, position);
  });
}

function stop(draft: Draft, position: number): void {
  const step = draft.step(position)!;
  if (isRunning(step)) {
    if (!step.exit && !step.isDismissed) draft.effects.push({ type: 'cancel', step: position, reason: 'cancelled' });
    if (step.isAfterCancel) draft.setStep(position, { isAfterCancel: undefined });
  } else draft.end(position, 'cancelled', reasonOfCancel(draft, position));
}

function reasonOfCancel(draft: Draft, position: number): TraceEntry {
  const { cancelledBy = '', cancelCause } = draft.workflow;
  const { rule, values } = cancelReason(cancelledBy, cancelCause);
  return draft.reason(position, rule, 'failed', values);
}

/**
 * The runner is gone, and the workspace with it. Where a step had started the workflow cannot go on; where none had,
 * nothing was lost and it waits in the queue again.
 */
function lose(draft: Draft, runner: string): void {
  const { workflow } = draft;
  if (workflow.status === 'queued') return;
  if (workflow.cancelledBy !== undefined) {
    // What was to clear away has nothing left to work on.
    forOpenSteps(draft, (position) => draft.end(position, 'cancelled', reasonOfCancel(draft, position)));
    return;
  }
  if (!workflow.steps.some((step) => hasStarted(step) || (isFinished(step.status) && step.status !== 'skipped'))) {
    draft.set({ status: 'queued' });
    // What was skipped stays so: nothing has run that could have decided otherwise.
    forOpenSteps(draft, (position) => draft.setStep(position, initialStep(draft.plan(position))));
    return;
  }
  // At least one step carries the loss, so that the workflow's state follows from its steps.
  const carriers = workflow.steps.flatMap((step, position) => (isRunning(step) ? [position] : []));
  const firstOpen = workflow.steps.findIndex((step) => !isFinished(step.status));
  const lost = carriers.length > 0 ? carriers : [firstOpen];
  const outcome: Outcome = { kind: 'infrastructure', message: `The runner ${runner} was lost` };
  forOpenSteps(draft, (position) => {
    if (lost.includes(position))
      draft.end(
        position,
        'infrastructure',
        draft.reason(position, 'workflow.runner-lost', 'failed', { runner }),
        outcome,
      );
    else {
      const step = draft.plan(lost[0]!).name;
      draft.end(position, 'skipped', draft.reason(position, 'step.workflow-lost', 'skipped', { step }));
    }
  });
}

function forOpenSteps(draft: Draft, work: (position: number) => void): void {
  draft.workflow.steps.forEach((step, position) => {
    if (!isFinished(step.status)) work(position);
  });
}

/**
 * Draws every consequence: ends steps, makes others ready, stages, releases, and finishes the workflow. The first round
 * begins at `from`, the step after one that has moved.
 */
function settle(draft: Draft, from: number): void {
  const count = draft.workflow.steps.length;
  let first = from;
  for (let isAgain = true; isAgain; first = 0) {
    isAgain = first > 0;
    for (let position = first; position < count; position += 1) if (settleStep(draft, position)) isAgain = true;
  }

  endPassedOver(draft);
  dismissBackground(draft);
  const hasEnded = draft.workflow.steps.every(({ status }) => isFinished(status));
  const end =
    hasEnded &&
    endOf(
      draft.workflow.steps.map(({ status }, position) => ({
        status,
        isIgnored: draft.plan(position).onFailure === 'ignore',
      })),
      { isCancelled: isCancelledWhole(draft.workflow) },
    );
  if (end) {
    draft.set({ status: end });
    draft.effects.push({ type: 'finish', status: end });
    return;
  }
  stageNext(draft);
}

/** Leaves a step out: at once, or once nothing is left whose cancel could still make it run. */
function passOver(draft: Draft, position: number, reason: TraceEntry): void {
  // The start of one whose turn had come may be on its way: it must not find it waiting.
  const hadItsTurn = draft.step(position)?.status === 'ready';
  if (runsAfterCancel(draft.plan(position)) && !hadItsTurn) draft.setStep(position, { passedOver: reason });
  else draft.end(position, 'skipped', reason);
}

function endPassedOver(draft: Draft): void {
  const { plan, steps } = draft.workflow;
  if (!steps.every((step, position) => plan.steps[position]!.background || hasPassed(step))) return;
  steps.forEach((step, position) => {
    if (step.passedOver && !isFinished(step.status)) draft.end(position, 'skipped', step.passedOver);
  });
}

/** Ends what runs beside the others once there are no others; what has not started is not needed any more. */
function dismissBackground(draft: Draft): void {
  const { plan, steps, cancelledBy } = draft.workflow;
  // Who cancelled has told them already.
  if (cancelledBy !== undefined) return;
  if (!steps.every(({ status }, position) => plan.steps[position]!.background || isFinished(status))) return;
  steps.forEach((step, position) => {
    if (isFinished(step.status) || step.isDismissed) return;
    if (step.status !== 'running' && step.status !== 'starting') {
      draft.end(position, 'skipped', draft.reason(position, 'step.nothing-beside', 'skipped', {}));
      return;
    }
    // One that has exited by itself ends by that.
    if (step.exit) return;
    draft.setStep(position, { isDismissed: true });
    draft.effects.push({ type: 'cancel', step: position, reason: 'dismissed' });
  });
}

/** A failure that cancels the rest leaves a verdict: then the steps say how the workflow ended. */
function isCancelledWhole({ cancelledBy, cancelCause }: WorkflowState): boolean {
  return cancelledBy !== undefined && cancelCause?.kind !== 'step-failed';
}

function stageNext(draft: Draft): void {
  if (draft.workflow.earlySuccess === undefined || draft.workflow.cancelledBy !== undefined) stageSteps(draft);
}

/** Whether the step moved. */
function settleStep(draft: Draft, position: number): boolean {
  const { workflow } = draft;
  const step = workflow.steps[position]!;
  if (isFinished(step.status) || (step.status === 'running' && !step.exit)) return false;
  // What could not even be staged ends when its turn has come, without output to wait for.
  if (step.exit && (step.hasOutputEnded || step.status === 'ready')) {
    endByExit(draft, position, step.exit.outcome);
    return true;
  }
  if (step.status !== 'waiting' && step.status !== 'ready') return false;

  if (workflow.cancelledBy !== undefined) return settleAfterCancel(draft, position);
  if (step.passedOver) return false;
  const { runOn } = draft.plan(position);
  if (workflow.earlySuccess) {
    const { step: by, exitCode } = workflow.earlySuccess;
    const values = { step: draft.plan(by).name, exitCode };
    passOver(draft, position, draft.reason(position, 'step.early-success', 'skipped', values));
    return true;
  }
  // In stages and levels one whose turn has come belongs to those that are running already, and one whose turn has not
  // come waits for them: whoever comes after it must not pass them.
  const isSpared =
    workflow.plan.failureSkips === 'later' && (step.status === 'ready' || !draft.haveDependenciesEnded(position));
  if (workflow.failedStep !== undefined && !runOn.failure && !isSpared) {
    const values = { step: draft.plan(workflow.failedStep).name };
    passOver(draft, position, draft.reason(position, 'step.after-failure', 'skipped', values));
    return true;
  }
  if (step.status === 'ready' || !draft.haveDependenciesEnded(position)) return false;
  if (workflow.failedStep === undefined && !runOn.success) {
    const values = { wanted: runOn.failure ? 'failure' : 'cancelled', actual: 'success' };
    passOver(draft, position, draft.reason(position, 'step.when.status', 'skipped', values));
  } else draft.setStep(position, { status: 'ready' });
  return true;
}

/** What is left after a cancel waits for all that still runs, and for each other as the file says. */
function settleAfterCancel(draft: Draft, position: number): boolean {
  const { steps } = draft.workflow;
  if (steps[position]!.status === 'ready' || !draft.haveDependenciesEnded(position)) return false;
  if (steps.some((step) => isRunning(step) && !step.isAfterCancel)) return false;
  draft.setStep(position, { status: 'ready', isAfterCancel: true });
  return true;
}

function endByExit(draft: Draft, position: number, outcome: Outcome): void {
  const { workflow } = draft;
  const plan = draft.plan(position);
  const step = workflow.steps[position]!;
  if (workflow.cancelledBy !== undefined && !step.isAfterCancel) {
    // Even a success that came in between: who cancelled must find it cancelled. The outcome keeps the exit code.
    draft.end(position, 'cancelled', reasonOfCancel(draft, position), outcome);
    return;
  }
  const end = endOfBackground(draft, position, outcome);
  if (end) {
    draft.end(position, end.status, end.reason, end.outcome);
    return;
  }
  if (step.isTimedOut || outcome.kind === 'timed-out') {
    const ownMs = step.isAfterCancel ? limitAfterCancelMs(plan) : plan.timeoutMs;
    const timeoutMs = outcome.kind === 'timed-out' ? outcome.timeoutMs : ownMs;
    const reason = draft.reason(position, 'step.timed-out', 'failed', { timeoutMs });
    draft.end(position, 'failed', reason, { kind: 'timed-out', timeoutMs });
  } else {
    const isEarly =
      outcome.kind === 'exited' &&
      outcome.exitCode !== 0 &&
      workflow.plan.earlySuccessExitCodes.includes(outcome.exitCode);
    const status = isEarly ? 'passed' : statusOf(outcome);
    const reason = isEarly
      ? draft.reason(position, 'step.early-success', 'ran', { step: plan.name, exitCode: outcome.exitCode })
      : undefined;
    draft.end(position, status, reason, outcome);
    if (isEarly && workflow.earlySuccess === undefined)
      draft.set({ earlySuccess: { step: position, exitCode: outcome.exitCode } });
  }
  const ended = draft.workflow.steps[position]!.status;
  const isFailure = ended !== 'passed' && !(ended === 'failed' && plan.onFailure === 'ignore');
  if (isFailure && workflow.failedStep === undefined) draft.set({ failedStep: position });
  if (ended === 'failed' && cancelsRest(plan) && draft.workflow.cancelledBy === undefined)
    cancel(draft, plan.name, { kind: 'step-failed', workflow: workflow.plan.name, step: plan.name });
}

/**
 * How a step that ran beside the others ends where that is its own affair: dismissed, it did what it was for, unless it
 * never came up; a service that ends by itself says so. What is nobody's verdict counts as it does for every step.
 */
function endOfBackground(
  draft: Draft,
  position: number,
  outcome: Outcome,
): { readonly status: 'passed' | 'failed'; readonly reason: TraceEntry; readonly outcome: Outcome } | undefined {
  const { background } = draft.plan(position);
  const { isDismissed, silence } = draft.step(position)!;
  if (!background || outcome.kind === 'infrastructure') return undefined;
  if (silence) {
    const reason = draft.reason(position, 'service.not-ready', 'failed', silence);
    return { status: 'failed', reason, outcome: isDismissed ? timedOut(silence.limitMs) : outcome };
  }
  if (isDismissed) return { status: 'passed', reason: draft.reason(position, 'step.dismissed', 'ran', {}), outcome };
  if (background === 'detached' || outcome.kind === 'timed-out' || outcome.kind === 'cannot-start') return undefined;
  const status = statusOf(outcome) === 'passed' ? 'passed' : 'failed';
  return {
    status,
    reason: draft.reason(position, 'service.ended-early', status === 'passed' ? 'noted' : 'failed', {}),
    outcome,
  };
}

function timedOut(timeoutMs: number): Outcome {
  return { kind: 'timed-out', timeoutMs };
}

/** What an outcome makes of its step. */
export function statusOf(outcome: Outcome): 'passed' | 'failed' | 'cancelled' | 'infrastructure' {
  switch (outcome.kind) {
    case 'exited':
      return outcome.exitCode === 0 ? 'passed' : 'failed';
    case 'cancelled':
      return 'cancelled';
    case 'infrastructure':
      return 'infrastructure';
    default:
      return 'failed';
  }
}

/** Steps whose turn has come are staged and released; then those next in line are staged ahead, in the file's order. */
function stageSteps(draft: Draft): void {
  const { steps, stageAhead } = draft.workflow;
  let staged = 0;
  let readyStaged = 0;
  let unreleased = 0;
  for (const step of steps) {
    if (!step.isStaged || (step.status !== 'waiting' && step.status !== 'ready')) continue;
    staged += 1;
    if (step.status !== 'ready') continue;
    readyStaged += 1;
    if (!step.isReleased) unreleased += 1;
  }
  if (readyStaged >= stageAhead && unreleased === 0) return;
  // Not in one loop: a step whose turn has come goes before one that only might be next.
  for (let position = 0; position < steps.length; position += 1) {
    if (readyStaged >= stageAhead && unreleased === 0) break;
    const step = steps[position]!;
    if (step.status !== 'ready' || step.isReleased || (!step.isStaged && readyStaged >= stageAhead)) continue;
    if (step.isStaged) unreleased -= 1;
    else {
      staged += 1;
      readyStaged += 1;
      draft.effects.push({ type: 'stage', step: position });
    }
    draft.setStep(position, { isStaged: true, isReleased: true });
    draft.effects.push({ type: 'release', step: position });
  }
  // After a cancel nobody can tell which is next, and what is not needed must not be made.
  if (draft.workflow.cancelledBy !== undefined) return;
  for (let position = 0; position < steps.length && staged < stageAhead; position += 1) {
    const step = draft.workflow.steps[position]!;
    if (step.status !== 'waiting' || step.isStaged || !draft.plan(position).runOn.success) continue;
    if (!draft.areDependenciesUnderWay(position)) continue;
    staged += 1;
    draft.setStep(position, { isStaged: true });
    draft.effects.push({ type: 'stage', step: position });
  }
}

/** Steps that ended by this occurrence, in order: what a runner reports to its server. */
export function endedSteps(before: WorkflowState, after: WorkflowState): readonly number[] {
  const ended: number[] = [];
  // In workflows of many steps this is asked far more often than something has ended.
  for (let position = 0; position < after.steps.length; position += 1) {
    const was = before.steps[position]!;
    const is = after.steps[position]!;
    if (was !== is && isFinished(is.status) && !isFinished(was.status)) ended.push(position);
  }
  return ended;
}

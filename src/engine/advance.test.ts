import { describe, expect, it } from 'vitest';
import { stepPlan, workflowPlan } from '../../test/support/plans.ts';
import { fc } from '../../test/support/properties.ts';
import { isFinished, type Outcome } from '../core/pipeline.ts';
import type { StepPlan, WorkflowPlan } from '../core/plan.ts';
import { advance, type Effect, endedSteps, type Occurrence } from './advance.ts';
import { initialWorkflow, restoreWorkflow, type WorkflowState } from './advance-state.ts';

const passed: Outcome = { kind: 'exited', exitCode: 0 };
const failed: Outcome = { kind: 'exited', exitCode: 1 };
const onSuccess = { success: true, failure: false };
const onFailure = { success: false, failure: true };
const always = { success: true, failure: true };
const afterCancel = { success: false, failure: false, cancelled: true } as const;

function step(name: string, dependsOn: readonly string[] = [], more: Partial<StepPlan> = {}): StepPlan {
  return stepPlan(name, { dependsOn, ...more });
}

function workflow(steps: readonly StepPlan[], more: Partial<WorkflowPlan> = {}): WorkflowPlan {
  return workflowPlan('default', steps, { earlySuccessExitCodes: [78], ...more });
}

/** Tells a workflow what happens and keeps what it asked for. */
function play(plan: WorkflowPlan, occurrences: readonly Occurrence[]): { state: WorkflowState; effects: Effect[] } {
  let state = initialWorkflow(plan);
  const effects: Effect[] = [];
  for (const occurrence of occurrences) {
    const next = advance(state, occurrence);
    state = next.workflow;
    effects.push(...next.effects);
  }
  return { state, effects };
}

const start = (at: number): Occurrence => ({ type: 'started', step: at, atMs: 0 });
const end = (at: number, outcome: Outcome = passed): Occurrence[] => [
  { type: 'exited', step: at, outcome, atMs: 1 },
  { type: 'output-ended', step: at, atMs: 1 },
];
const run = (at: number, outcome: Outcome = passed): Occurrence[] => [start(at), ...end(at, outcome)];
const claimed: Occurrence = { type: 'claimed' };
const statuses = (state: WorkflowState) => state.steps.map(({ status }) => status);
const kinds = (effects: readonly Effect[]) =>
  effects.map((effect) => ('step' in effect ? `${effect.type} ${effect.step}` : `${effect.type} ${effect.status}`));

describe('advance', () => {
  it('runs a chain in its order, stages up to three steps and finishes once', () => {
    const plan = workflow([step('a'), step('b', ['a']), step('c', ['b']), step('d', ['c']), step('e', ['d'])]);
    const first = play(plan, [claimed]);
    expect(kinds(first.effects)).toEqual(['stage 0', 'release 0', 'stage 1', 'stage 2']);
    const second = play(plan, [claimed, ...run(0)]);
    expect(kinds(second.effects).slice(4)).toEqual(['stage 3', 'release 1']);
    const whole = play(plan, [claimed, ...[0, 1, 2, 3, 4].flatMap((at) => run(at))]);
    expect(statuses(whole.state)).toEqual(['passed', 'passed', 'passed', 'passed', 'passed']);
    expect(kinds(whole.effects).filter((kind) => kind.startsWith('finish'))).toEqual(['finish passed']);
  });

  it('lets what waits for a step that is left out wait for what that one waits for, over however many', () => {
    const skipped: StepPlan['skipped'] = {
      subject: { kind: 'step', workflow: 'default', step: 'b' },
      rule: 'step.when.event',
      verdict: 'skipped',
      values: {},
    };
    const plan = workflow([
      step('a'),
      step('b', ['a'], { skipped }),
      step('c', ['b'], { skipped }),
      step('d', ['b', 'c'], { skipped }),
      step('e', ['d']),
      step('f'),
    ]);
    expect(kinds(play(plan, [claimed]).effects).filter((kind) => kind.startsWith('release'))).toEqual([
      'release 0',
      'release 5',
    ]);
    const later = kinds(play(plan, [claimed, ...run(0)]).effects);
    expect(later.filter((kind) => kind.startsWith('release'))).toEqual(['release 0', 'release 5', 'release 4']);
  });

  it('lets what runs after a failure wait for a branch that still runs, through the steps that were left out of it', () => {
    const plan = workflow([step('a'), step('b', ['a']), step('clean', ['b'], { runOn: onFailure }), step('other')]);
    const { effects } = play(plan, [claimed, start(0), ...run(3, failed)]);
    expect(kinds(effects)).not.toContain('release 2');
    expect(kinds(play(plan, [claimed, start(0), ...run(3, failed), ...end(0)]).effects)).toContain('release 2');
  });

  it('ends a step only when its process and its output have both ended', () => {
    const plan = workflow([step('a')]);
    const exited = play(plan, [claimed, start(0), end(0)[0]!]);
    expect(statuses(exited.state)).toEqual(['running']);
    const late = advance(exited.state, { type: 'clock', atMs: 1_999 });
    expect(late.workflow).toBe(exited.state);
    const waited = advance(exited.state, { type: 'clock', atMs: 2_001 });
    expect(waited.workflow.status).toBe('passed');
  });

  it('skips every on-success step that has not started after a failure, on whatever branch, and names the step', () => {
    const plan = workflow([step('a'), step('b'), step('c', ['b']), step('mail', ['a', 'c'], { runOn: onFailure })]);
    const { state, effects } = play(plan, [claimed, start(0), start(1), ...end(0, failed), ...end(1)]);
    expect(statuses(state)).toEqual(['failed', 'passed', 'skipped', 'ready']);
    expect(state.steps[2]?.reason).toMatchObject({ rule: 'step.after-failure', values: { step: 'a' } });
    expect(kinds(effects)).toContain('discard 2');
    expect(advance(advance(state, start(3)).workflow, end(3)[0]!).workflow.status).toBe('running');
  });

  it('lets those of the same stage start after a failure, and skips the stages behind it', () => {
    const steps = [step('a'), step('b'), step('c', ['a', 'b']), step('mail', ['c'], { runOn: onFailure })];
    const plan = workflow(steps, { failureSkips: 'later' });
    const failing = play(plan, [claimed, start(0), ...end(0, failed)]);
    expect(statuses(failing.state)).toEqual(['failed', 'ready', 'waiting', 'waiting']);
    const whole = play(plan, [claimed, start(0), ...end(0, failed), ...run(1), ...run(3)]);
    expect(statuses(whole.state)).toEqual(['failed', 'passed', 'skipped', 'passed']);
    expect(whole.state.status).toBe('failed');
  });

  it('goes on after a failure that is ignored, shows it, and passes', () => {
    const plan = workflow([step('a', [], { onFailure: 'ignore' }), step('b', ['a'])]);
    const { state } = play(plan, [claimed, ...run(0, failed), ...run(1)]);
    expect(statuses(state)).toEqual(['failed', 'passed']);
    expect(state.status).toBe('passed');
  });

  it('skips a step that runs on failure only when nothing failed, and says what it wanted', () => {
    const plan = workflow([
      step('a'),
      step('mail', ['a'], { runOn: onFailure }),
      step('tidy', ['mail'], { runOn: always }),
    ]);
    const { state } = play(plan, [claimed, ...run(0), ...run(2)]);
    expect(statuses(state)).toEqual(['passed', 'skipped', 'passed']);
    expect(state.steps[1]?.reason).toMatchObject({ rule: 'step.when.status', values: { wanted: 'failure' } });
  });

  it('counts a step whose condition did not match as ended', () => {
    const reason = {
      subject: { kind: 'step', workflow: 'default', step: 'a' },
      rule: 'step.when.branch',
      verdict: 'skipped',
      values: { pattern: 'main', value: 'dev' },
    } as const;
    const { state } = play(workflow([step('a', [], { skipped: reason }), step('b', ['a'])]), [claimed, ...run(1)]);
    expect(statuses(state)).toEqual(['skipped', 'passed']);
    expect(state.status).toBe('passed');
    const nothing = play(workflow([step('a', [], { skipped: reason })]), [claimed]);
    expect(kinds(nothing.effects)).toEqual(['finish passed']);
  });

  it('does not start a step whose turn had come once it is left out, although it would run after a cancel too', () => {
    const plan = workflow([step('a'), step('b', [], { runOn: { ...always, cancelled: true } })]);
    const early = play(plan, [claimed, ...run(0, { kind: 'exited', exitCode: 78 }), start(1)]);
    expect(statuses(early.state)).toEqual(['passed', 'skipped']);
    expect(kinds(early.effects)).toContain('discard 1');
    const failing = workflow([
      step('a'),
      step('b', [], { runOn: { ...onSuccess, cancelled: true } }),
      step('c', ['a']),
    ]);
    expect(statuses(play(failing, [claimed, ...run(0, failed), start(1)]).state)).toEqual([
      'failed',
      'skipped',
      'skipped',
    ]);
  });

  it('ends early with success at an exit code that says so, and skips the rest, failure steps too', () => {
    const plan = workflow([step('a'), step('b', ['a']), step('mail', ['b'], { runOn: always })]);
    const { state } = play(plan, [claimed, ...run(0, { kind: 'exited', exitCode: 78 })]);
    expect(statuses(state)).toEqual(['passed', 'skipped', 'skipped']);
    expect(state.steps[2]?.reason).toMatchObject({ rule: 'step.early-success', values: { step: 'a', exitCode: 78 } });
    expect(state.status).toBe('passed');
  });

  it('stops what runs after a cancel, ends the rest at once, and is cancelled even when a step still passes', () => {
    const plan = workflow([step('a'), step('b', ['a']), step('tidy', ['b'], { runOn: always })]);
    const { state, effects } = play(plan, [claimed, start(0), { type: 'cancelled', by: 'mei' }]);
    expect(statuses(state)).toEqual(['running', 'cancelled', 'cancelled']);
    expect(kinds(effects)).toContain('cancel 0');
    const after = play(plan, [claimed, start(0), { type: 'cancelled', by: 'mei' }, ...end(0)]);
    expect(after.state.status).toBe('cancelled');
    expect(after.state.steps[0]).toMatchObject({ status: 'cancelled', outcome: passed });
  });

  it('is cancelled at once when nobody holds it', () => {
    const { state, effects } = play(workflow([step('a')]), [{ type: 'cancelled', by: 'mei' }]);
    expect(state.status).toBe('cancelled');
    expect(kinds(effects)).toEqual(['finish cancelled']);
  });

  it('tells a step whose time is over to stop, and fails it as timed out', () => {
    const plan = workflow([step('a', [], { timeoutMs: 1_000 })]);
    const { state, effects } = play(plan, [
      claimed,
      start(0),
      { type: 'clock', atMs: 1_000 },
      { type: 'clock', atMs: 2_000 },
    ]);
    expect(effects.filter(({ type }) => type === 'cancel')).toEqual([{ type: 'cancel', step: 0, reason: 'timed-out' }]);
    const last = end(0, { kind: 'killed', signal: 'SIGKILL' }).reduce(
      (now, each) => advance(now, each).workflow,
      state,
    );
    expect(last.steps[0]).toMatchObject({ status: 'failed', outcome: { kind: 'timed-out', timeoutMs: 1_000 } });
  });

  it('waits in the queue again when its runner is lost before anything started', () => {
    const { state, effects } = play(workflow([step('a'), step('b', ['a'])]), [claimed, { type: 'lost', runner: 'r1' }]);
    expect(state.status).toBe('queued');
    expect(statuses(state)).toEqual(['waiting', 'waiting']);
    expect(kinds(effects).slice(-1)).not.toContain('finish infrastructure');
    expect(kinds(advance(state, claimed).effects)).toEqual(['stage 0', 'release 0', 'stage 1']);
  });

  it('ends infrastructure when its runner is lost after a step had started, and skips later steps with that reason', () => {
    const plan = workflow([step('a'), step('b', ['a']), step('c', ['b'], { runOn: always })]);
    const running = play(plan, [claimed, start(0), { type: 'lost', runner: 'r1' }]).state;
    expect(statuses(running)).toEqual(['infrastructure', 'skipped', 'skipped']);
    expect(running.steps[1]?.reason).toMatchObject({ rule: 'step.workflow-lost', values: { step: 'a' } });
    expect(running.status).toBe('infrastructure');
    const between = play(plan, [claimed, ...run(0), { type: 'lost', runner: 'r1' }]).state;
    expect(statuses(between)).toEqual(['passed', 'infrastructure', 'skipped']);
  });

  it('fails a step that cannot be staged when its turn comes, and not before', () => {
    const plan = workflow([step('a'), step('b', ['a'])]);
    const noImage: Outcome = { kind: 'cannot-start', message: 'no such image' };
    const early = play(plan, [claimed, start(0), { type: 'exited', step: 1, outcome: noImage, atMs: 0 }]).state;
    expect(statuses(early)).toEqual(['running', 'waiting']);
    const later = end(0).reduce((now, each) => advance(now, each).workflow, early);
    expect(statuses(later)).toEqual(['passed', 'failed']);
    expect(later.steps[1]?.outcome).toEqual(noImage);
  });

  it('judges by the record what nobody can tell any more', () => {
    const plan = workflow([step('a'), step('b', ['a'])]);
    const at = new Date(0);
    const held = restoreWorkflow(plan, {
      isClaimed: true,
      steps: [{ status: 'starting', startedAt: at }, { status: 'waiting' }],
    });
    expect(statuses(advance(held, { type: 'lost', runner: 'r1' }).workflow)).toEqual(['infrastructure', 'skipped']);
    const queued = restoreWorkflow(plan, { isClaimed: false, steps: [{ status: 'waiting' }, { status: 'waiting' }] });
    expect(advance(queued, { type: 'cancelled', by: 'mei' }).workflow.status).toBe('cancelled');
  });
});

describe('steps that run beside the others', () => {
  const service = (name: string, dependsOn: readonly string[] = []): StepPlan =>
    step(name, dependsOn, { background: 'service', onFailure: 'ignore', hostName: name });
  const up = (at: number): Occurrence => ({ type: 'up', step: at });
  const cancelled: Outcome = { kind: 'cancelled', reason: 'dismissed' };
  const plan = workflow([
    step('clone'),
    service('db', ['clone']),
    step('test', ['clone', 'db']),
    step('lint', ['test']),
  ]);
  const running = [claimed, ...run(0), start(1), up(1)];

  it('are waited for until they are up, and told to stop when the last of the others has ended', () => {
    const risen = play(plan, [claimed, ...run(0), start(1)]);
    expect(statuses(risen.state)).toEqual(['passed', 'running', 'waiting', 'waiting']);
    const testing = play(plan, [...running, ...run(2)]);
    expect(kinds(testing.effects)).not.toContain('cancel 1');
    const linted = play(plan, [...running, ...run(2), ...run(3)]);
    expect(kinds(linted.effects).slice(-1)).toEqual(['cancel 1']);
    expect(linted.state.status).toBe('running');
    const { state, effects } = play(plan, [...running, ...run(2), ...run(3), ...end(1, cancelled)]);
    expect(statuses(state)).toEqual(['passed', 'passed', 'passed', 'passed']);
    expect(state.steps[1]?.reason).toMatchObject({ rule: 'step.dismissed', verdict: 'ran' });
    expect(kinds(effects).slice(-1)).toEqual(['finish passed']);
  });

  it('do not fail the workflow: a service that dies is told, and the steps go on', () => {
    const early = play(plan, [claimed, ...run(0), ...run(1, failed)]);
    expect(statuses(early.state)).toEqual(['passed', 'failed', 'ready', 'waiting']);
    expect(early.state.steps[1]).toMatchObject({ outcome: failed, reason: { rule: 'service.ended-early' } });
    const { state } = play(plan, [...running, ...end(1), ...run(2), ...run(3)]);
    expect([state.status, state.steps[1]?.status]).toEqual(['passed', 'passed']);
    expect(state.steps[1]?.reason).toMatchObject({ rule: 'service.ended-early', verdict: 'noted' });
  });

  it('that never answer are failed at the end, and the steps go on without them', () => {
    const silence = { ports: '5432', limitMs: 60_000 };
    const silent: Occurrence = { type: 'up', step: 1, silence };
    const { state } = play(plan, [claimed, ...run(0), start(1), silent, ...run(2), ...run(3), ...end(1, cancelled)]);
    expect([state.status, ...statuses(state)]).toEqual(['passed', 'passed', 'failed', 'passed', 'passed']);
    expect(state.steps[1]).toMatchObject({
      outcome: { kind: 'timed-out', timeoutMs: 60_000 },
      reason: { rule: 'service.not-ready', values: silence },
    });
  });

  it('that are lost are nobody’s verdict: the workflow is no success', () => {
    const lost: Outcome = { kind: 'infrastructure', message: 'registry down' };
    const { state } = play(plan, [claimed, ...run(0), ...run(1, lost)]);
    expect([state.status, ...statuses(state)]).toEqual([
      'infrastructure',
      'passed',
      'infrastructure',
      'skipped',
      'skipped',
    ]);
    const late = play(plan, [...running, ...run(2), ...run(3), ...end(1, lost)]);
    expect(late.state.status).toBe('infrastructure');
  });

  it('are told to stop after a failure too, once the steps that run on failure have ended', () => {
    const mailing = workflow([service('db'), step('test', ['db']), step('mail', ['test'], { runOn: onFailure })]);
    const mailed = play(mailing, [claimed, start(0), up(0), ...run(1, failed)]);
    expect(kinds(mailed.effects)).not.toContain('cancel 0');
    const { state } = play(mailing, [claimed, start(0), up(0), ...run(1, failed), ...run(2), ...end(0, cancelled)]);
    expect([state.status, ...statuses(state)]).toEqual(['failed', 'passed', 'failed', 'passed']);
  });

  it('are cancelled with the workflow', () => {
    const { state, effects } = play(plan, [...running, { type: 'cancelled', by: 'mei' }, ...end(1, cancelled)]);
    expect(kinds(effects)).toContain('cancel 1');
    expect([state.status, state.steps[1]?.status]).toEqual(['cancelled', 'cancelled']);
  });

  it('do not start where nothing is left to run beside, and say so', () => {
    const last = workflow([step('a'), step('b', ['a'], { background: 'detached', onFailure: 'ignore' })]);
    const { state, effects } = play(last, [claimed, ...run(0)]);
    expect([state.status, ...statuses(state)]).toEqual(['passed', 'passed', 'skipped']);
    expect(state.steps[1]?.reason?.rule).toBe('step.nothing-beside');
    expect(kinds(effects)).not.toContain('release 1');
    const clonedBadly = play(plan, [claimed, ...run(0, failed)]);
    expect([clonedBadly.state.status, ...statuses(clonedBadly.state)]).toEqual([
      'failed',
      'failed',
      'skipped',
      'skipped',
      'skipped',
    ]);
  });

  it('that are detached fail without a word for the others', () => {
    const plan = workflow([
      step('serve', [], { background: 'detached', onFailure: 'ignore' }),
      step('test', ['serve']),
    ]);
    const { state } = play(plan, [claimed, start(0), up(0), ...end(0, failed), ...run(1)]);
    expect([state.status, ...statuses(state)]).toEqual(['passed', 'failed', 'passed']);
    expect(state.steps[0]?.reason).toBeUndefined();
  });
});

describe('steps that run after a cancel', () => {
  const onCancel = { success: false, failure: false, cancelled: true } as const;
  const cancelled = (isFinal = false): Occurrence => ({
    type: 'cancelled',
    by: 'mei',
    cause: { kind: 'person' },
    isFinal,
  });
  const plan = workflow([
    step('build'),
    step('pack', ['build']),
    step('always', ['pack'], { runOn: always }),
    step('clear', ['always'], { runOn: onCancel }),
    step('tell', ['clear'], { runOn: onCancel }),
  ]);

  it('start once all that ran has ended, in their order, and nothing else does', () => {
    const begun = play(plan, [claimed, start(0), cancelled()]);
    expect(kinds(begun.effects).slice(-3)).toEqual(['cancel 0', 'discard 1', 'discard 2']);
    expect(statuses(begun.state)).toEqual(['running', 'cancelled', 'cancelled', 'waiting', 'waiting']);
    const cleared = play(plan, [claimed, start(0), cancelled(), ...end(0)]);
    expect(statuses(cleared.state)).toEqual(['cancelled', 'cancelled', 'cancelled', 'ready', 'waiting']);
    expect(kinds(cleared.effects).slice(-2)).toEqual(['stage 3', 'release 3']);
    const { state } = play(plan, [claimed, start(0), cancelled(), ...end(0), ...run(3), ...run(4)]);
    expect([state.status, ...statuses(state)]).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'cancelled',
      'passed',
      'passed',
    ]);
  });

  it('are ended by a second cancel, the one that runs too', () => {
    const { state, effects } = play(plan, [claimed, start(0), cancelled(), ...end(0), start(3), cancelled(true)]);
    expect(kinds(effects).at(-1)).toBe('cancel 3');
    expect(statuses(state)).toEqual(['cancelled', 'cancelled', 'cancelled', 'running', 'cancelled']);
    const ended = advance(state, end(3)[0]!).workflow;
    expect(advance(ended, end(3)[1]!).workflow.status).toBe('cancelled');
    expect(statuses(advance(ended, end(3)[1]!).workflow)[3]).toBe('cancelled');
  });

  it('never start in a workflow of which nothing had started', () => {
    const { state } = play(plan, [claimed, cancelled()]);
    expect(new Set(statuses(state))).toEqual(new Set(['cancelled']));
  });

  it('are left out when nobody cancels', () => {
    const { state } = play(plan, [claimed, ...run(0), ...run(1), ...run(2)]);
    expect([state.status, ...statuses(state)]).toEqual(['passed', 'passed', 'passed', 'passed', 'skipped', 'skipped']);
    expect(state.steps[3]?.reason).toMatchObject({ rule: 'step.when.status', values: { wanted: 'cancelled' } });
  });

  it('are run also when their turn was over before the cancel, and those behind them do not wait for them', () => {
    const middle = workflow([
      step('a'),
      step('clear', ['a'], { runOn: onCancel }),
      step('c', ['clear']),
      step('d', ['c']),
    ]);
    const { state } = play(middle, [claimed, ...run(0)]);
    expect(statuses(state)).toEqual(['passed', 'waiting', 'ready', 'waiting']);
    const cleared = play(middle, [claimed, ...run(0), start(2), cancelled(), ...end(2), ...run(1)]).state;
    expect([cleared.status, ...statuses(cleared)]).toEqual(['cancelled', 'passed', 'passed', 'cancelled', 'cancelled']);
    const undisturbed = play(middle, [claimed, ...run(0), ...run(2), ...run(3)]).state;
    expect([undisturbed.status, ...statuses(undisturbed)]).toEqual(['passed', 'passed', 'skipped', 'passed', 'passed']);
    const failing = play(middle, [claimed, ...run(0), ...run(2, failed)]).state;
    expect([failing.status, ...statuses(failing)]).toEqual(['failed', 'passed', 'skipped', 'failed', 'skipped']);
  });

  it('go on for a minute when they are running already, and the workflow is cancelled all the same', () => {
    const both = { success: true, failure: false, cancelled: true } as const;
    const last = workflow([step('a'), step('clear', ['a'], { runOn: both, timeoutMs: 3_600_000 })]);
    const { state, effects } = play(last, [claimed, ...run(0), start(1), cancelled()]);
    expect(kinds(effects)).not.toContain('cancel 1');
    expect(advance(state, { type: 'clock', atMs: 59_000 }).effects).toEqual([]);
    expect(kinds(advance(state, { type: 'clock', atMs: 60_000 }).effects)).toEqual(['cancel 1']);
    const ended = play(last, [claimed, ...run(0), start(1), cancelled(), ...end(1)]).state;
    expect([ended.status, ...statuses(ended)]).toEqual(['cancelled', 'passed', 'passed']);
  });

  it('have nothing left to work on when their runner is lost', () => {
    const { state } = play(plan, [claimed, start(0), cancelled(), ...end(0), start(3), { type: 'lost', runner: 'r1' }]);
    expect(new Set(statuses(state))).toEqual(new Set(['cancelled']));
  });
});

describe('a failure that cancels', () => {
  const plan = (onFailure: StepPlan['onFailure']) =>
    workflow([
      step('a', [], { onFailure }),
      step('b'),
      step('c', ['b'], { runOn: always }),
      step('clear', ['c'], { runOn: { success: false, failure: false, cancelled: true } }),
    ]);

  it.each(['cancel-workflow', 'cancel-pipeline'] as const)('ends the rest of the workflow at once: %s', (onFailure) => {
    const first = play(plan(onFailure), [claimed, start(0), start(1), ...end(0, failed)]);
    expect(kinds(first.effects)).toContain('cancel 1');
    expect(statuses(first.state)).toEqual(['failed', 'running', 'cancelled', 'waiting']);
    expect(first.state.steps[2]?.reason).toMatchObject({ rule: 'step.cancelled-by-step', values: { step: 'a' } });
    const { state } = play(plan(onFailure), [claimed, start(0), start(1), ...end(0, failed), ...end(1), ...run(3)]);
    expect([state.status, ...statuses(state)]).toEqual(['cancelled', 'failed', 'cancelled', 'cancelled', 'passed']);
  });

  it('is a failure when nothing was left to cancel, and nothing when it passes', () => {
    const one = workflow([step('a', [], { onFailure: 'cancel-workflow' })]);
    expect(play(one, [claimed, ...run(0, failed)]).state.status).toBe('failed');
    expect(play(one, [claimed, ...run(0)]).state.status).toBe('passed');
  });

  it('does not take what is nobody’s verdict for one', () => {
    const lost: Outcome = { kind: 'infrastructure', message: 'registry down' };
    const { state } = play(plan('cancel-workflow'), [claimed, start(0), start(1), ...end(0, lost), ...end(1)]);
    expect(statuses(state).slice(0, 2)).toEqual(['infrastructure', 'passed']);
  });
});

/** Graphs whose edges lead to earlier steps, with every condition that a file can ask for. */
const plans: fc.Arbitrary<WorkflowPlan> = fc
  .record({
    failureSkips: fc.constantFrom('unstarted' as const, 'later' as const),
    rows: fc.array(
      fc.record({
        edges: fc.array(fc.nat(7), { maxLength: 3 }),
        runOn: fc.constantFrom(onSuccess, onSuccess, onSuccess, onFailure, always, afterCancel, {
          ...always,
          ...afterCancel,
        }),
        onFailure: fc.constantFrom(
          ...(['fail', 'fail', 'fail', 'ignore', 'cancel-workflow', 'cancel-pipeline'] as const),
        ),
        filterDice: fc.nat(5),
        background: fc.constantFrom(undefined, undefined, undefined, 'service' as const, 'detached' as const),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ rows, failureSkips }) =>
    workflow(
      rows.map((row, position) =>
        step(`s${position}`, position === 0 ? [] : [...new Set(row.edges.map((edge) => `s${edge % position}`))], {
          runOn: row.runOn,
          ...(row.background ? { background: row.background, onFailure: 'ignore' } : { onFailure: row.onFailure }),
          ...(row.filterDice === 0
            ? {
                skipped: {
                  subject: { kind: 'step', workflow: 'default', step: `s${position}` },
                  rule: 'step.when.event',
                  verdict: 'skipped',
                  values: { pattern: 'tag', value: 'push' },
                },
              }
            : {}),
        }),
      ),
      { failureSkips },
    ),
  );

const outcomes: fc.Arbitrary<Outcome> = fc.constantFrom<Outcome>(
  passed,
  passed,
  passed,
  failed,
  { kind: 'exited', exitCode: 78 },
  { kind: 'killed', signal: 'SIGKILL' },
  { kind: 'oom', limitBytes: 1 },
  { kind: 'cannot-start', message: 'no such image' },
  { kind: 'infrastructure', message: 'registry down' },
);

/** Any occurrence at all, fitting or not. */
const occurrences: fc.Arbitrary<Occurrence> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Occurrence>({ type: 'claimed' }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('started' as const), step: fc.nat(8), atMs: fc.nat(9_999) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('up' as const),
      step: fc.nat(8),
      silence: fc.constantFrom(undefined, undefined, { ports: '5432', limitMs: 60_000 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('output-ended' as const), step: fc.nat(8), atMs: fc.nat(9_999) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('exited' as const),
      step: fc.nat(8),
      outcome: outcomes,
      atMs: fc.nat(9_999),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('timed-out' as const), step: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.constant<Occurrence>({ type: 'cancelled', by: 'mei' }) },
  { weight: 1, arbitrary: fc.constant<Occurrence>({ type: 'cancelled', by: 'mei', isFinal: true }) },
  { weight: 1, arbitrary: fc.constant<Occurrence>({ type: 'lost', runner: 'r1' }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('clock' as const), atMs: fc.nat(99_999) }) },
);

/** Does what the workflow asks for until it finishes, choosing by `dice` what happens next. */
function drive(plan: WorkflowPlan, outcomeOf: readonly Outcome[], dice: readonly number[]) {
  let state = initialWorkflow(plan);
  const possible: Occurrence[] = [claimed];
  const staged = new Set<number>();
  const released = new Set<number>();
  let finishes = 0;
  let steps = 0;
  while (possible.length > 0) {
    const roll = dice[steps % Math.max(dice.length, 1)] ?? 0;
    const [occurrence] = possible.splice(roll % possible.length, 1);
    steps += 1;
    if (occurrence!.type === 'started' && !released.has(occurrence!.step)) continue;
    const next = advance(state, occurrence!);
    state = next.workflow;
    if (occurrence!.type === 'started') {
      staged.delete(occurrence!.step);
      const at = occurrence!.step;
      possible.push(...end(at, outcomeOf[at % outcomeOf.length]));
      if (plan.steps[at]?.background) possible.push({ type: 'up', step: at });
    }
    for (const effect of next.effects) {
      if (effect.type === 'stage') {
        expect(staged.has(effect.step)).toBe(false);
        staged.add(effect.step);
      } else if (effect.type === 'release') {
        expect(staged.has(effect.step)).toBe(true);
        released.add(effect.step);
        possible.push(start(effect.step));
      } else if (effect.type === 'discard') {
        expect(staged.delete(effect.step)).toBe(true);
        released.delete(effect.step);
      } else if (effect.type === 'finish') finishes += 1;
    }
    expect(staged.size).toBeLessThanOrEqual(6);
  }
  return { state, finishes, staged };
}

describe('every order of occurrences', () => {
  it('ends, once, with nothing left staged', () => {
    fc.assert(
      fc.property(
        plans,
        fc.array(outcomes, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(99)),
        (plan, how, dice) => {
          const { state, finishes, staged } = drive(plan, how, dice);
          expect(isFinished(state.status)).toBe(true);
          expect(finishes).toBe(1);
          expect(staged.size).toBe(0);
          // A service that was lost is nobody's verdict, whatever the steps said.
          if (state.status === 'passed') expect(statuses(state)).not.toContain('infrastructure');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('answers a repeated occurrence with the same state and no effect', () => {
    fc.assert(
      fc.property(plans, fc.array(occurrences, { maxLength: 60 }), (plan, list) => {
        let state = initialWorkflow(plan);
        for (const occurrence of [claimed, ...list]) {
          state = advance(state, occurrence).workflow;
          // A workflow that was given back may be claimed, and lost, anew: that is not a repetition.
          const again = advance(state, occurrence);
          expect(again.workflow).toBe(state);
          expect(again.effects).toEqual([]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('answers the same whether the state is its own or a copy that it knows nothing about', () => {
    fc.assert(
      fc.property(plans, fc.array(occurrences, { maxLength: 60 }), (plan, list) => {
        let state = initialWorkflow(plan);
        for (const occurrence of [claimed, ...list]) {
          const next = advance(state, occurrence);
          // What is worked out for one step alone must be what working everything out comes to.
          expect(next).toEqual(advance({ ...state }, occurrence));
          state = next.workflow;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('makes no step ready before those that it needs have ended, or are up beside it', () => {
    fc.assert(
      fc.property(plans, fc.array(occurrences, { maxLength: 60 }), (plan, list) => {
        let state = initialWorkflow(plan);
        for (const occurrence of [claimed, ...list]) {
          const next = advance(state, occurrence).workflow;
          next.steps.forEach((each, position) => {
            if (each.status !== 'ready' || state.steps[position]?.status === 'ready') return;
            for (const name of plan.steps[position]!.dependsOn) {
              const needed = next.steps[plan.steps.findIndex((other) => other.name === name)]!;
              expect(isFinished(needed.status) || needed.isUp || needed.passedOver !== undefined).toBe(true);
            }
          });
          state = next;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('starts nothing after a cancel but what asks for it', () => {
    fc.assert(
      fc.property(plans, fc.array(occurrences, { maxLength: 60 }), fc.nat(60), (plan, list, cancelAt) => {
        let state = initialWorkflow(plan);
        let readyAtCancel = new Set<number>();
        [claimed, ...list].forEach((occurrence, at) => {
          if (at === cancelAt) state = advance(state, { type: 'cancelled', by: 'mei' }).workflow;
          if (state.cancelledBy === undefined)
            readyAtCancel = new Set(state.steps.flatMap(({ status }, each) => (status === 'ready' ? [each] : [])));
          const isCancelled = state.cancelledBy !== undefined;
          const next = advance(state, occurrence);
          if (isCancelled) {
            const mayStart = (position: number): boolean =>
              !state.isCancelFinal && plan.steps[position]?.runOn.cancelled === true;
            for (const effect of next.effects)
              if (effect.type === 'stage' || effect.type === 'release') expect(mayStart(effect.step)).toBe(true);
            next.workflow.steps.forEach((each, position) => {
              if (each.status !== 'running' || state.steps[position]?.status === 'running') return;
              expect(mayStart(position)).toBe(true);
              // Whatever was killed has gone by then, unless its turn had come before.
              if (!readyAtCancel.has(position))
                for (const other of state.steps) if (other.status === 'running') expect(other.isAfterCancel).toBe(true);
            });
          }
          state = next.workflow;
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives a skipped or cancelled step the rule that decided, and never takes an end back', () => {
    fc.assert(
      fc.property(plans, fc.array(occurrences, { maxLength: 60 }), (plan, list) => {
        let state = initialWorkflow(plan);
        for (const occurrence of [claimed, ...list]) {
          const next = advance(state, occurrence).workflow;
          next.steps.forEach((each, position) => {
            if (each.status === 'skipped' || each.status === 'cancelled') expect(each.reason?.rule).toBeTruthy();
            const before = state.steps[position]!.status;
            if (isFinished(before)) expect(each.status).toBe(before);
          });
          for (const position of endedSteps(state, next)) expect(isFinished(next.steps[position]!.status)).toBe(true);
          state = next;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import type { StepPlan, WorkflowPlan } from '../core/plan.ts';
import type { ReuseOffer, ReuseOrigin, ReuseParts } from '../core/step-reuse.ts';
import type { StepResults } from '../drivers/runtime/runtime.ts';
import type { Assignment } from '../engine/runner-protocol.ts';
import { decideReuse, mustRun } from './step-reuse.ts';

const access = { projectId: 1, scope: 'protected', pipeline: 9 };
const claim = { workflowId: 5, attempt: 1, token: 1 };

function step(name: string, change: Partial<StepPlan> = {}): StepPlan {
  return {
    name,
    kind: 'commands',
    image: 'base/node:24',
    pull: 'default',
    commands: [`make ${name}`],
    environment: {},
    secrets: [],
    dependsOn: [],
    runOn: { success: true, failure: false },
    onFailure: 'fail',
    timeoutMs: 60_000,
    line: 1,
    reuse: { inputs: ['src'], outputs: [], usesNetwork: false },
    ...change,
  };
}

function assignmentOf(steps: readonly StepPlan[], offer: Partial<ReuseOffer> = {}): Assignment {
  const plan: WorkflowPlan = {
    name: 'build',
    dependsOn: [],
    runOn: { success: true, failure: false },
    workspace: { base: '/drone/src', path: '' },
    clone: { isDisabled: false, depth: 0 },
    steps,
    earlySuccessExitCodes: [],
  };
  const inputs = Object.fromEntries(steps.map((_, position) => [position, { src: 'tree' }]));
  return {
    plan,
    stepIds: steps.map((_, position) => 100 + position),
    projectSlug: 'a/b',
    pipelineNumber: 9,
    repository: { folder: '/nowhere', remoteUrl: '', commit: 'c', ref: 'refs/heads/main' },
    logLimitBytes: 1_000,
    reuse: { access, inputs, ...offer },
  };
}

/** Results in memory, and how many of them are held. */
class Shelf implements StepResults {
  readonly surroundings = 'here';
  readonly kept = new Map<
    string,
    { readonly origin: ReuseOrigin; readonly parts: ReuseParts; readonly label: string }
  >();
  held = 0;
  digest: () => Promise<string> = () => Promise.resolve('sha256:1');

  digestOf(): Promise<string> {
    return this.digest();
  }

  find(_access: unknown, key: string) {
    const found = this.kept.get(key);
    if (!found) return undefined;
    this.held += 1;
    return { ...found, release: () => void (this.held -= 1) };
  }

  latest(_access: unknown, label: string) {
    return [...this.kept.values()].findLast((one) => one.label === label);
  }

  forget(_access: unknown, key: string): void {
    this.kept.delete(key);
  }
}

const signal = new AbortController().signal;
const decide = (shelf: Shelf | undefined, assignment: Assignment, given = signal) =>
  decideReuse(claim, assignment, { runtime: { name: 'sandbox', results: shelf }, signal: given });

/** Keeps what the steps that ran left, as a runtime does when they pass. */
async function run(shelf: Shelf, assignment: Assignment): Promise<readonly string[]> {
  const decisions = await decide(shelf, assignment);
  const told: string[] = [];
  for (const { report, use } of decisions.steps.values()) {
    told.push(report.result === 'reused' ? `reused #${report.from.pipeline}` : report.miss.kind);
    if (use?.kind === 'keep') shelf.kept.set(use.key, { origin: use.origin, parts: use.parts, label: use.label });
  }
  decisions.release();
  return told;
}

describe('whether steps are reused', () => {
  it('goes by what was kept, and each by those that it waits for', async () => {
    const shelf = new Shelf();
    const steps = [step('a'), step('b', { dependsOn: ['a'] })];
    expect(await run(shelf, assignmentOf(steps))).toEqual(['first', 'first']);
    expect(await run(shelf, assignmentOf(steps))).toEqual(['reused #9', 'reused #9']);
    const changed = { inputs: { 0: { src: 'other' }, 1: { src: 'tree' } } };
    const decisions = await decide(shelf, assignmentOf(steps, changed));
    expect([...decisions.steps.values()].map(({ report }) => report)).toEqual([
      { result: 'missed', miss: { kind: 'changed', part: 'input src', pipeline: 9 } },
      { result: 'missed', miss: { kind: 'changed', part: 'step a', pipeline: 9 } },
    ]);
  });

  it('leaves nothing to make only where every step that works is reused', async () => {
    const shelf = new Shelf();
    const clone = step('clone', { kind: 'clone', image: '', commands: [] });
    delete (clone as { reuse?: unknown }).reuse;
    const own = [clone, step('a', { dependsOn: ['clone'] })];
    await run(shelf, assignmentOf(own));
    const whole = await decide(shelf, assignmentOf(own));
    expect([whole.isWhole, shelf.held, mustRun(assignmentOf(own).plan)]).toEqual([true, 1, false]);
    whole.release();
    expect(shelf.held).toBe(0);
    const other = step('other', { dependsOn: ['clone'] });
    delete (other as { reuse?: unknown }).reuse;
    const mixed = assignmentOf([...own, other]);
    expect([(await decide(shelf, mixed)).isWhole, mustRun(mixed.plan)]).toEqual([false, true]);
    expect((await decide(shelf, assignmentOf([...own, step('b')]))).isWhole).toBe(false);
  });

  it('is no question for a workflow that is run again: its steps run, and what was kept is forgotten at once', async () => {
    const shelf = new Shelf();
    await run(shelf, assignmentOf([step('a')]));
    const again = await decide(shelf, assignmentOf([step('a')], { isRerun: true }));
    expect([...again.steps.values()]).toMatchObject([
      { report: { miss: { kind: 'rerun' } }, use: { kind: 'keep', origin: { stepId: 100, workflowId: 5 } } },
    ]);
    expect(shelf.kept.size).toBe(0);
  });

  it('is no where artifacts of the earlier step are gone', async () => {
    const shelf = new Shelf();
    await run(shelf, assignmentOf([step('a')]));
    expect(await run(shelf, assignmentOf([step('a')], { holders: { 0: ['5/1'] } }))).toEqual(['reused #9']);
    expect(await run(shelf, assignmentOf([step('a')], { holders: { 0: ['5/2'] } }))).toEqual(['gone']);
  });

  it('is no where nobody can tell: no results here, an image that is not found, or a registry that is silent', async () => {
    const none = await decide(undefined, assignmentOf([step('a')]));
    expect([...none.steps.values()]).toEqual([
      { report: { result: 'missed', miss: { kind: 'runtime', runtime: 'sandbox' } } },
    ]);
    const shelf = new Shelf();
    shelf.digest = () => Promise.reject(new Error('no such image'));
    const unknown = [{ report: { result: 'missed', miss: { kind: 'image', image: 'base/node:24' } } }];
    expect([...(await decide(shelf, assignmentOf([step('a')]))).steps.values()]).toEqual(unknown);
    shelf.digest = () => new Promise(() => {});
    const patience = new AbortController();
    const deciding = decide(shelf, assignmentOf([step('a')]), patience.signal);
    patience.abort();
    expect([...(await deciding).steps.values()]).toEqual(unknown);
  });
});

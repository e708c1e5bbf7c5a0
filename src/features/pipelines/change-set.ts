import { isWanted } from '../../core/artifact.ts';
import type { CacheReport } from '../../core/cache.ts';
import type { Happening } from '../../core/events.ts';
import {
  isFinished,
  type PipelineStatus,
  type StepChange,
  type WorkflowChange,
  type WorkflowClaim,
  type WorkflowStatus,
} from '../../core/pipeline.ts';
import { type ReuseOrigin, type ReuseReport, reuseLabel } from '../../core/step-reuse.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { WorkflowState } from '../../engine/advance-state.ts';
import { chooseRetries } from '../../engine/choose-retries.ts';
import { hasNoWork, judgeWorkflow } from '../../engine/judge-workflow.ts';
import { pipelineStatusOf, workflowStatusOf } from '../../engine/level-status.ts';
import { republishArtifacts } from './artifacts/republish-artifacts.ts';
import {
  isCancelledWhole,
  type OpenPipeline,
  type OpenStep,
  type OpenWorkflow,
  slotsTaken,
  takesSlot,
} from './open-pipelines.ts';
import { reuseEntry } from './reuse-entry.ts';

type PipelineChange = { status: PipelineStatus; startedAt?: Date; finishedAt?: Date };

const none: readonly never[] = [];

/** What made a workflow end as infrastructure is given this time to be over. */
export const retryDelayMs = 5_000;

/** A step of the way at which a test may make the program die: `start` = `start.beforeCommit`, `start.afterCommit`. */
export type Landmark = 'claim' | 'start' | 'outcome' | 'workflow.end' | 'pipeline.end';

/**
 * Changes of one decision. Each is made on the open pipeline at once and gathered for the record, so that the next
 * decision sees it and one commit carries it with its happenings and its trace.
 */
export class ChangeSet {
  readonly at: Date;
  #landmarks: readonly Landmark[] = none;
  #pipelines: readonly OpenPipeline[] = none;
  #queued: readonly OpenWorkflow[] = none;
  /** The workflows concerned, under the tokens that the record has for them. */
  #claims: readonly WorkflowClaim[] = none;
  #steps: readonly StepChange[] = none;
  #workflows: readonly WorkflowChange[] = none;
  #pipelineRows: readonly (PipelineChange & { readonly id: number })[] = none;
  #traces: readonly { readonly pipelineId: number; readonly entry: TraceEntry }[] = none;
  #happenings: readonly Happening[] = none;
  /** Pipelines that are to be run again by themselves. */
  #retries: readonly number[] = none;
  #reused: readonly { readonly workflow: OpenWorkflow; readonly step: OpenStep; readonly from: ReuseOrigin }[] = none;
  #caches: readonly { readonly projectId: number; readonly key: string; readonly isHit: boolean }[] = none;

  constructor(at: Date) {
    this.at = at;
  }

  get landmarks(): readonly Landmark[] {
    return this.#landmarks;
  }

  get pipelines(): readonly OpenPipeline[] {
    return this.#pipelines;
  }

  /** Workflows that may be claimed now. */
  get queued(): readonly OpenWorkflow[] {
    return this.#queued;
  }

  get isEmpty(): boolean {
    return this.#steps.length + this.#workflows.length + this.#pipelineRows.length + this.#traces.length === 0;
  }

  /** Passes a place at which a test may stop the program. */
  pass(landmark: Landmark): void {
    this.#landmarks = withOneMore(this.#landmarks, landmark);
  }

  /** Lets the workflow be claimed. */
  queue(workflow: OpenWorkflow): void {
    this.#queued = withOneMore(this.#queued, workflow);
  }

  setStep(workflow: OpenWorkflow, step: OpenStep, change: Omit<StepChange, 'id'>): void {
    const { pipeline } = workflow;
    this.#touch(pipeline);
    this.#claim(workflow);
    const isNews = change.status !== step.status && change.status !== 'starting';
    const [wereActive, wereTaken] = [workflow.activeSteps, slotsTaken(workflow)];
    workflow.activeSteps += Number(takesSlot(step, change.status)) - Number(takesSlot(step, step.status));
    workflow.openSteps += Number(isFinished(step.status)) - Number(isFinished(change.status));
    Object.assign(step, change);
    workflow.holder?.recount(workflow.activeSteps - wereActive, slotsTaken(workflow) - wereTaken);
    this.#steps = withOneMore(this.#steps, { ...change, id: step.id });
    // `starting` lasts milliseconds: viewers hear of the start itself.
    if (isNews)
      this.#happenings = withOneMore(this.#happenings, {
        type: 'step-changed',
        projectId: pipeline.row.projectId,
        pipelineId: pipeline.row.id,
        number: pipeline.row.number,
        workflow: workflow.name,
        stepId: step.id,
        step: step.name,
        status: change.status,
      });
  }

  /** Brings the steps to where the state machine has them. */
  apply(workflow: OpenWorkflow, state: WorkflowState): void {
    workflow.steps.forEach((step, position) => {
      const next = state.steps[position]!;
      if (next.status === step.status) return;
      this.setStep(workflow, step, {
        status: next.status,
        ...(next.outcome ? { outcome: next.outcome } : {}),
        ...(next.reason ? { reason: next.reason } : {}),
        ...(isFinished(next.status) ? { finishedAt: this.at } : {}),
      });
    });
  }

  setWorkflow(workflow: OpenWorkflow, change: Omit<WorkflowChange, 'id' | 'attempt'>): void {
    const { pipeline } = workflow;
    this.#touch(pipeline);
    this.#claim(workflow);
    const isNews = change.status !== undefined && change.status !== workflow.status;
    const wereTaken = slotsTaken(workflow);
    for (const [key, value] of Object.entries(change)) Object.assign(workflow, { [key]: value ?? undefined });
    workflow.holder?.recount(0, slotsTaken(workflow) - wereTaken);
    this.#workflows = withOneMore(this.#workflows, { ...change, id: workflow.id });
    if (!isNews) return;
    if (isFinished(workflow.status)) this.pass('workflow.end');
    this.#happenings = withOneMore(this.#happenings, {
      type: 'workflow-changed',
      projectId: pipeline.row.projectId,
      pipelineId: pipeline.row.id,
      number: pipeline.row.number,
      workflowId: workflow.id,
      workflow: workflow.name,
      status: workflow.status,
      attempt: workflow.attempt,
    });
  }

  trace(
    workflow: OpenWorkflow,
    rule: TraceEntry['rule'],
    verdict: TraceEntry['verdict'],
    values: TraceEntry['values'],
  ): void {
    this.#touch(workflow.pipeline);
    this.#traces = withOneMore(this.#traces, {
      pipelineId: workflow.pipeline.row.id,
      entry: { subject: { kind: 'workflow', workflow: workflow.name }, rule, verdict, values },
    });
  }

  /** Counts what became of a step's cache, and says why it was missed. */
  noteCache(workflow: OpenWorkflow, step: OpenStep, report: CacheReport): void {
    const { pipeline } = workflow;
    const { key, from, nearest, otherImage, savedBy } = report;
    this.#touch(pipeline);
    this.#caches = withOneMore(this.#caches, {
      projectId: pipeline.row.projectId,
      key,
      isHit: report.result === 'hit',
    });
    const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
    const missed: Pick<TraceEntry, 'rule' | 'values'> =
      otherImage !== undefined
        ? { rule: 'cache.missed-image', values: { key, number: otherImage } }
        : nearest === undefined
          ? { rule: 'cache.missed', values: { key } }
          : { rule: 'cache.missed-nearest', values: { key, nearest } };
    const told: Pick<TraceEntry, 'rule' | 'values'> =
      from === undefined ? missed : { rule: 'cache.restored', values: { key, from, number: savedBy ?? 0 } };
    this.#traces = withOneMore(this.#traces, {
      pipelineId: pipeline.row.id,
      entry: { subject, verdict: 'noted', ...told },
    });
  }

  /**
   * Records that a step was reused, or why it ran, and counts it. What the step left when it ran is published again with the
   * same commit.
   */
  noteReuse(workflow: OpenWorkflow, step: OpenStep, report: ReuseReport): void {
    const { pipeline } = workflow;
    this.#touch(pipeline);
    if (report.result === 'reused') this.#reused = withOneMore(this.#reused, { workflow, step, from: report.from });
    this.#caches = withOneMore(this.#caches, {
      projectId: pipeline.row.projectId,
      key: reuseLabel(workflow.name, step.name),
      isHit: report.result === 'reused',
    });
    const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
    this.#traces = withOneMore(this.#traces, { pipelineId: pipeline.row.id, entry: reuseEntry(subject, report) });
  }

  /** Draws the consequences of changed steps: for their workflow, its dependants, and the pipeline. */
  settle(workflow: OpenWorkflow): void {
    // It runs for as long as one of its steps has not ended.
    if (workflow.status === 'running' && workflow.openSteps > 0) return;
    const held = workflow.status === 'blocked' || workflow.status === 'queued' ? workflow.status : 'claimed';
    const status = workflowStatusOf(workflow.steps, held, { isCancelled: isCancelledWhole(workflow) });
    if (status === workflow.status) return;
    this.#moveTo(workflow, status);
    this.settlePipeline(workflow.pipeline);
  }

  /** Ends a workflow that nobody holds without a verdict: none of its steps runs. */
  skip(workflow: OpenWorkflow, rule: TraceEntry['rule'], values: TraceEntry['values']): void {
    this.trace(workflow, rule, 'skipped', values);
    this.#skipOpenSteps(workflow, rule, values);
    this.#moveTo(workflow, 'skipped');
    this.settlePipeline(workflow.pipeline);
  }

  /** Frees the workflows whose dependencies have ended, and says where the pipeline stands. */
  settlePipeline(pipeline: OpenPipeline): void {
    this.#touch(pipeline);
    for (let isAgain = true; isAgain; ) {
      isAgain = false;
      if (!pipeline.isHeld) for (const workflow of pipeline.workflows) if (this.#judge(workflow)) isAgain = true;
    }
    const status = pipelineStatusOf(pipeline.workflows);
    // A workflow that waits in the queue again does not take the pipeline's start back.
    if (status === pipeline.status || (status === 'queued' && pipeline.status === 'running')) return;
    pipeline.status = status;
    const hasBegun = status !== 'blocked' && status !== 'queued';
    const startedAt = hasBegun && !pipeline.startedAt ? this.at : undefined;
    if (startedAt) pipeline.startedAt = startedAt;
    this.#pipelineRows = withOneMore(this.#pipelineRows, {
      id: pipeline.row.id,
      status,
      ...(startedAt ? { startedAt } : {}),
      ...(isFinished(status) ? { finishedAt: this.at } : {}),
    });
    if (isFinished(status)) this.pass('pipeline.end');
    // With the very end that it follows from: nothing is forgotten that comes after it.
    if (status === 'infrastructure' && chooseRetries(pipeline.workflows).length > 0)
      this.#retries = withOneMore(this.#retries, pipeline.row.id);
    this.#happenings = withOneMore(this.#happenings, {
      type: 'pipeline-changed',
      projectId: pipeline.row.projectId,
      pipelineId: pipeline.row.id,
      number: pipeline.row.number,
      status,
    });
  }

  #touch(pipeline: OpenPipeline): void {
    if (!this.#pipelines.includes(pipeline)) this.#pipelines = withOneMore(this.#pipelines, pipeline);
  }

  /** Before the change: its own may be to the token. */
  #claim({ id, attempt, token }: OpenWorkflow): void {
    for (const { workflowId } of this.#claims) if (workflowId === id) return;
    this.#claims = withOneMore(this.#claims, { workflowId: id, attempt, token });
  }

  /** Whether the workflow moved. */
  #judge(workflow: OpenWorkflow): boolean {
    if (workflow.status === 'queued' && hasNothingToDo(workflow)) {
      this.#skipOpenSteps(workflow, 'workflow.nothing-to-do', {});
      this.#moveTo(workflow, 'passed');
      return true;
    }
    if (workflow.status !== 'blocked') return false;
    const verdict = judgeWorkflow(workflow.plan, workflow.pipeline.workflows);
    if (verdict.kind === 'waits') return false;
    if (verdict.kind === 'runs') {
      this.#moveTo(workflow, 'queued');
      return true;
    }
    const { rule, values } = verdict;
    this.trace(workflow, rule, 'skipped', values);
    this.#skipOpenSteps(workflow, rule, values);
    this.#moveTo(workflow, 'skipped');
    return true;
  }

  #skipOpenSteps(workflow: OpenWorkflow, rule: TraceEntry['rule'], values: TraceEntry['values']): void {
    for (const step of workflow.steps) {
      if (isFinished(step.status)) continue;
      const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
      this.setStep(workflow, step, {
        status: 'skipped',
        reason: { subject, rule, verdict: 'skipped', values },
        finishedAt: this.at,
      });
    }
  }

  #moveTo(workflow: OpenWorkflow, status: WorkflowStatus): void {
    if (status === workflow.status) return;
    const isBegun = status === 'running' || isFinished(status);
    this.setWorkflow(workflow, {
      status,
      ...(isBegun && !workflow.startedAt && status !== 'skipped' ? { startedAt: this.at } : {}),
      ...(isFinished(status) ? { finishedAt: this.at } : {}),
      ...(status === 'queued' ? { queuedAt: workflow.queuedAt ?? this.at } : {}),
    });
    if (status === 'queued') this.queue(workflow);
  }

  /**
   * Writes what was gathered; happenings are published after the commit. Throws `FencedError`, and is to be undone, when
   * the record has another token for a workflow than the one that was decided under.
   */
  static async write(stores: Stores, sets: readonly ChangeSet[]): Promise<void> {
    const steps = new Map<number, StepChange>();
    const workflows = new Map<number, WorkflowChange>();
    const pipelines = new Map<number, PipelineChange & { readonly id: number }>();
    const traces = new Map<number, TraceEntry[]>();
    const happenings: Happening[] = [];
    await refuseFenced(
      stores,
      sets.flatMap((set) => set.#claims),
    );
    // What changed several times within one commit is written once, as it now stands.
    for (const set of sets) {
      for (const change of set.#steps) fold(steps, change);
      for (const change of set.#workflows) fold(workflows, change);
      for (const change of set.#pipelineRows) fold(pipelines, change);
      for (const { pipelineId, entry } of set.#traces) {
        const list = traces.get(pipelineId);
        if (list) list.push(entry);
        else traces.set(pipelineId, [entry]);
      }
      for (const happening of set.#happenings) happenings.push(happening);
    }
    if (steps.size > 0) await stores.pipelines.updateSteps([...steps.values()]);
    for (const change of workflows.values()) await stores.pipelines.updateWorkflow(change);
    for (const { id, ...change } of pipelines.values()) await stores.pipelines.setStatus(id, change);
    const at = sets.at(-1)?.at;
    if (!at) return;
    for (const set of sets)
      for (const id of set.#retries)
        await stores.pipelines.scheduleRetry(id, new Date(set.at.getTime() + retryDelayMs));
    for (const set of sets) for (const reused of set.#reused) await republish(stores, reused, traces, set.at);
    for (const [id, entries] of traces) await stores.pipelines.addTrace(id, entries, at);
    for (const set of sets)
      for (const { projectId, key, isHit } of set.#caches) await stores.cacheUses.note(projectId, key, isHit, set.at);
    if (happenings.length > 0) await stores.happenings.append(withoutOvertaken(happenings), at);
  }
}

/** Gives a reused step the artifacts that it left when it ran. */
async function republish(
  stores: Stores,
  { workflow, step, from }: { readonly workflow: OpenWorkflow; readonly step: OpenStep; readonly from: ReuseOrigin },
  traces: Map<number, TraceEntry[]>,
  at: Date,
): Promise<void> {
  const { id: workflowId, attempt, pipeline } = workflow;
  const left = (workflow.plan.steps[step.position]?.artifacts ?? []).filter((artifact) => isWanted(artifact, true));
  if (left.length === 0) return;
  const { id: pipelineId, projectId } = pipeline.row;
  const to = { projectId, pipelineId, workflowId, attempt, step: step.name, artifacts: left };
  const missing = await republishArtifacts(stores, from, to, at);
  if (missing.length === 0) return;
  const subject = { kind: 'step', workflow: workflow.name, step: step.name } as const;
  const values = { artifacts: missing.join(', ') };
  const entry: TraceEntry = { subject, rule: 'reuse.artifacts-gone', verdict: 'failed', values };
  traces.set(pipelineId, [...(traces.get(pipelineId) ?? []), entry]);
}

/** Concerns workflows that somebody else has taken: nothing that was decided about them here holds. */
export class FencedError extends Error {
  readonly workflowIds: ReadonlySet<number>;

  constructor(workflowIds: readonly number[]) {
    super(
      `Cannot record what was decided about workflows ${workflowIds.join(', ')}: their tokens are not the recorded ones`,
    );
    this.workflowIds = new Set(workflowIds);
  }
}

/** Sets are in the order of their decisions: the first one about a workflow knows the token that the record has. */
async function refuseFenced(stores: Stores, claims: Iterable<WorkflowClaim>): Promise<void> {
  const first = new Map<number, WorkflowClaim>();
  for (const claim of claims) if (!first.has(claim.workflowId)) first.set(claim.workflowId, claim);
  if (first.size === 0) return;
  const stale = await stores.pipelines.staleClaims([...first.values()]);
  if (stale.length > 0) throw new FencedError(stale);
}

function fold<Change extends { readonly id: number }>(changes: Map<number, Change>, change: Change): void {
  const before = changes.get(change.id);
  changes.set(change.id, before ? { ...before, ...change } : change);
}

/** What became of a step within one commit is one piece of news: where it stands now. */
function withoutOvertaken(happenings: readonly Happening[]): readonly Happening[] {
  if (happenings.length < 2) return happenings;
  const last = new Map<number, Happening>();
  for (const happening of happenings) if (happening.type === 'step-changed') last.set(happening.stepId, happening);
  return happenings.filter(
    (happening) => happening.type !== 'step-changed' || last.get(happening.stepId) === happening,
  );
}

/**
 * The list with one more. Nearly all lists of a change set hold one entry or none, and there is a set for each message of
 * a runner: a list that is made with its entry has room for just that, an empty one that grows for sixteen.
 */
function withOneMore<T>(list: readonly T[], item: T): readonly T[] {
  if (list.length === 0) return [item];
  // Ours alone: nobody adds to the shared empty one.
  (list as T[]).push(item);
  return list;
}

/** A workflow that was run before is not looked at again: its checkout has ended. */
function hasNothingToDo({ plan, steps }: OpenWorkflow): boolean {
  return hasNoWork(plan) && !steps.some(({ startedAt }) => startedAt);
}

import type { Happening } from '../../core/events.ts';
import {
  isFinished,
  type PipelineStatus,
  type StepChange,
  type WorkflowChange,
  type WorkflowStatus,
} from '../../core/pipeline.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { WorkflowState } from '../../engine/advance-state.ts';
import { pipelineStatusOf, workflowStatusOf } from '../../engine/level-status.ts';
import { isActive, type OpenPipeline, type OpenStep, type OpenWorkflow } from './open-pipelines.ts';

type PipelineChange = { status: PipelineStatus; startedAt?: Date; finishedAt?: Date };

/** A step of the way at which a test may make the program die: `start` = `start.beforeCommit`, `start.afterCommit`. */
export type Landmark = 'claim' | 'start' | 'outcome' | 'workflow.end' | 'pipeline.end';

/**
 * Changes of one decision. Each is made on the open pipeline at once and gathered for the record, so that the next
 * decision sees it and one commit carries it with its happenings and its trace.
 */
export class ChangeSet {
  readonly at: Date;
  readonly landmarks = new Set<Landmark>();
  readonly pipelines = new Set<OpenPipeline>();
  /** Workflows that may be claimed now. */
  readonly queued: OpenWorkflow[] = [];
  readonly #steps = new Map<number, StepChange>();
  readonly #workflows = new Map<number, WorkflowChange>();
  readonly #pipelineRows = new Map<number, PipelineChange>();
  readonly #traces: { readonly pipelineId: number; readonly entry: TraceEntry }[] = [];
  readonly #happenings: Happening[] = [];

  constructor(at: Date) {
    this.at = at;
  }

  get isEmpty(): boolean {
    return this.#steps.size + this.#workflows.size + this.#pipelineRows.size + this.#traces.length === 0;
  }

  setStep(workflow: OpenWorkflow, step: OpenStep, change: Omit<StepChange, 'id'>): void {
    const { pipeline } = workflow;
    this.pipelines.add(pipeline);
    const isNews = change.status !== step.status && change.status !== 'starting';
    workflow.activeSteps += Number(isActive(change.status)) - Number(isActive(step.status));
    Object.assign(step, change);
    this.#steps.set(step.id, { ...this.#steps.get(step.id), ...change, id: step.id });
    // `starting` lasts milliseconds: viewers hear of the start itself.
    if (isNews)
      this.#happenings.push({
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
    this.pipelines.add(pipeline);
    const isNews = change.status !== undefined && change.status !== workflow.status;
    for (const [key, value] of Object.entries(change)) Object.assign(workflow, { [key]: value ?? undefined });
    this.#workflows.set(workflow.id, { ...this.#workflows.get(workflow.id), ...change, id: workflow.id });
    if (!isNews) return;
    if (isFinished(workflow.status)) this.landmarks.add('workflow.end');
    this.#happenings.push({
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
    this.pipelines.add(workflow.pipeline);
    this.#traces.push({
      pipelineId: workflow.pipeline.row.id,
      entry: { subject: { kind: 'workflow', workflow: workflow.name }, rule, verdict, values },
    });
  }

  /** Draws the consequences of changed steps: for their workflow, its dependants, and the pipeline. */
  settle(workflow: OpenWorkflow): void {
    const held = workflow.status === 'blocked' || workflow.status === 'queued' ? workflow.status : 'claimed';
    const status = workflowStatusOf(workflow.steps, held);
    if (status === workflow.status) return;
    this.#moveTo(workflow, status);
    this.settlePipeline(workflow.pipeline);
  }

  /** Frees the workflows whose dependencies have ended, and says where the pipeline stands. */
  settlePipeline(pipeline: OpenPipeline): void {
    this.pipelines.add(pipeline);
    for (let isAgain = true; isAgain; ) {
      isAgain = false;
      for (const workflow of pipeline.workflows) if (this.#judge(workflow)) isAgain = true;
    }
    const status = pipelineStatusOf(pipeline.workflows);
    // A workflow that waits in the queue again does not take the pipeline's start back.
    if (status === pipeline.status || (status === 'queued' && pipeline.status === 'running')) return;
    pipeline.status = status;
    const hasBegun = status !== 'blocked' && status !== 'queued';
    const startedAt = hasBegun && !pipeline.startedAt ? this.at : undefined;
    if (startedAt) pipeline.startedAt = startedAt;
    this.#pipelineRows.set(pipeline.row.id, {
      ...this.#pipelineRows.get(pipeline.row.id),
      status,
      ...(startedAt ? { startedAt } : {}),
      ...(isFinished(status) ? { finishedAt: this.at } : {}),
    });
    if (isFinished(status)) this.landmarks.add('pipeline.end');
    this.#happenings.push({
      type: 'pipeline-changed',
      projectId: pipeline.row.projectId,
      pipelineId: pipeline.row.id,
      number: pipeline.row.number,
      status,
    });
  }

  /** Whether the workflow moved. */
  #judge(workflow: OpenWorkflow): boolean {
    if (workflow.status === 'queued' && hasNothingToDo(workflow)) {
      this.#skipOpenSteps(workflow, 'workflow.nothing-to-do', {});
      this.#moveTo(workflow, 'passed');
      return true;
    }
    if (workflow.status !== 'blocked' || workflow.plan.blocked !== undefined) return false;
    const { workflows } = workflow.pipeline;
    if (workflows.some((other) => workflow.plan.dependsOn.includes(other.name) && !isFinished(other.status)))
      return false;

    // Drone 1.x looks at every workflow that has ended by now, not at the dependencies alone (pipelines.md 10.6).
    const culprit = workflows.find(({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped');
    const { runOn } = workflow.plan;
    if (culprit ? runOn.failure : runOn.success) {
      this.#moveTo(workflow, 'queued');
      return true;
    }
    const rule = culprit ? 'workflow.dependency-failed' : 'trigger.status';
    const values: TraceEntry['values'] = culprit
      ? { workflow: culprit.name, status: culprit.status }
      : { value: 'success' };
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
    if (status === 'queued') this.queued.push(workflow);
  }

  /** Writes what was gathered; happenings are published after the commit. */
  static async write(stores: Stores, sets: readonly ChangeSet[]): Promise<void> {
    const steps = new Map<number, StepChange>();
    const workflows = new Map<number, WorkflowChange>();
    const pipelines = new Map<number, PipelineChange>();
    const traces = new Map<number, TraceEntry[]>();
    for (const set of sets) {
      for (const [id, change] of set.#steps) steps.set(id, { ...steps.get(id), ...change });
      for (const [id, change] of set.#workflows) workflows.set(id, { ...workflows.get(id), ...change });
      for (const [id, change] of set.#pipelineRows) pipelines.set(id, { ...pipelines.get(id), ...change });
      for (const { pipelineId, entry } of set.#traces) {
        const list = traces.get(pipelineId);
        if (list) list.push(entry);
        else traces.set(pipelineId, [entry]);
      }
    }
    if (steps.size > 0) await stores.pipelines.updateSteps([...steps.values()]);
    for (const change of workflows.values()) await stores.pipelines.updateWorkflow(change);
    for (const [id, change] of pipelines) await stores.pipelines.setStatus(id, change);
    const at = sets.at(-1)?.at;
    if (!at) return;
    for (const [id, entries] of traces) await stores.pipelines.addTrace(id, entries, at);
    const happenings = withoutOvertaken(sets.flatMap((set) => set.#happenings));
    if (happenings.length > 0) await stores.happenings.append(happenings, at);
  }
}

/** What became of a step within one commit is one piece of news: where it stands now. */
function withoutOvertaken(happenings: readonly Happening[]): readonly Happening[] {
  const last = new Map<number, Happening>();
  for (const happening of happenings) if (happening.type === 'step-changed') last.set(happening.stepId, happening);
  return happenings.filter(
    (happening) => happening.type !== 'step-changed' || last.get(happening.stepId) === happening,
  );
}

/** Every step was filtered out by its condition: a checkout alone is no work. */
function hasNothingToDo({ plan, steps }: OpenWorkflow): boolean {
  return (
    plan.steps.every(({ kind, skipped }) => kind === 'clone' || skipped) && !steps.some(({ startedAt }) => startedAt)
  );
}

/** How many slots a workflow takes on its runner: one for being there, or one for each step that runs. */
export function slotsTaken(workflow: OpenWorkflow): number {
  return isFinished(workflow.status) ? 0 : Math.max(1, workflow.activeSteps);
}

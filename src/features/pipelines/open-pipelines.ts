import { isHeld, mayHaveSecrets } from '../../core/approval.ts';
import { GantryError } from '../../core/errors.ts';
import {
  type CancelCause,
  type FailureExcerpt,
  isFinished,
  type Outcome,
  type Pipeline,
  type PipelineStatus,
  type Step,
  type StepStatus,
  type Workflow,
  type WorkflowStatus,
} from '../../core/pipeline.ts';
import type { WorkflowPlan } from '../../core/plan.ts';
import { projectSlug } from '../../core/project.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { advance, type Occurrence } from '../../engine/advance.ts';
import { restoreWorkflow, type WorkflowState } from '../../engine/advance-state.ts';
import { runsAfterCancel } from '../../engine/cancel-reason.ts';

/**
 * Pipelines that have not finished, as this process knows them: what the record says plus what is on its way into it.
 * Decisions are made on these objects without waiting for the disk; whatever leaves the process waits for the commit.
 */
export interface OpenPipeline {
  /** The row as it was created: what does not change. */
  readonly row: Pipeline;
  readonly slug: string;
  readonly workflows: readonly OpenWorkflow[];
  status: PipelineStatus;
  startedAt: Date | undefined;
  /** Nobody has let it run: none of its workflows leaves `blocked`. */
  isHeld: boolean;
  /** Whether its steps get what secrets' limits allow. */
  mayHaveSecrets: boolean;
}

export interface OpenWorkflow {
  readonly id: number;
  readonly pipeline: OpenPipeline;
  readonly name: string;
  readonly plan: WorkflowPlan;
  readonly attempt: number;
  /** How often it was run again by itself since a person ran it last. */
  readonly retries: number;
  readonly steps: readonly OpenStep[];
  status: WorkflowStatus;
  token: number;
  runnerId: string | undefined;
  cancelledBy: string | undefined;
  cancelCause: CancelCause | undefined;
  isCancelFinal: boolean;
  queuedAt: Date | undefined;
  startedAt: Date | undefined;
  /** How many of its steps take a slot, and how many have not finished: counted where steps change, since it is asked at every turn. */
  activeSteps: number;
  openSteps: number;
  /** Whoever holds it, and counts its slots. */
  holder: SlotHolder | undefined;
  /** Whether its runner was told of it, as far as this process knows. */
  isAssigned: boolean;
  /** Its runner is gone, and its end is on its way into the record. */
  isBeingLost: boolean;
}

/** Told when a workflow that it holds takes other slots than before. */
export interface SlotHolder {
  recount(activeSteps: number, takenSlots: number): void;
  letGo(workflow: OpenWorkflow): void;
}

export interface OpenStep {
  readonly id: number;
  readonly position: number;
  readonly name: string;
  readonly isIgnored: boolean;
  /** A service or a detached step: it runs beside the others. */
  readonly isBackground: boolean;
  status: StepStatus;
  outcome: Outcome | undefined;
  reason: TraceEntry | undefined;
  failure: FailureExcerpt | undefined;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
}

/**
 * Whether a step takes a slot in this status: its start is recorded and its end is not. What runs beside the others takes
 * none: they could wait for ever for the one that it has.
 */
export function takesSlot({ isBackground }: Pick<OpenStep, 'isBackground'>, status: StepStatus): boolean {
  return !isBackground && (status === 'starting' || status === 'running');
}

/** How many slots a workflow takes on its runner: one for being there, or one for each step that runs. */
export function slotsTaken(workflow: OpenWorkflow): number {
  return isFinished(workflow.status) ? 0 : Math.max(1, workflow.activeSteps);
}

/** The step of this workflow with this id. */
export function findStep({ steps }: OpenWorkflow, id: number): OpenStep | undefined {
  // Ids were given in one go, so that they tell the position; if not, the long way.
  const near = steps[id - (steps[0]?.id ?? 0)];
  return near?.id === id ? near : steps.find((step) => step.id === id);
}

export function openPipeline(
  pipeline: Pipeline,
  slug: string,
  rows: readonly { readonly workflow: Workflow; readonly steps: readonly Step[] }[],
): OpenPipeline {
  const workflows: OpenWorkflow[] = [];
  const open: OpenPipeline = {
    row: pipeline,
    slug,
    workflows,
    status: pipeline.status,
    startedAt: pipeline.startedAt,
    isHeld: isHeld(pipeline.approval),
    mayHaveSecrets: mayHaveSecrets(pipeline),
  };
  for (const { workflow, steps } of rows) {
    const openSteps = steps.map((step) => openStep(workflow.plan, step));
    workflows.push({
      id: workflow.id,
      pipeline: open,
      name: workflow.name,
      plan: workflow.plan,
      attempt: workflow.attempt,
      status: workflow.status,
      token: workflow.token,
      runnerId: workflow.runnerId,
      cancelledBy: workflow.cancelledBy,
      cancelCause: workflow.cancelCause,
      isCancelFinal: workflow.isCancelFinal ?? false,
      retries: workflow.retries ?? 0,
      queuedAt: workflow.queuedAt,
      startedAt: workflow.startedAt,
      isAssigned: workflow.runnerId !== undefined && (workflow.status === 'claimed' || workflow.status === 'running'),
      isBeingLost: false,
      activeSteps: openSteps.filter((step) => takesSlot(step, step.status)).length,
      openSteps: steps.filter(({ status }) => !isFinished(status)).length,
      holder: undefined,
      steps: openSteps,
    });
  }
  return open;
}

function openStep(plan: WorkflowPlan, step: Step): OpenStep {
  const planned = plan.steps[step.position];
  return {
    id: step.id,
    position: step.position,
    name: step.name,
    isIgnored: planned?.onFailure === 'ignore',
    isBackground: planned?.background !== undefined,
    status: step.status,
    outcome: step.outcome,
    reason: step.reason,
    failure: step.failure,
    startedAt: step.startedAt,
    finishedAt: step.finishedAt,
  };
}

/** The workflow as the state machine sees it. */
export function stateOf(workflow: OpenWorkflow): WorkflowState {
  return restoreWorkflow(workflow.plan, {
    isClaimed: workflow.status === 'claimed' || workflow.status === 'running',
    cancelledBy: workflow.cancelledBy,
    cancelCause: workflow.cancelCause,
    isCancelFinal: workflow.isCancelFinal,
    steps: workflow.steps,
  });
}

/** Whether it is cancelled as a whole, whatever its steps say that run all the same; a failing step's cancel is a verdict. */
export function isCancelledWhole({ cancelledBy, cancelCause }: OpenWorkflow): boolean {
  return cancelledBy !== undefined && cancelCause?.kind !== 'step-failed';
}

/** Whether a step of the workflow may start now that, or although, it was cancelled. */
export function mayStart(workflow: OpenWorkflow, step: OpenStep): boolean {
  if (workflow.cancelledBy === undefined) return true;
  return !workflow.isCancelFinal && runsAfterCancel(workflow.plan.steps[step.position]!);
}

/** What the workflow becomes when something happens to it that no runner can judge. Changes nothing. */
export function advanceOpen(workflow: OpenWorkflow, occurrence: Occurrence): WorkflowState {
  return advance(stateOf(workflow), occurrence).workflow;
}

/** Reads a pipeline with the present attempts of its workflows. Throws PIPELINE_NOT_FOUND. */
export async function loadPipeline(stores: Stores, id: number): Promise<OpenPipeline> {
  const pipeline = await stores.pipelines.find(id);
  if (!pipeline) throw new GantryError('PIPELINE_NOT_FOUND', `Cannot load pipeline ${id}: there is none with this id`);
  const [project, workflows, steps] = await Promise.all([
    stores.projects.find(pipeline.projectId),
    stores.pipelines.workflows(id),
    stores.pipelines.steps(id),
  ]);
  if (!project)
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot load pipeline ${id}: its project ${pipeline.projectId} is gone`);
  const stepsOf = Map.groupBy(steps, ({ workflowId }) => workflowId);
  return openPipeline(
    pipeline,
    projectSlug(project),
    workflows
      .toSorted((a, b) => a.position - b.position)
      .map((workflow) => ({
        workflow,
        steps: (stepsOf.get(workflow.id) ?? [])
          .filter(({ attempt }) => attempt === workflow.attempt)
          .toSorted((a, b) => a.position - b.position),
      })),
  );
}

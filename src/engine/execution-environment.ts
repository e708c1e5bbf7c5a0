import type { CancelCause } from '../core/pipeline.ts';

/** What is known only when a step starts. */
export interface ExecutionFacts {
  readonly pipeline: {
    readonly startedAt: Date;
    /** Names of workflows that have failed so far. */
    readonly failedWorkflows: readonly string[];
  };
  readonly workflow: {
    readonly startedAt: Date;
    /** Names of steps that have failed so far; those with `failure: ignore` do not count. */
    readonly failedSteps: readonly string[];
  };
  readonly step: { readonly startedAt: Date };
  /** Why the workflow was cancelled, of a step that runs after that. */
  readonly cancel?: { readonly by: string; readonly cause: CancelCause['kind'] } | undefined;
  /** Who runs it. */
  readonly runnerName: string;
}

/**
 * Variables that the server adds when a step starts. They win over the step's own: a script that asks for the status
 * gets the truth (pipelines.md 10.7). `…_FINISHED` are the time of the start, as upstream sets them for scripts that
 * report a result while the pipeline still runs.
 */
export function executionEnvironment(facts: ExecutionFacts): Record<string, string> {
  const seconds = (at: Date): string => String(Math.floor(at.getTime() / 1_000));
  const stepStarted = seconds(facts.step.startedAt);
  const pipelineStarted = seconds(facts.pipeline.startedAt);
  const workflowStarted = seconds(facts.workflow.startedAt);
  const hasFailed = facts.workflow.failedSteps.length > 0;
  const isPipelineFailing = hasFailed || facts.pipeline.failedWorkflows.length > 0;
  // What Drone and Woodpecker call cancelled.
  const workflowStatus = facts.cancel ? 'killed' : hasFailed ? 'failure' : 'success';
  const pipelineStatus = facts.cancel ? 'killed' : isPipelineFailing ? 'failure' : 'success';
  return {
    DRONE_BUILD_STATUS: pipelineStatus,
    DRONE_BUILD_STARTED: pipelineStarted,
    DRONE_BUILD_FINISHED: stepStarted,
    ...(isPipelineFailing ? { DRONE_FAILED_STAGES: facts.pipeline.failedWorkflows.join(',') } : {}),
    DRONE_STAGE_STATUS: workflowStatus,
    DRONE_STAGE_STARTED: workflowStarted,
    DRONE_STAGE_FINISHED: stepStarted,
    DRONE_STAGE_MACHINE: facts.runnerName,
    DRONE_FAILED_STEPS: facts.workflow.failedSteps.join(','),
    CI_BUILD_STATUS: pipelineStatus,
    CI_BUILD_STARTED: pipelineStarted,
    CI_BUILD_FINISHED: stepStarted,
    ...jobVariables('CI_JOB', workflowStatus, workflowStarted, stepStarted),
    ...jobVariables('DRONE_JOB', workflowStatus, workflowStarted, stepStarted),
    ...jobVariables('CI_PIPELINE', pipelineStatus, pipelineStarted, stepStarted),
    ...jobVariables('CI_STEP', workflowStatus, stepStarted, stepStarted),
    CI_MACHINE: facts.runnerName,
    GANTRY_PIPELINE_STATUS: facts.cancel ? 'cancelled' : pipelineStatus,
    GANTRY_PIPELINE_STARTED: pipelineStarted,
    GANTRY_WORKFLOW_STATUS: facts.cancel ? 'cancelled' : workflowStatus,
    GANTRY_WORKFLOW_STARTED: workflowStarted,
    GANTRY_STEP_STARTED: stepStarted,
    ...(facts.cancel ? { GANTRY_CANCELLED_BY: facts.cancel.by, GANTRY_CANCEL_REASON: facts.cancel.cause } : {}),
  };
}

/** Names of Drone 0.8 and Woodpecker for the same facts. */
function jobVariables(prefix: string, status: string, started: string, finished: string): Record<string, string> {
  return { [`${prefix}_STATUS`]: status, [`${prefix}_STARTED`]: started, [`${prefix}_FINISHED`]: finished };
}

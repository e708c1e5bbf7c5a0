import { isFinished } from '../../core/pipeline.ts';
import type { OpenStep, OpenWorkflow } from './open-pipelines.ts';

/**
 * Variables that are known only when a step starts (pipelines.md 10.7, 12.2): how the run stands so far, and times in
 * seconds. They win over those of the file.
 */
export function startEnvironment(workflow: OpenWorkflow, step: OpenStep, now: Date): Record<string, string> {
  const { pipeline } = workflow;
  const failedSteps = workflow.steps.filter(
    ({ status, isIgnored }) => status === 'infrastructure' || (status === 'failed' && !isIgnored),
  );
  const failedWorkflows = pipeline.workflows.filter(
    ({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped',
  );
  const stageStatus = failedSteps.length > 0 ? 'failure' : 'success';
  const buildStatus = failedSteps.length > 0 || failedWorkflows.length > 0 ? 'failure' : 'success';
  const seconds = (at: Date): string => String(Math.floor(at.getTime() / 1_000));
  const nowText = seconds(now);
  const pipelineStarted = seconds(pipeline.startedAt ?? now);
  const workflowStarted = seconds(workflow.startedAt ?? now);
  return {
    DRONE_BUILD_STATUS: buildStatus,
    DRONE_BUILD_STARTED: pipelineStarted,
    DRONE_BUILD_FINISHED: nowText,
    DRONE_STAGE_STATUS: stageStatus,
    DRONE_STAGE_STARTED: workflowStarted,
    DRONE_STAGE_FINISHED: nowText,
    DRONE_STEP_NAME: step.name,
    DRONE_STEP_NUMBER: String(step.position + 1),
    CI_BUILD_STATUS: buildStatus,
    CI_BUILD_STARTED: pipelineStarted,
    CI_BUILD_FINISHED: nowText,
    GANTRY_PIPELINE_STATUS: buildStatus,
    GANTRY_WORKFLOW_STATUS: stageStatus,
    ...(failedSteps.length > 0 ? { DRONE_FAILED_STEPS: failedSteps.map(({ name }) => name).join(',') } : {}),
    ...(failedWorkflows.length > 0 ? { DRONE_FAILED_STAGES: failedWorkflows.map(({ name }) => name).join(',') } : {}),
  };
}

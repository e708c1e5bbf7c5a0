import { isFinished } from '../../core/pipeline.ts';
import { executionEnvironment } from '../../engine/execution-environment.ts';
import type { OpenStep, OpenWorkflow } from './open-pipelines.ts';

/** What is known only when the step starts: how things stand so far, and since when. */
export function startEnvironment(
  workflow: OpenWorkflow,
  step: OpenStep,
  runnerName: string,
  now: Date,
): Record<string, string> {
  const { pipeline } = workflow;
  return executionEnvironment({
    pipeline: {
      startedAt: pipeline.startedAt ?? now,
      failedWorkflows: pipeline.workflows
        .filter(({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped')
        .map(({ name }) => name),
    },
    workflow: {
      startedAt: workflow.startedAt ?? now,
      failedSteps: workflow.steps
        .filter(({ status, isIgnored }) => status === 'infrastructure' || (status === 'failed' && !isIgnored))
        .map(({ name }) => name),
    },
    step: { startedAt: step.startedAt ?? now },
    runnerName,
  });
}

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
      failedWorkflows: namesOf(
        pipeline.workflows,
        ({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped',
      ),
    },
    workflow: {
      startedAt: workflow.startedAt ?? now,
      failedSteps: namesOf(
        workflow.steps,
        ({ status, isIgnored }) => status === 'infrastructure' || (status === 'failed' && !isIgnored),
      ),
    },
    step: { startedAt: step.startedAt ?? now },
    runnerName,
  });
}

const none: readonly string[] = [];

/** Nearly always none, and asked at each start: no list is made for that. */
function namesOf<Named extends { readonly name: string }>(
  all: readonly Named[],
  isMeant: (one: Named) => boolean,
): readonly string[] {
  let names: string[] | undefined;
  for (const one of all) if (isMeant(one)) (names ??= []).push(one.name);
  return names ?? none;
}

import { isFinished } from '../../core/pipeline.ts';
import { cancelsRest } from '../../engine/cancel-reason.ts';
import { type ExecutionFacts, executionEnvironment } from '../../engine/execution-environment.ts';
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
    cancel: cancelOf(workflow),
    runnerName,
  });
}

/** A failing step may have cancelled its workflow alone: then its runner knows before the record does. */
function cancelOf({ cancelledBy, cancelCause, plan, steps }: OpenWorkflow): ExecutionFacts['cancel'] {
  if (cancelledBy !== undefined) return { by: cancelledBy, cause: cancelCause?.kind ?? 'person' };
  for (const { name, position, status } of steps)
    if (status === 'failed' && cancelsRest(plan.steps[position])) return { by: name, cause: 'step-failed' };
  return undefined;
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

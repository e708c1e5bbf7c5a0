import type { StepTimesView } from '../../../api/inspection.ts';
import type { Step, StepDuration, Workflow } from '../../../core/pipeline.ts';

/** How long each step waited, was prepared and ran, beside the median of `past`. */
export function stepTimes(
  workflows: readonly Workflow[],
  steps: readonly Step[],
  past: readonly StepDuration[],
): readonly StepTimesView[] {
  const durations = Map.groupBy(past, ({ workflow, step }) => keyOf(workflow, step));
  return workflows.flatMap((workflow) => {
    const own = steps
      .filter(({ workflowId, attempt }) => workflowId === workflow.id && attempt === workflow.attempt)
      .toSorted((a, b) => a.position - b.position);
    const byName = new Map(own.map((step) => [step.name, step]));
    return own.map((step): StepTimesView => {
      const plan = workflow.plan.steps[step.position];
      const phases = step.outcome?.kind === 'exited' ? step.outcome.phases : undefined;
      const needs = (plan?.dependsOn ?? []).flatMap((name) => byName.get(name) ?? []);
      const ready = readyAt(workflow, step, needs);
      const samples = (durations.get(keyOf(workflow.name, step.name)) ?? []).map(({ durationMs }) => durationMs);
      return {
        id: step.id,
        workflow: workflow.name,
        name: step.name,
        readyAt: instant(ready),
        startedAt: instant(step.startedAt),
        runningAt: instant(step.runningAt),
        finishedAt: instant(step.finishedAt),
        waitedMs: between(ready, step.startedAt),
        pullMs: phases?.pullMs ?? null,
        restoreMs: phases?.restoreMs ?? null,
        saveMs: phases?.saveMs ?? null,
        preparedMs: between(step.startedAt, step.runningAt),
        ranMs: step.startedAt ? between(step.runningAt ?? step.startedAt, step.finishedAt) : null,
        medianMs: medianOf(samples),
        samples: samples.length,
      };
    });
  });
}

/** When the last of what it waits for had ended, or was up where it runs beside the others. */
function readyAt(workflow: Workflow, step: Step, needs: readonly Step[]): Date | undefined {
  const times = needs.flatMap((need) => {
    const isBackground = workflow.plan.steps[need.position]?.background !== undefined;
    return (isBackground ? need.runningAt : need.finishedAt)?.getTime() ?? [];
  });
  if (workflow.queuedAt) times.push(workflow.queuedAt.getTime());
  if (times.length === 0) return undefined;
  const last = Math.max(...times);
  return new Date(step.startedAt ? Math.min(last, step.startedAt.getTime()) : last);
}

function medianOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : Math.round((sorted[middle - 1]! + sorted[middle]!) / 2);
}

const keyOf = (workflow: string, step: string): string => JSON.stringify([workflow, step]);

const instant = (at: Date | undefined): string | null => at?.toISOString() ?? null;

function between(from: Date | undefined, to: Date | undefined): number | null {
  return from && to ? Math.max(0, to.getTime() - from.getTime()) : null;
}

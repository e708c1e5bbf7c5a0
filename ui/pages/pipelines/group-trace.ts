import type { TraceView } from '../../../src/api/pipelines.ts';

export interface StepGroup {
  readonly step: string;
  readonly entries: TraceView[];
}

interface WorkflowGroup {
  readonly workflow: string;
  readonly entries: TraceView[];
  readonly steps: StepGroup[];
}

/** Decisions about the event and the file, and then by workflow and step, in the order in which they were made. */
export function groupTrace(entries: readonly TraceView[]): {
  readonly event: readonly TraceView[];
  readonly workflows: readonly WorkflowGroup[];
} {
  const event: TraceView[] = [];
  const workflows = new Map<string, WorkflowGroup>();
  for (const entry of entries) {
    const { workflow, step } = entry.subject;
    if (workflow === undefined) {
      event.push(entry);
      continue;
    }
    const group = workflows.get(workflow) ?? { workflow, entries: [], steps: [] };
    workflows.set(workflow, group);
    if (step === undefined) {
      group.entries.push(entry);
      continue;
    }
    const known = group.steps.find((one) => one.step === step);
    if (known) known.entries.push(entry);
    else group.steps.push({ step, entries: [entry] });
  }
  return { event, workflows: [...workflows.values()] };
}

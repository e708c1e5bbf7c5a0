import type { WorkflowView } from '../../../src/api/pipelines.ts';
import { isBad, isFinal, type Status } from '../../parts/status.tsx';

/** Workflows that a list shows together: one, or those of one matrix. */
export interface WorkflowGroup {
  /** Name that they share in the file. */
  readonly name: string;
  readonly workflows: readonly WorkflowView[];
}

/** Puts the sets of one matrix together, at the place of the first; what failed comes first among them. */
export function groupByMatrix(workflows: readonly WorkflowView[]): readonly WorkflowGroup[] {
  const groups = new Map<string, WorkflowView[]>();
  for (const workflow of workflows) {
    const isSet = Object.keys(workflow.matrix).length > 0;
    const key = isSet ? `matrix ${sharedName(workflow)}` : `alone ${workflow.name}`;
    const group = groups.get(key);
    if (group) group.push(workflow);
    else groups.set(key, [workflow]);
  }
  return [...groups.values()].map((group) => ({
    name: group.length > 1 ? sharedName(group[0]!) : group[0]!.name,
    workflows: group.toSorted((a, b) => urgency(a) - urgency(b)),
  }));
}

/** Without the values, or the number, that tell it from the others. */
function sharedName({ name }: WorkflowView): string {
  return name.replace(/ \([^()]*\)$/, '');
}

function urgency({ status }: WorkflowView): number {
  if (isBad(status)) return 0;
  return isFinal(status) ? 2 : 1;
}

/** Those that one came to see: what failed; the others are fine, or on their way. */
export const isUnfolded = ({ status }: WorkflowView): boolean => isBad(status);

/** What a group as a whole comes to: the worst of it. */
export function statusOfGroup(workflows: readonly WorkflowView[]): WorkflowView['status'] {
  const order: readonly Status[] = [
    'failed',
    'infrastructure',
    'running',
    'claimed',
    'cancelled',
    'blocked',
    'queued',
    'passed',
    'skipped',
  ];
  return order.flatMap((status) => workflows.find((one) => one.status === status)?.status ?? [])[0] ?? 'queued';
}

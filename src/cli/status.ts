import type { PipelineStatus, StepStatus, WorkflowStatus } from '../core/pipeline.ts';
import type { Colour } from './output.ts';

type Status = StepStatus | WorkflowStatus | PipelineStatus;

/** The colour of a status; its mark and its word say the same without one. */
export function statusColour(status: Status): Colour | undefined {
  switch (status) {
    case 'passed':
      return 'green';
    case 'failed':
      return 'red';
    case 'infrastructure':
      return 'yellow';
    case 'running':
    case 'starting':
      return 'cyan';
    default:
      return 'dim';
  }
}

export function statusMark(status: Status): string {
  switch (status) {
    case 'passed':
      return '✓';
    case 'failed':
      return '✗';
    case 'infrastructure':
      return '!';
    case 'running':
    case 'starting':
      return '●';
    case 'cancelled':
      return '■';
    case 'skipped':
      return '–';
    default:
      return '○';
  }
}

import type { StepView } from '../../../src/api/pipelines.ts';
import { isBad, isFinal } from '../../parts/status.tsx';
import type { StepAddress } from './step-address.ts';

/** Whether the address means this step, in any of its attempts. */
export function isAt(step: StepView, address: StepAddress): boolean {
  return step.name === address.step && (address.workflow === undefined || step.workflow === address.workflow);
}

/** What one came to see: what failed, what runs, or else what ran last. */
export function chooseStep(steps: readonly StepView[]): StepView | undefined {
  return (
    steps.find((step) => step.status === 'failed' && !step.isIgnored) ??
    steps.find((step) => isBad(step.status)) ??
    // A service runs as long as the others do: it is not what is waited for.
    steps.find((step) => step.status === 'running' && !isBeside(step)) ??
    steps.find((step) => step.status === 'starting' && !isBeside(step)) ??
    // Between two steps, the one that comes next: its image may be on its way already.
    steps.find((step) => !isFinal(step.status) && !isBeside(step)) ??
    steps.findLast((step) => step.status === 'passed' && step.kind === 'step') ??
    steps[0]
  );
}

/** Whether it runs beside the steps and ends with the last of them. */
export function isBeside({ kind }: StepView): boolean {
  return kind === 'service' || kind === 'detached';
}

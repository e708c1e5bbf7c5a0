import type { PipelinePlan, StepPlan, WorkflowPlan } from '../../src/core/plan.ts';

/** A step that does nothing and passes, but for what a test says of it. */
export function stepPlan(name: string, more: Partial<StepPlan> = {}): StepPlan {
  return {
    name,
    kind: 'commands',
    image: 'base/busybox',
    pull: 'default',
    commands: [],
    environment: {},
    secrets: [],
    dependsOn: [],
    runOn: { success: true, failure: false },
    onFailure: 'fail',
    timeoutMs: 60_000,
    line: 1,
    ...more,
  };
}

export function workflowPlan(name: string, steps: readonly StepPlan[], more: Partial<WorkflowPlan> = {}): WorkflowPlan {
  return {
    name,
    dependsOn: [],
    runOn: { success: true, failure: false },
    workspace: { base: '/gantry', path: 'src' },
    clone: { isDisabled: true, depth: 0 },
    steps,
    earlySuccessExitCodes: [],
    ...more,
  };
}

export function planOf(...workflows: readonly WorkflowPlan[]): PipelinePlan {
  return { dialect: 'gantry', path: '.gantry.yml', workflows };
}

import { isFinished, type WorkflowStatus } from '../core/pipeline.ts';
import type { RunOn, WorkflowPlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';

/** What the judgement of one workflow sees of the others of its pipeline. */
export interface JudgedWorkflow {
  readonly name: string;
  readonly status: WorkflowStatus;
}

/** Whether the turn of a workflow that waits has come, or why it never will. */
export type WorkflowVerdict =
  | { readonly kind: 'waits' }
  | { readonly kind: 'runs' }
  | {
      readonly kind: 'skipped';
      readonly rule: 'workflow.dependency-failed' | 'trigger.status';
      readonly values: TraceEntry['values'];
    };

/**
 * Judges a workflow by those that it waits for. Pure: the server and `gantry exec` ask the same question. One that no
 * runner takes waits.
 */
export function judgeWorkflow(plan: WorkflowPlan, workflows: readonly JudgedWorkflow[]): WorkflowVerdict {
  if (plan.blocked !== undefined) return { kind: 'waits' };
  const dependencies = workflows.filter((other) => plan.dependsOn.includes(other.name));
  if (dependencies.some(({ status }) => !isFinished(status))) return { kind: 'waits' };

  const { runOn, runOnJudges } = plan;
  const culprit = runOnJudges === 'dependencies' ? findUnmet(dependencies, runOn) : findFailed(workflows);
  const runs = runOnJudges === 'dependencies' ? !culprit : culprit ? runOn.failure : runOn.success;
  if (runs) return { kind: 'runs' };
  return culprit
    ? {
        kind: 'skipped',
        rule: 'workflow.dependency-failed',
        values: { workflow: culprit.name, status: culprit.status },
      }
    : { kind: 'skipped', rule: 'trigger.status', values: { value: 'success' } };
}

/** Every step was filtered out by its condition: a checkout alone is no work, nor what it takes from others. */
export function hasNoWork({ steps }: WorkflowPlan): boolean {
  return steps.every(
    ({ kind, skipped, background, takes }) => kind === 'clone' || takes || background === 'service' || skipped,
  );
}

/** Drone looks at every workflow that has ended by now, not at the dependencies alone (pipelines.md 10.6). */
function findFailed<Judged extends JudgedWorkflow>(workflows: readonly Judged[]): Judged | undefined {
  return workflows.find(({ status }) => isFinished(status) && status !== 'passed' && status !== 'skipped');
}

/**
 * The dependency that keeps a workflow of Woodpecker from running (pipelines.md 11.5): for one that runs after success,
 * any that did not pass, a skipped one too; for one that runs after failures only, any that passed.
 */
function findUnmet<Judged extends JudgedWorkflow>(dependencies: readonly Judged[], runOn: RunOn): Judged | undefined {
  if (runOn.success && runOn.failure) return undefined;
  return dependencies.find(({ status }) => (status === 'passed') === runOn.failure);
}

import type { OnFailure, PipelinePlan, RunOn, StepPlan, WorkflowPlan } from '../../../src/core/plan.ts';
import { stepPlan } from '../plans.ts';
import type { Random } from './random.ts';

const onSuccess = { success: true, failure: false };
const runOns = [onSuccess, onSuccess, onSuccess, { success: false, failure: true }, { success: true, failure: true }];
const stepRunOns: readonly RunOn[] = [
  ...runOns,
  { success: false, failure: false, cancelled: true },
  { success: true, failure: true, cancelled: true },
];

const onFailures: readonly OnFailure[] = [
  'fail',
  'fail',
  'fail',
  'fail',
  'ignore',
  'cancel-workflow',
  'cancel-pipeline',
];

/** Limits of concurrency, by group. */
export const simulatedGroups = [
  { group: 'one at a time', limit: 1 },
  { group: 'two at a time', limit: 2 },
] as const;

/** A small pipeline with every kind of edge: graphs of steps, services, conditions, documents that wait for documents. */
export function randomPlan(random: Random): PipelinePlan {
  const workflows: WorkflowPlan[] = [];
  const count = 1 + random.below(3);
  for (let at = 0; at < count; at += 1) {
    workflows.push({
      name: `w${at}`,
      dependsOn: workflows.filter(() => random.chance(0.4)).map(({ name }) => name),
      runOn: random.pick(runOns),
      workspace: { base: '/drone', path: 'src' },
      clone: { isDisabled: true, depth: 0 },
      ...(random.chance(0.3) ? { concurrency: random.pick(simulatedGroups) } : {}),
      steps: randomSteps(random, `w${at}`),
      earlySuccessExitCodes: [78],
      failureSkips: random.chance(0.3) ? 'later' : 'unstarted',
      runOnJudges: random.chance(0.3) ? 'dependencies' : 'pipeline',
    });
  }
  return { dialect: 'drone1', path: '.drone.yml', workflows };
}

function randomSteps(random: Random, workflow: string): StepPlan[] {
  const services = random.chance(0.4) ? Array.from({ length: 1 + random.below(2) }, (_, at) => `db${at}`) : [];
  const steps: StepPlan[] = [];
  const count = 1 + random.below(4);
  const isChain = random.chance(0.5);
  for (let at = 0; at < count; at += 1) {
    const name = `s${at}`;
    const before = isChain ? steps.slice(-1) : steps.filter(() => random.chance(0.4));
    steps.push(
      stepPlan(name, {
        dependsOn: before.length === 0 ? services : before.map((step) => step.name),
        runOn: random.pick(stepRunOns),
        ...(random.chance(0.15)
          ? { background: 'detached', onFailure: 'ignore' }
          : { onFailure: random.pick(onFailures) }),
        ...(random.chance(0.3) ? { retry: { infrastructure: 2 + random.below(2) } } : {}),
        ...(random.chance(0.1)
          ? {
              skipped: {
                subject: { kind: 'step', workflow, step: name },
                rule: 'step.when.event',
                verdict: 'skipped',
                values: { pattern: 'tag', value: 'push' },
              },
            }
          : {}),
        timeoutMs: 3_600_000,
      }),
    );
  }
  const beside = services.map((name) =>
    stepPlan(name, { background: 'service', hostName: name, onFailure: 'ignore', timeoutMs: 3_600_000 }),
  );
  return [...beside, ...steps];
}

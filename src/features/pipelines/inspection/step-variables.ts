import type { VariableOfStepView } from '../../../api/inspection.ts';
import { isFinished, type Pipeline, type Step, type Workflow } from '../../../core/pipeline.ts';
import { environmentOfStep, type StepPlan } from '../../../core/plan.ts';
import { isReservedVariable } from '../../../core/variable.ts';
import { stepEnvironment } from '../../../engine/environment.ts';
import type { EnvironmentFacts } from '../../../engine/environment-facts.ts';
import { executionVariables } from '../../../engine/environment-names.ts';
import { executionEnvironment } from '../../../engine/execution-environment.ts';

/** A step and what is around it, as the record has them. */
export interface RecordedStep {
  readonly pipeline: Pipeline;
  readonly workflow: Workflow;
  readonly workflows: readonly Workflow[];
  readonly step: Step;
  /** Of the same attempt of the same workflow. */
  readonly siblings: readonly Step[];
}

/**
 * The environment that a step was given, by name: what its plan says, what was known only when it started, and its
 * secrets, of which nothing but the name is known here. `facts` tell where a value comes from; without them nobody can
 * say. `hidden` are values of project variables that whoever asks may not read, wherever they appear.
 */
export function stepVariables(
  recorded: RecordedStep,
  facts: EnvironmentFacts | undefined,
  hidden: readonly string[],
): readonly VariableOfStepView[] {
  const plan = recorded.workflow.plan.steps[recorded.step.position];
  if (!plan) return [];
  const secrets = new Map(plan.secrets.map(({ variable, secret }) => [variable, secret]));
  const sourceOf = facts ? sources(recorded, plan, facts) : () => null;
  const atStart = recorded.step.startedAt ? startVariables(recorded, recorded.step.startedAt) : {};
  const plain = { ...environmentOfStep(recorded.workflow.plan, plan), ...atStart };
  const given: VariableOfStepView[] = Object.entries(plain)
    .filter(([name]) => !secrets.has(name))
    .map(([name, value]) => {
      const source = Object.hasOwn(atStart, name) ? 'start' : sourceOf(name, value);
      const isHidden = source === 'project' ? hidden.length > 0 : hidden.some((part) => value.includes(part));
      return { name, value: isHidden ? null : value, source, secret: null };
    });
  const secret = [...secrets].map(([name, of]) => ({ name, value: null, source: 'secret' as const, secret: of }));
  return [...given, ...secret].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

type Source = NonNullable<VariableOfStepView['source']>;

/** Compares with what Gantry gives to a step that says nothing of its own. */
function sources(
  { pipeline, workflow }: RecordedStep,
  plan: StepPlan,
  facts: EnvironmentFacts,
): (name: string, value: string) => Source {
  const { matrix = {}, workspace, dependsOn } = workflow.plan;
  const own = stepEnvironment(
    { ...facts, variables: {}, event: { ...facts.event, parameters: {} } },
    pipeline.dialect as Parameters<typeof stepEnvironment>[1],
    {
      workflow: {
        name: workflow.name,
        type: 'docker',
        number: workflow.position + 1,
        dependsOn,
        matrix: {},
        workspace,
        environment: {},
      },
      step: {
        name: plan.name,
        number: 1,
        environment: {},
        settings: {},
        isPlugin: plan.kind === 'image' && plan.background !== 'service',
      },
    },
  );
  const isOf = (values: Readonly<Record<string, string>>, name: string, value: string): boolean =>
    Object.hasOwn(values, name) && values[name] === value;
  return (name, value) => {
    if (isOf(matrix, name, value)) return 'matrix';
    if (isOf(pipeline.parameters, name, value)) return 'parameter';
    // Some depend on more than is told here, e.g. the number of the workflow: their names are nobody else's.
    if (Object.hasOwn(own, name) && (own[name] === value || isReservedVariable(name))) return 'event';
    return isOf(facts.variables ?? {}, name, value) ? 'project' : 'file';
  };
}

/** As `executionEnvironment` made them, from what the record says of that moment. */
function startVariables(recorded: RecordedStep, startedAt: Date): Readonly<Record<string, string>> {
  const { pipeline, workflow, workflows, siblings } = recorded;
  const hadEnded = ({ finishedAt }: { readonly finishedAt?: Date | undefined }): boolean =>
    finishedAt !== undefined && finishedAt <= startedAt;
  const variables = executionEnvironment({
    pipeline: {
      startedAt: pipeline.startedAt ?? startedAt,
      failedWorkflows: workflows
        .filter((one) => hadEnded(one) && isFinished(one.status) && one.status !== 'passed' && one.status !== 'skipped')
        .map(({ name }) => name),
    },
    workflow: {
      startedAt: workflow.startedAt ?? startedAt,
      failedSteps: siblings
        .filter(
          (one) =>
            hadEnded(one) &&
            (one.status === 'infrastructure' ||
              (one.status === 'failed' && workflow.plan.steps[one.position]?.onFailure !== 'ignore')),
        )
        .map(({ name }) => name),
    },
    step: { startedAt },
    runnerName: workflow.runnerId ?? '',
  });
  const known = new Set<string>(executionVariables);
  return Object.fromEntries(Object.entries(variables).filter(([name]) => known.has(name)));
}

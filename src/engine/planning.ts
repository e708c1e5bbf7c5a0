import type { RunOn } from '../core/plan.ts';
import type { TraceEntry, TraceRule } from '../core/trace.ts';
import { type CompileInput, type PassingFact, passingFacts } from './compile-input.ts';
import { conditionValues } from './condition-values.ts';
import {
  type ConditionFacts,
  type Conditions,
  findMismatch,
  type Mismatch,
  namingClosing,
  runOnOf,
} from './conditions.ts';
import type { DialectRules } from './dialect-rules.ts';
import { expressionVariables } from './environment.ts';
import type { WorkflowIdentity } from './environment-facts.ts';
import { ExpressionError } from './expression/expression.ts';
import type { PlacedWorkflow } from './link-workflows.ts';
import { type PipelineParameter, withDefaults } from './pipeline-parameters.ts';
import type { PipelineFileDraft } from './read-pipeline-file.ts';
import { type WatchedInput, watchFacts } from './watched-facts.ts';

/** What is the same for every workflow that is planned. */
export class Planning {
  /** Whoever reads a fact of it that is another one at the next push makes the plan depend on that. */
  readonly input: CompileInput;
  /** The same facts, for environments: what is shared of them is filled in anew for every event. */
  readonly given: CompileInput;
  readonly #reads: Set<PassingFact>;
  readonly rules: DialectRules;
  readonly trace: TraceEntry[];
  readonly #values: ConditionFacts['values'];

  constructor(
    { given, input, reads }: WatchedInput & { readonly given: CompileInput },
    rules: DialectRules,
    trace: TraceEntry[],
  ) {
    this.given = given;
    this.input = input;
    this.#reads = reads;
    this.rules = rules;
    this.trace = trace;
    this.#values = conditionValues(input, rules);
  }

  /** With the defaults of parameters that nobody gave. */
  withParametersOf(files: readonly PipelineFileDraft[], trace: TraceEntry[]): Planning {
    const parameters = files.flatMap((file) => file.parameters);
    if (parameters.length === 0) return this;
    const values = parameterValues(parameters, this.given.event.parameters, trace);
    const given: CompileInput = { ...this.given, event: { ...this.given.event, parameters: values } };
    const { input } = watchFacts(given, this.#reads);
    return new Planning({ given, input, reads: this.#reads }, this.rules, this.trace);
  }

  /** What the environment of a step has that is of no use at another event. */
  readonly dependsOnFacts = (): void => {
    for (const name of passingFacts) this.#reads.add(name);
  };

  factsOf(workflow: PlacedWorkflow): ConditionFacts {
    return new WorkflowFacts(this, workflow, this.#values);
  }

  /** Under the name that the file gives: those of one matrix share it. */
  identityOf({ draft, number }: PlacedWorkflow): WorkflowIdentity {
    return { name: draft.name, type: draft.type, number, dependsOn: [], matrix: draft.matrix };
  }

  /** Judges what a workflow asks of the event. */
  judgeTrigger(workflow: PlacedWorkflow): Judgement {
    const { draft, file } = workflow;
    const { kind, pullRequest } = this.input.event;
    if (kind !== 'pull_request' || pullRequest?.action !== 'closed')
      return this.judge(draft.trigger, this.factsOf(workflow), file, draft.line);
    const trigger = namingClosing(draft.trigger);
    const judged = this.judge(trigger, this.factsOf(workflow), file, draft.line);
    if (trigger.alternatives.length > 0) return judged;
    return { ...judged, mismatch: { key: 'event', pattern: 'pull_request_closed', value: 'closed' } };
  }

  /** Judges conditions; an expression without an answer is found at its line, and then nothing is run. */
  judge(conditions: Conditions, facts: ConditionFacts, file: PipelineFileDraft, line: number): Judgement {
    try {
      return {
        mismatch: findMismatch(conditions, facts, this.rules),
        runOn: runOnOf(conditions, facts, this.rules),
      };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      file.report.add('condition.expression', { line, column: 1 }, `an expression has no answer: ${error.message}`);
      return { mismatch: undefined, runOn: { success: true, failure: false } };
    }
  }
}

/** What conditions of a workflow are judged by; what is not asked for the plan does not depend on. */
class WorkflowFacts implements ConditionFacts {
  readonly values: ConditionFacts['values'];
  readonly isLocal = false;
  readonly #planning: Planning;
  readonly #workflow: PlacedWorkflow;

  constructor(planning: Planning, workflow: PlacedWorkflow, values: ConditionFacts['values']) {
    this.#planning = planning;
    this.#workflow = workflow;
    this.values = values;
  }

  get changedPaths(): ConditionFacts['changedPaths'] {
    const { input, rules } = this.#planning;
    const { kind } = input.event;
    const isChange = kind === 'push' || kind === 'pull_request';
    const countsPaths =
      rules.dialect === 'woodpecker'
        ? isChange
        : rules.dialect !== 'drone1' || input.rules?.evaluatesDronePaths === true;
    return countsPaths ? input.event.changedPaths : undefined;
  }

  get message(): string {
    return this.#planning.input.event.message;
  }

  get matrix(): ConditionFacts['matrix'] {
    return this.#workflow.draft.matrix;
  }

  /** Few files have an expression: only these are worth the hundred variables. */
  get variables(): ConditionFacts['variables'] {
    const { input, rules } = this.#planning;
    return rules.dialect === 'woodpecker' ? expressionVariables(input, this.#planning.identityOf(this.#workflow)) : {};
  }
}

/** What conditions say at an event. */
export interface Judgement {
  readonly mismatch: Mismatch | undefined;
  readonly runOn: RunOn;
}

/** Values of the parameters with the defaults of those that nobody gave; the trace says which. */
function parameterValues(
  parameters: readonly PipelineParameter[],
  given: Readonly<Record<string, string>>,
  trace: TraceEntry[],
): Readonly<Record<string, string>> {
  const values = withDefaults(parameters, given);
  const filled = Object.entries(values).filter(([name, value]) => value !== '' && given[name] !== value);
  if (filled.length > 0) {
    const text = filled.map(([name, value]) => `${name}=${value}`).join(', ');
    const entry = { parameters: text.length > 500 ? `${text.slice(0, 500)}…` : text };
    trace.push({ subject: { kind: 'event' }, rule: 'event.parameters-default', verdict: 'noted', values: entry });
  }
  return values;
}

export function mismatchRule(
  where: 'trigger' | 'step.when',
  { key, pattern, value }: Mismatch,
): { readonly rule: TraceRule; readonly values: TraceEntry['values'] } {
  switch (key) {
    case 'branch':
    case 'event':
    case 'ref':
    case 'repo':
      return { rule: `${where}.${key}`, values: { pattern, value } };
    default:
      return { rule: `${where}.other`, values: { key, pattern, value } };
  }
}

import type { Dialect } from '../core/plan.ts';
import { stageVariables } from './environment-drone1.ts';
import { saysNothing } from './environment-drone08.ts';
import type { EnvironmentFacts, WorkflowIdentity } from './environment-facts.ts';
import { executionNames } from './environment-names.ts';
import { workflowVariables } from './environment-woodpecker.ts';
import { type EventVariables, eventVariables, type SharedEnvironment } from './event-variables.ts';
import { LayeredVariables, setVariable } from './layered-variables.ts';
import { watchLookup, watchVariables } from './passing-variables.ts';
import type { VariableLookup, Variables } from './substitute.ts';
import { watchOf } from './watched-facts.ts';

export interface StepIdentity {
  readonly name: string;
  /** Counts from 1 in the workflow, the checkout included. */
  readonly number: number;
}

/** Where the workspace is in each step. */
export interface Workspace {
  readonly base: string;
  readonly path: string;
}

/** Folder in which steps start. */
export function workspaceFolder(workspace: Workspace): string {
  if (workspace.path === '') return workspace.base;
  const folder = `${workspace.base}/${workspace.path}`;
  return folder.includes('//') ? folder.replaceAll(/\/{2,}/g, '/') : folder;
}

/**
 * Variables that `${…}` can name in a workflow's document (pipelines.md 3): no secrets, and nothing of a step.
 * What is known only when a step starts reads as it does there before the first step: status `success`, times empty.
 *
 * @param parameters - In place of those of the event, where the document has values of its own.
 */
export function substitutionVariables(
  facts: EnvironmentFacts,
  dialect: Dialect,
  workflow: WorkflowIdentity,
  parameters?: Variables,
): VariableLookup {
  const watch = watchOf(facts);
  if (!watch) return ofDocument(facts, dialect, workflow, parameters);
  return watchLookup(ofDocument(watch.given, dialect, workflow, parameters), dialect, watch.reads, allOfDocument);
}

function ofDocument(
  facts: EnvironmentFacts,
  dialect: Dialect,
  workflow: WorkflowIdentity,
  parameters: Variables = facts.event.parameters,
): LayeredVariables {
  const { ofDialect, gantry } = eventVariables[dialect](facts);
  const { matrix } = workflow;
  const ofWorkflow = { GANTRY_WORKFLOW: workflow.name };
  switch (dialect) {
    case 'drone08':
      return new LayeredVariables([buildAtStart, ofDialect, gantry, ofWorkflow, parameters, matrix]);
    case 'woodpecker': {
      const ofFile = { ...workflowVariables(workflow), ...unknownToWoodpecker };
      return new LayeredVariables([buildAtStart, ofDialect, ofFile, gantry, ofWorkflow, parameters, matrix]);
    }
    default: {
      // Plain variables stand where the globals of a runner do (pipelines.md 3).
      const globals = facts.variables ?? noVariables;
      const stage = stageVariables(facts, workflow);
      return new LayeredVariables([globals, parameters, matrix, ofDialect, stage, droneAtStart, gantry, ofWorkflow]);
    }
  }
}

function allOfDocument(facts: EnvironmentFacts, dialect: Dialect, workflow: WorkflowIdentity): Variables {
  return ofDocument(facts, dialect, workflow).merged();
}

const noVariables: Variables = {};

const buildAtStart: Variables = { CI_BUILD_STATUS: 'success' };
const droneAtStart: Variables = { ...buildAtStart, DRONE_BUILD_STATUS: 'success', DRONE_STAGE_STATUS: 'success' };

/** Known only later, and so as good as nothing before a step starts, as upstream has it. */
const unknownToWoodpecker: Variables = { CI_STEP_NUMBER: '0', CI_PIPELINE_FILES: '[]' };

/** What an expression of `evaluate` can name (pipelines.md 11.4). */
export function expressionVariables(facts: EnvironmentFacts, workflow: WorkflowIdentity): Variables {
  const watch = watchOf(facts);
  if (!watch) return ofExpression(facts, 'woodpecker', workflow);
  return watchVariables(ofExpression(watch.given, 'woodpecker', workflow), 'woodpecker', watch.reads, ofExpression);
}

function ofExpression(facts: EnvironmentFacts, dialect: Dialect, workflow: WorkflowIdentity): Record<string, string> {
  const { ofDialect } = eventVariables.woodpecker(facts);
  return {
    ...ofDocument(facts, dialect, workflow).merged(),
    // Whatever a matrix or a parameter says of the same name.
    ...buildAtStart,
    ...ofDialect,
    ...workflowVariables(workflow),
  };
}

/** A workflow, as far as the environment of its steps goes by it. */
export interface WorkflowSurroundings extends WorkflowIdentity {
  readonly workspace: Workspace;
  readonly environment: Variables;
}

/** A step, as far as its environment goes by it. */
export interface StepSurroundings extends StepIdentity {
  readonly environment: Variables;
  readonly settings: Variables;
  /** Without commands of its own: what its image does looks for variables of any of the systems. */
  readonly isPlugin: boolean;
}

/** The same object for every step and workflow of a pipeline. */
export function sharedEnvironment(facts: EnvironmentFacts, dialect: Dialect): SharedEnvironment {
  return eventVariables[dialect](facts);
}

/** The environment of one step, complete but for what `executionEnvironment` adds and for secrets. */
export function stepEnvironment(
  facts: EnvironmentFacts,
  dialect: Dialect,
  { workflow, step }: { readonly workflow: WorkflowSurroundings; readonly step: StepSurroundings },
): Record<string, string> {
  const { ofSteps, ofPlugins } = sharedEnvironment(facts, dialect);
  return {
    ...(step.isPlugin ? ofPlugins : noVariables),
    ...ofSteps,
    ...new OwnEnvironments(facts, dialect, workflow).of(step),
  };
}

/**
 * What the steps of a workflow have over `sharedEnvironment`. It depends on which facts there are; `onFactValue` is told
 * when it depends on what one of them says.
 */
export class OwnEnvironments {
  readonly workflow: WorkflowSurroundings;
  readonly #facts: EnvironmentFacts;
  readonly #dialect: Dialect;
  readonly #event: EventVariables;
  readonly #folder: string;
  readonly #onFactValue: () => void;
  /** What all steps have, of those that are an image alone and of the others. */
  readonly #common = new Map<boolean, Variables>();

  constructor(
    facts: EnvironmentFacts,
    dialect: Dialect,
    workflow: WorkflowSurroundings,
    onFactValue: () => void = () => {},
  ) {
    this.#facts = facts;
    this.#dialect = dialect;
    this.workflow = workflow;
    this.#event = eventVariables[dialect](facts);
    this.#folder = workspaceFolder(workflow.workspace);
    this.#onFactValue = onFactValue;
  }

  of(step: StepSurroundings): Record<string, string> {
    switch (this.#dialect) {
      case 'drone08':
        return this.#ofDrone08(step);
      case 'woodpecker':
        return this.#ofWoodpecker(step);
      default:
        return this.#ofDrone1(step);
    }
  }

  #ofWoodpecker({ name, number, isPlugin, environment, settings }: StepSurroundings): Record<string, string> {
    const position = String(number);
    const values: Record<string, string> = {
      ...this.#commonOf(isPlugin),
      CI_STEP_NAME: name,
      CI_STEP_NUMBER: position,
      CI_STEP_TYPE: isPlugin ? 'plugin' : 'commands',
      DRONE_STEP_NUMBER: position,
      GANTRY_STEP: name,
      GANTRY_STEP_NUMBER: position,
    };
    // Nothing that the system gives is above what the file says.
    for (const given of [this.#facts.event.parameters, this.workflow.matrix, environment, settings])
      this.#add(values, given, () => true);
    return values;
  }

  /** Low to high: what is given to all steps, the step's own, and what nobody can override (pipelines.md 10.7). */
  #ofDrone1({ name, number, isPlugin, environment, settings }: StepSurroundings): Record<string, string> {
    const position = String(number);
    const values: Record<string, string> = {
      ...this.#commonOf(isPlugin),
      DRONE_STEP_NAME: name,
      DRONE_STEP_NUMBER: position,
      GANTRY_STEP: name,
      GANTRY_STEP_NUMBER: position,
    };
    const isOpen = (variable: string): boolean => !fixedNames.has(variable) && !this.#event.isFixed(variable);
    this.#add(values, environment, isOpen);
    this.#add(values, settings, isOpen);
    return values;
  }

  #ofDrone08({ name, number, isPlugin, environment, settings }: StepSurroundings): Record<string, string> {
    const { parameters } = this.#facts.event;
    const values: Record<string, string> = { ...this.#commonOf(isPlugin) };
    for (const given of [environment, parameters, this.workflow.matrix])
      this.#add(values, given, (variable) => this.#isOpenInDrone08(variable));
    values['CI_WORKSPACE'] = this.#folder;
    values['DRONE_WORKSPACE'] = this.#folder;
    this.#add(values, settings, (variable) => !this.#event.isFixed(variable));
    values['GANTRY_WORKFLOW'] = this.workflow.name;
    values['GANTRY_STEP'] = name;
    values['GANTRY_STEP_NUMBER'] = String(number);
    values['GANTRY_WORKSPACE'] = this.#folder;
    return values;
  }

  /** The system's variables win over a step's own, unless they say nothing. */
  #isOpenInDrone08(name: string): boolean {
    const { ofDialect } = this.#event;
    if (this.#event.isFixed(name)) return false;
    if (!Object.hasOwn(ofDialect, name)) return true;
    this.#onFactValue();
    return saysNothing(ofDialect[name]!);
  }

  #commonOf(isPlugin: boolean): Variables {
    let common = this.#common.get(isPlugin);
    if (!common) {
      common = this.#makeCommon(isPlugin);
      this.#common.set(isPlugin, common);
    }
    return common;
  }

  #makeCommon(isPlugin: boolean): Variables {
    const folder = this.#folder;
    const { name, type, workspace, environment, matrix } = this.workflow;
    const ofPlugin = isPlugin && this.#dialect !== 'woodpecker' ? this.#ofPlugins() : noVariables;
    switch (this.#dialect) {
      case 'drone08':
        return ofPlugin;
      case 'woodpecker':
        return {
          ...workflowVariables(this.workflow),
          CI_WORKSPACE: folder,
          GANTRY_WORKFLOW: name,
          GANTRY_WORKSPACE: folder,
        };
      default: {
        const own = {
          ...stageVariables(this.#facts, this.workflow),
          DRONE_WORKSPACE: folder,
          DRONE_WORKSPACE_BASE: workspace.base,
          DRONE_WORKSPACE_PATH: workspace.path,
          GANTRY_WORKFLOW: name,
          GANTRY_WORKSPACE: folder,
        };
        if (type === 'exec') Object.assign(own, execVariables);
        const values = Object.assign({ ...own }, ofPlugin);
        for (const given of [this.#facts.event.parameters, environment, matrix])
          this.#add(values, given, (variable) => !this.#event.isFact(variable) && !Object.hasOwn(own, variable));
        return values;
      }
    }
  }

  /** The weakest names of a plugin are still above those of the project. */
  #ofPlugins(): Record<string, string> {
    const values: Record<string, string> = {};
    const { ofPlugins } = this.#event;
    for (const name of Object.keys(this.#facts.variables ?? noVariables)) {
      // Whether a plugin is given one depends on whether it says something.
      if (/^(?:CI|DRONE|PULLREQUEST)(?:_|$)/.test(name)) this.#onFactValue();
      if (Object.hasOwn(ofPlugins, name) && !this.#event.isFact(name)) values[name] = ofPlugins[name]!;
    }
    return Object.assign(values, workflowVariables(this.workflow));
  }

  /** Adds what nobody says before a step starts, and only names that are open. */
  #add(values: Record<string, string>, given: Variables, isOpen: (name: string) => boolean): void {
    for (const name of Object.keys(given))
      if (!executionNames.has(name) && isOpen(name)) setVariable(values, name, given[name]!);
  }
}

/** What a runner of `type: exec` adds (pipelines.md 10.3): the home is that of the image. */
const execVariables: Variables = {
  HOME: '/root',
  HOMEPATH: '/root',
  USERPROFILE: '/root',
  DRONE_HOME: '/root',
  GIT_TERMINAL_PROMPT: '0',
};

/** Of a pipeline's document and of a step: nobody can override them in Drone 1.x. */
const fixedNames: ReadonlySet<string> = new Set([
  ...Object.keys(stageVariables({}, { name: '', type: '', number: 1, dependsOn: [], matrix: {} })),
  'DRONE_STEP_NAME',
  'DRONE_STEP_NUMBER',
  'GANTRY_WORKFLOW',
  'GANTRY_STEP',
  'GANTRY_STEP_NUMBER',
  'GANTRY_WORKSPACE',
]);

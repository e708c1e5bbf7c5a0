import type { Dialect } from '../core/plan.ts';
import { drone1Variables, gitVariables, isOverridable } from './environment-drone1.ts';
import { drone08Variables } from './environment-drone08.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import { gantryVariables } from './environment-gantry.ts';
import { executionNames } from './environment-names.ts';
import { dronePluginVariables, woodpeckerVariables } from './environment-woodpecker.ts';
import { setVariable } from './layered-variables.ts';
import { onceFor } from './once-for.ts';
import type { Variables } from './substitute.ts';

/** What the steps of a pipeline share: `WorkflowPlan` holds it once, and a step only what it has over it. */
export interface SharedEnvironment {
  /** Of every step. */
  readonly ofSteps: Variables;
  /** Of steps that are an image alone, below all others. */
  readonly ofPlugins: Variables;
}

const noVariables: Variables = {};

/** The variables that an event gives in a dialect, each group made at most once and only for who asks. */
export class EventVariables implements SharedEnvironment {
  /** Under Gantry's own names. */
  readonly gantry: Variables;
  /** Under the names of the dialect: what `${…}` can name. */
  readonly ofDialect: Variables;
  readonly #facts: EnvironmentFacts;
  readonly #dialect: Dialect;
  #ofSteps: Variables | undefined;
  #ofPlugins: Variables | undefined;
  /** What steps have beside those that `${…}` can name. */
  readonly #ofStepsAlone: Variables;

  constructor(facts: EnvironmentFacts, dialect: Dialect) {
    this.#facts = facts;
    this.#dialect = dialect;
    this.gantry = gantryVariables(facts);
    switch (dialect) {
      case 'drone08':
        this.ofDialect = drone08Variables(facts);
        this.#ofStepsAlone = noVariables;
        break;
      case 'woodpecker':
        this.ofDialect = woodpeckerVariables(facts);
        this.#ofStepsAlone = { ...dronePluginVariables(facts), CI_STEP_URL: facts.pipeline.link };
        break;
      default:
        this.ofDialect = drone1Variables(facts);
        this.#ofStepsAlone = gitVariables(facts);
    }
  }

  get ofSteps(): Variables {
    this.#ofSteps ??= this.#makeOfSteps();
    return this.#ofSteps;
  }

  get ofPlugins(): Variables {
    // Asked for by few: most steps have commands.
    this.#ofPlugins ??= this.#dialect === 'woodpecker' ? noVariables : this.#makeOfPlugins();
    return this.#ofPlugins;
  }

  /** Whether nobody can override it. */
  isFixed(name: string): boolean {
    if (this.#dialect === 'woodpecker') return false;
    if (Object.hasOwn(this.gantry, name)) return true;
    return this.#dialect !== 'drone08' && !isOverridable(name) && Object.hasOwn(this.ofDialect, name);
  }

  /** Whether what is said for all steps is below it. */
  isFact(name: string): boolean {
    return [this.gantry, this.ofDialect, this.#ofStepsAlone].some((variables) => Object.hasOwn(variables, name));
  }

  #makeOfSteps(): Variables {
    const { variables = noVariables } = this.#facts;
    const given = { ...this.ofDialect, ...this.#ofStepsAlone, ...this.gantry };
    // Plain variables of the project: what the event says of the same name wins.
    for (const name of Object.keys(variables))
      if (!Object.hasOwn(given, name) && !executionNames.has(name)) setVariable(given, name, variables[name]!);
    return given;
  }

  #makeOfPlugins(): Variables {
    return { ...woodpeckerVariables(this.#facts), ...dronePluginVariables(this.#facts) };
  }
}

/** The same for every workflow and step of a pipeline. */
export const eventVariables: Readonly<Record<Dialect, (facts: EnvironmentFacts) => EventVariables>> = {
  drone08: onceFor((facts: EnvironmentFacts) => new EventVariables(facts, 'drone08')),
  drone1: onceFor((facts: EnvironmentFacts) => new EventVariables(facts, 'drone1')),
  gantry: onceFor((facts: EnvironmentFacts) => new EventVariables(facts, 'gantry')),
  woodpecker: onceFor((facts: EnvironmentFacts) => new EventVariables(facts, 'woodpecker')),
};

import type { Dialect } from '../core/plan.ts';
import { type CompileInput, type FileEvent, type PassingFact, passingFacts } from './compile-input.ts';
import type { WorkflowIdentity } from './environment-facts.ts';
import type { VariableLookup, Variables } from './substitute.ts';
import { withFact } from './watched-facts.ts';

type VariablesOf = (facts: CompileInput, dialect: Dialect, workflow: WorkflowIdentity) => Variables;

const kinds: readonly FileEvent[] = ['push', 'tag', 'pull_request', 'promote', 'manual'];
const tables = new WeakMap<VariablesOf, Map<Dialect, ReadonlyMap<string, readonly PassingFact[]>>>();

/** The same lookup, which notes the passing facts behind each variable that is asked for. */
export function watchLookup(
  variables: VariableLookup,
  dialect: Dialect,
  reads: Set<PassingFact>,
  variablesOf: VariablesOf,
): VariableLookup {
  const table = tableFor(dialect, variablesOf);
  return {
    get: (name) => {
      for (const fact of table.get(name) ?? []) reads.add(fact);
      return variables.get(name);
    },
  };
}

/**
 * The same variables, which note the passing facts behind each that is asked for. What a variable is made of is found by
 * changing one fact at a time: no list has to be kept beside the variables themselves. `variablesOf` is who makes them;
 * each has a table of its own.
 */
export function watchVariables(
  variables: Variables,
  dialect: Dialect,
  reads: Set<PassingFact>,
  variablesOf: VariablesOf,
): Variables {
  const table = tableFor(dialect, variablesOf);
  const note = (name: string | symbol): void => {
    for (const fact of (typeof name === 'string' && table.get(name)) || []) reads.add(fact);
  };
  return new Proxy(variables, {
    get: (target, name) => {
      note(name);
      return Reflect.get(target, name);
    },
    getOwnPropertyDescriptor: (target, name) => {
      note(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
}

function tableFor(dialect: Dialect, variablesOf: VariablesOf): ReadonlyMap<string, readonly PassingFact[]> {
  const ofDialects = tables.get(variablesOf) ?? new Map<Dialect, ReadonlyMap<string, readonly PassingFact[]>>();
  tables.set(variablesOf, ofDialects);
  const table = ofDialects.get(dialect) ?? tableOf(dialect, variablesOf);
  ofDialects.set(dialect, table);
  return table;
}

function tableOf(dialect: Dialect, variablesOf: VariablesOf): ReadonlyMap<string, readonly PassingFact[]> {
  const workflow: WorkflowIdentity = { name: 'w', type: 'docker', number: 1, dependsOn: [], matrix: {} };
  const table = new Map<string, PassingFact[]>();
  for (const kind of kinds) {
    const first = sample(kind, 1);
    const variables = variablesOf(first, dialect, workflow);
    for (const fact of passingFacts) {
      const others = variablesOf(withFact(first, sample(kind, 2), fact), dialect, workflow);
      for (const name of new Set([...Object.keys(variables), ...Object.keys(others)])) {
        if (variables[name] === others[name]) continue;
        const facts = table.get(name) ?? [];
        if (!facts.includes(fact)) table.set(name, [...facts, fact]);
      }
    }
  }
  return table;
}

/** An event of which every passing fact says something, and something else for another `number`. */
function sample(kind: FileEvent, number: number): CompileInput {
  const ref = kind === 'tag' ? 'refs/tags/v1.0.0' : kind === 'pull_request' ? 'refs/pull/7/head' : 'refs/heads/main';
  return {
    files: [],
    event: {
      kind,
      ref,
      branch: 'main',
      before: String(number).repeat(40),
      commit: String(number + 2).repeat(40),
      message: `message ${number}`,
      authorName: `author ${number}`,
      authorEmail: `${number}@example.com`,
      personName: `person-${number}`,
      parameters: {},
      target: 'production',
      parentNumber: number,
      ...(kind === 'pull_request'
        ? { pullRequest: { number: 7, title: 't', sourceBranch: 's', targetBranch: 'main', action: 'opened' } }
        : {}),
      changedPaths: [`path-${number}`],
    },
    project: {
      owner: 'o',
      name: 'p',
      visibility: 'public',
      defaultBranch: 'main',
      link: 'http://gantry.example/o/p',
      cloneUrl: 'http://gantry.example/o/p.git',
    },
    pipeline: { number, createdAt: new Date(number * 1_000), link: `http://gantry.example/${number}` },
    instanceUrl: 'http://gantry.example',
    secretNames: [],
    stepTimeoutMs: 1,
  };
}

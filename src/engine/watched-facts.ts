import { type CompileInput, type PassingFact, passingFacts } from './compile-input.ts';

/** An input that notes which of its passing facts are read. */
export interface WatchedInput {
  readonly input: CompileInput;
  readonly reads: Set<PassingFact>;
}

/** The same input, in which what is absent is watched as well; whoever copies its event as a whole has read all of it. */
export function watchFacts(given: CompileInput, reads = new Set<PassingFact>()): WatchedInput {
  const event = new Proxy(given.event, {
    get: (facts, name) => {
      if (isPassing(name)) reads.add(name);
      return Reflect.get(facts, name);
    },
  });
  const input = new WatchedFacts(given, event, reads);
  watches.set(input, { given, reads });
  return { input, reads };
}

/** All of an input, by name: an object that is copied and then given a getter is ten times as slow to make. */
class WatchedFacts implements Every<CompileInput> {
  readonly files: CompileInput['files'];
  readonly event: CompileInput['event'];
  readonly project: CompileInput['project'];
  readonly instanceUrl: string;
  readonly architecture: string | undefined;
  readonly secretNames: readonly string[];
  readonly variables: CompileInput['variables'];
  readonly stepTimeoutMs: number;
  readonly blobs: CompileInput['blobs'];
  readonly rules: CompileInput['rules'];
  readonly #given: CompileInput;
  readonly #reads: Set<PassingFact>;

  constructor(given: CompileInput, event: CompileInput['event'], reads: Set<PassingFact>) {
    this.files = given.files;
    this.event = event;
    this.project = given.project;
    this.instanceUrl = given.instanceUrl;
    this.architecture = given.architecture;
    this.secretNames = given.secretNames;
    this.variables = given.variables;
    this.stepTimeoutMs = given.stepTimeoutMs;
    this.blobs = given.blobs;
    this.rules = given.rules;
    this.#given = given;
    this.#reads = reads;
  }

  get pipeline(): CompileInput['pipeline'] {
    this.#reads.add('pipeline');
    return this.#given.pipeline;
  }
}

/** No part may be left out, not even one that may be absent. */
type Every<Facts> = { readonly [Key in keyof Required<Facts>]: Facts[Key] };

const passing: ReadonlySet<string | symbol> = new Set(passingFacts);

function isPassing(name: string | symbol): name is PassingFact {
  return passing.has(name);
}

const watches = new WeakMap<object, { readonly given: CompileInput; readonly reads: Set<PassingFact> }>();

/** What is behind a watched input, for those who note themselves what they make of it; `undefined` when nobody watches. */
export function watchOf(facts: object): { readonly given: CompileInput; readonly reads: Set<PassingFact> } | undefined {
  return watches.get(facts);
}

/** The same input with one passing fact of another. */
export function withFact(input: CompileInput, other: CompileInput, name: PassingFact): CompileInput {
  return name === 'pipeline'
    ? { ...input, pipeline: other.pipeline }
    : { ...input, event: { ...input.event, [name]: other.event[name] } };
}

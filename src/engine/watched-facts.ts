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
  const input: CompileInput = {
    ...given,
    event,
    get pipeline() {
      reads.add('pipeline');
      return given.pipeline;
    },
  };
  watches.set(input, { given, reads });
  return { input, reads };
}

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

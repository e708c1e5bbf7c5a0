import {
  type CompileInput,
  type CompileResult,
  type EventFacts,
  type PassingFact,
  passingFacts,
} from './compile-input.ts';
import { sharedEnvironment } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { IncludedText } from './includes.ts';
import type { LintResult } from './lint-result.ts';
import type { ResolveResult } from './resolved-files.ts';

/** Who reads pipeline files. */
interface Compiler {
  compile(input: CompileInput): Promise<CompileResult>;
  lint(path: string, text: string, facts?: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult>;
  resolve(input: CompileInput): Promise<ResolveResult>;
}

export interface CacheLimits {
  /** Plans that are kept. */
  readonly plans: number;
  /** Characters of files and keys together; the plans made of them are a few times as large. */
  readonly characters: number;
}

const defaultLimits: CacheLimits = { plans: 512, characters: 4 * 2 ** 20 };

/** What is another one at the next push. */
type Passing = Pick<CompileInput, 'event' | 'pipeline'>;

/** A result under the texts that it was made of, and all else that went into it. */
interface Kept {
  readonly texts: string;
  /** All that lasts from push to push. */
  readonly key: string;
  /** Characters of what it is found by. */
  readonly size: number;
  /** The facts that pass which the plan was made of, beside its shared environments, and the event that had them. */
  readonly reads: readonly PassingFact[];
  readonly madeFor: Passing;
  /** The last event that asked, and its answer. */
  asked: Passing;
  result: CompileResult;
}

/**
 * Compiles what has not been compiled lately. A plan depends on the files, the event, the project, settings and names of
 * secrets and on nothing else, so that the same of all these is the same plan: an event that is planned again, or a
 * preview that is looked at again, costs a look-up. At the next push of the same files the commit, its author and the
 * like are other ones: where nothing of the plan was made of these but the environment that all steps share, only that is
 * made anew. The one unused for longest makes room. Plans are not to be changed.
 */
export class CachedCompiler implements Compiler {
  readonly #compiler: Compiler;
  readonly #limits: CacheLimits;
  /** By key: a file and its next version seldom are of one length. Keys and plans the least lately used first. */
  readonly #plans = new Map<string, Kept[]>();
  #count = 0;
  #characters = 0;

  constructor(compiler: Compiler, limits: CacheLimits = defaultLimits) {
    this.#compiler = compiler;
    this.#limits = limits;
  }

  /** Plans that are kept. */
  get size(): number {
    return this.#count;
  }

  compile(input: CompileInput): Promise<CompileResult> {
    const { texts, key } = nameOf(input);
    const kept = this.#find(texts, key);
    if (kept && isSame(passingFacts, kept.asked, input)) return Promise.resolve(kept.result);
    if (kept && kept.reads.length < passingFacts.length && isSame(kept.reads, kept.madeFor, input)) {
      kept.result = withEnvironments(kept.result, input);
      kept.asked = passingOf(input);
      return Promise.resolve(kept.result);
    }
    return this.#compiler.compile(input).then((result) => {
      if (!isOfInputAlone(result)) return result;
      const reads = (result.kind !== 'failed' && isReadAsItIs(input) && result.reads) || passingFacts;
      const asked = passingOf(input);
      const size = texts.length + key.length + JSON.stringify(asked).length;
      this.#keep({ texts, key, size, reads, madeFor: asked, asked, result });
      return result;
    });
  }

  #find(texts: string, key: string): Kept | undefined {
    const ofKey = this.#plans.get(key);
    const kept = ofKey?.find((one) => one.texts === texts);
    if (!ofKey || !kept) return undefined;
    // Back to the end of both: what was used last goes last.
    if (ofKey.length > 1) ofKey.push(...ofKey.splice(ofKey.indexOf(kept), 1));
    this.#plans.delete(key);
    this.#plans.set(key, ofKey);
    return kept;
  }

  lint(path: string, text: string, facts?: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult> {
    return this.#compiler.lint(path, text, facts, includes);
  }

  resolve(input: CompileInput): Promise<ResolveResult> {
    return this.#compiler.resolve(input);
  }

  #keep(kept: Kept): void {
    if (kept.size > this.#limits.characters) return;
    const ofKey = this.#plans.get(kept.key) ?? [];
    const before = ofKey.findIndex(({ texts }) => texts === kept.texts);
    if (before >= 0) this.#drop(ofKey, before);
    ofKey.push(kept);
    this.#plans.delete(kept.key);
    this.#plans.set(kept.key, ofKey);
    this.#count += 1;
    this.#characters += kept.size;
    while (this.#count > this.#limits.plans || this.#characters > this.#limits.characters) this.#dropOldest();
  }

  #dropOldest(): void {
    const [oldest] = this.#plans;
    if (!oldest) return;
    const [key, ofKey] = oldest;
    this.#drop(ofKey, 0);
    if (ofKey.length === 0) this.#plans.delete(key);
  }

  #drop(ofKey: Kept[], index: number): void {
    for (const { size } of ofKey.splice(index, 1)) {
      this.#count -= 1;
      this.#characters -= size;
    }
  }
}

/** Texts are compared as they are, which costs less than a hash of them. */
function nameOf(input: CompileInput): { readonly texts: string; readonly key: string } {
  const { files, event } = input;
  const [first] = files;
  const texts = files.length === 1 && first ? first.text : files.map(({ text }) => text).join('\0');
  const shapes = files.map(({ path, text, isConverted, includes }) => [path, text.length, isConverted, includes]);
  // Written out: it costs less than taking away what passes, and a new fact that is missing here has the wrong type.
  const lasting: AllOf<Omit<EventFacts, PassingFact>> = {
    kind: event.kind,
    ref: event.ref,
    branch: event.branch,
    parameters: event.parameters,
    target: event.target,
    schedule: event.schedule,
    pullRequest: event.pullRequest,
    trust: event.trust,
  };
  const others: AllOf<Omit<CompileInput, 'files' | 'event' | PassingFact>> = {
    project: input.project,
    instanceUrl: input.instanceUrl,
    architecture: input.architecture,
    secretNames: input.secretNames,
    variables: input.variables,
    stepTimeoutMs: input.stepTimeoutMs,
    blobs: input.blobs,
    rules: input.rules,
  };
  return { texts, key: JSON.stringify([shapes, others, lasting, asksForNoPipeline(event.commit, event.message)]) };
}

/** With each of its properties, the optional ones too. */
type AllOf<Type> = { readonly [Key in keyof Required<Type>]: Type[Key] };

/** What decides before any file is read. */
function asksForNoPipeline(commit: string, message: string): boolean | string {
  if (commit.startsWith('0') && /^0+$/.test(commit)) return true;
  // Which words count is for the dialect to say: a message that may have one is a key of its own.
  return /skip|no_ci/i.test(message) && message;
}

/** Programs are given facts that nobody watches. */
function isReadAsItIs({ files }: CompileInput): boolean {
  return files.every(({ path, isConverted }) => !isConverted && /\.ya?ml$/.test(path));
}

function passingOf({ event, pipeline }: CompileInput): Passing {
  return { event, pipeline };
}

/** Whether two events say the same by these facts. */
function isSame(names: readonly PassingFact[], one: Passing, other: Passing): boolean {
  return names.every((name) => {
    switch (name) {
      case 'pipeline':
        return isSamePipeline(one.pipeline, other.pipeline);
      case 'changedPaths':
        return isSameList(one.event.changedPaths, other.event.changedPaths);
      default:
        return one.event[name] === other.event[name];
    }
  });
}

function isSamePipeline(one: Passing['pipeline'], other: Passing['pipeline']): boolean {
  return (
    one.number === other.number && one.link === other.link && one.createdAt.getTime() === other.createdAt.getTime()
  );
}

function isSameList(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  if (!one || !other) return one === other;
  return one.length === other.length && one.every((value, i) => value === other[i]);
}

/** The same plan at another event, of which it knows the environments alone. */
function withEnvironments(result: CompileResult, input: CompileInput): CompileResult {
  if (result.kind !== 'planned') return result;
  const { ofSteps, ofPlugins } = sharedEnvironment(input, result.plan.dialect);
  const workflows = result.plan.workflows.map((workflow) => ({
    ...workflow,
    environment: ofSteps,
    ...(workflow.pluginEnvironment ? { pluginEnvironment: ofPlugins } : {}),
  }));
  return { ...result, plan: { ...result.plan, workflows } };
}

/** A file that took too long or too much memory may do better next time. */
function isOfInputAlone(result: CompileResult): boolean {
  return result.kind !== 'failed';
}

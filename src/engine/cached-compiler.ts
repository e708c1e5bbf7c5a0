import { type CompileInput, type CompileResult, type PassingFact, passingFacts } from './compile-input.ts';
import { sharedEnvironment } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { IncludedText } from './includes.ts';
import type { LintResult } from './lint-result.ts';
import type { ResolveResult } from './resolved-files.ts';
import { passingFactOf } from './watched-facts.ts';

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

/** A result under the texts that it was made of, and all else that went into it. */
interface Kept {
  readonly texts: string;
  /** All that lasts from push to push. */
  readonly key: string;
  /** The facts that pass which the plan was made of, beside its shared environments. */
  readonly reads: readonly PassingFact[];
  readonly read: string;
  /** The last event that asked, and its answer. */
  passing: string;
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
  /** By texts, then by key; both the least lately used first. */
  readonly #plans = new Map<string, Map<string, Kept>>();
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
    const passing = valuesOf(input, passingFacts);
    const kept = this.#find(texts, key);
    if (kept?.passing === passing) return Promise.resolve(kept.result);
    if (kept && isSameBut(kept, input)) {
      kept.result = withEnvironments(kept.result, input);
      kept.passing = passing;
      return Promise.resolve(kept.result);
    }
    return this.#compiler.compile(input).then((result) => {
      if (!isOfInputAlone(result)) return result;
      const reads = (result.kind !== 'failed' && isReadAsItIs(input) && result.reads) || passingFacts;
      this.#keep({ texts, key, reads, read: valuesOf(input, reads), passing, result });
      return result;
    });
  }

  #find(texts: string, key: string): Kept | undefined {
    const ofTexts = this.#plans.get(texts);
    const kept = ofTexts?.get(key);
    if (!ofTexts || !kept) return undefined;
    // Back to the end of both: what was used last goes last.
    ofTexts.delete(key);
    ofTexts.set(key, kept);
    this.#plans.delete(texts);
    this.#plans.set(texts, ofTexts);
    return kept;
  }

  lint(path: string, text: string, facts?: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult> {
    return this.#compiler.lint(path, text, facts, includes);
  }

  resolve(input: CompileInput): Promise<ResolveResult> {
    return this.#compiler.resolve(input);
  }

  #keep(kept: Kept): void {
    const size = sizeOf(kept);
    if (size > this.#limits.characters) return;
    const ofTexts = this.#plans.get(kept.texts) ?? new Map<string, Kept>();
    const before = ofTexts.get(kept.key);
    if (before) {
      this.#count -= 1;
      this.#characters -= sizeOf(before);
    }
    ofTexts.set(kept.key, kept);
    this.#plans.delete(kept.texts);
    this.#plans.set(kept.texts, ofTexts);
    this.#count += 1;
    this.#characters += size;
    while (this.#count > this.#limits.plans || this.#characters > this.#limits.characters) this.#dropOldest();
  }

  #dropOldest(): void {
    const [oldest] = this.#plans.values();
    const [kept] = oldest?.values() ?? [];
    if (!oldest || !kept) return;
    oldest.delete(kept.key);
    if (oldest.size === 0) this.#plans.delete(kept.texts);
    this.#count -= 1;
    this.#characters -= sizeOf(kept);
  }
}

function sizeOf({ texts, key, read, passing }: Kept): number {
  return texts.length + key.length + read.length + passing.length;
}

/** Texts are compared as they are: one that was seen is found by the hash that the engine keeps with it. */
function nameOf({ files, event, pipeline: _pipeline, ...rest }: CompileInput): {
  readonly texts: string;
  readonly key: string;
} {
  const [first] = files;
  const texts = files.length === 1 && first ? first.text : files.map(({ text }) => text).join('\0');
  const shapes = files.map(({ path, text, isConverted, includes }) => [path, text.length, isConverted, includes]);
  const { before: _before, commit, message, authorName: _authorName, authorEmail: _authorEmail, ...others } = event;
  const { personName: _personName, parentNumber: _parentNumber, changedPaths: _changedPaths, ...lasting } = others;
  return { texts, key: JSON.stringify([shapes, rest, lasting, asksForNoPipeline(commit, message)]) };
}

/** What decides before any file is read. */
function asksForNoPipeline(commit: string, message: string): boolean | string {
  if (commit.startsWith('0') && /^0+$/.test(commit)) return true;
  // Which words count is for the dialect to say: a message that may have one is a key of its own.
  return /skip|no_ci/i.test(message) && message;
}

function valuesOf(input: CompileInput, names: readonly PassingFact[]): string {
  return names.length === 0 ? '' : JSON.stringify(names.map((name) => passingFactOf(input, name)));
}

/** Programs are given facts that nobody watches. */
function isReadAsItIs({ files }: CompileInput): boolean {
  return files.every(({ path, isConverted }) => !isConverted && /\.ya?ml$/.test(path));
}

function isSameBut({ reads, read }: Kept, input: CompileInput): boolean {
  return reads.length < passingFacts.length && read === valuesOf(input, reads);
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

import type { CompileInput, CompileResult } from './compile-input.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { LintResult } from './lint-result.ts';
import type { ResolveResult } from './resolved-files.ts';

/** Who reads pipeline files. */
interface Compiler {
  compile(input: CompileInput): Promise<CompileResult>;
  lint(path: string, text: string, facts?: EnvironmentFacts): Promise<LintResult>;
  resolve(input: CompileInput): Promise<ResolveResult>;
}

export interface CacheLimits {
  /** Plans that are kept. */
  readonly plans: number;
  /** Characters of files and keys together; the plans made of them are a few times as large. */
  readonly characters: number;
}

const defaultLimits: CacheLimits = { plans: 512, characters: 4 * 2 ** 20 };

/** A plan under the texts that it was made of, and all else that went into it. */
interface Kept {
  readonly texts: string;
  readonly key: string;
  readonly result: CompileResult;
}

/**
 * Compiles what has not been compiled lately. A plan depends on the files, the event, the project, settings and names of
 * secrets and on nothing else, so that the same of all these is the same plan: an event that is planned again, or a
 * preview that is looked at again, costs a look-up. The one unused for longest makes room. Plans are not to be changed.
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
    const kept = this.#find(texts, key);
    if (kept) return Promise.resolve(kept);
    return this.#compiler.compile(input).then((result) => {
      if (isOfInputAlone(result)) this.#keep({ texts, key, result });
      return result;
    });
  }

  #find(texts: string, key: string): CompileResult | undefined {
    const ofTexts = this.#plans.get(texts);
    const kept = ofTexts?.get(key);
    if (!ofTexts || !kept) return undefined;
    // Back to the end of both: what was used last goes last.
    ofTexts.delete(key);
    ofTexts.set(key, kept);
    this.#plans.delete(texts);
    this.#plans.set(texts, ofTexts);
    return kept.result;
  }

  lint(path: string, text: string, facts?: EnvironmentFacts): Promise<LintResult> {
    return this.#compiler.lint(path, text, facts);
  }

  resolve(input: CompileInput): Promise<ResolveResult> {
    return this.#compiler.resolve(input);
  }

  #keep(kept: Kept): void {
    const size = sizeOf(kept);
    if (size > this.#limits.characters) return;
    const ofTexts = this.#plans.get(kept.texts) ?? new Map<string, Kept>();
    if (ofTexts.has(kept.key)) return;
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

function sizeOf({ texts, key }: Kept): number {
  return texts.length + key.length;
}

/** Texts are compared as they are: one that was seen is found by the hash that the engine keeps with it. */
function nameOf({ files, ...rest }: CompileInput): { readonly texts: string; readonly key: string } {
  const [first] = files;
  const texts = files.length === 1 && first ? first.text : files.map(({ text }) => text).join('\0');
  const shapes = files.map(({ path, text, isConverted }) => [path, text.length, isConverted]);
  return { texts, key: JSON.stringify([shapes, rest]) };
}

/** A file that took too long or too much memory may do better next time. */
function isOfInputAlone(result: CompileResult): boolean {
  return result.kind !== 'failed';
}

import { goQuote } from './go-quote.ts';
import { trimByPattern } from './trim-pattern.ts';

/** Names and values of variables. */
export type Variables = Readonly<Record<string, string>>;

/** What `${…}` may name. A name that is absent reads as empty. */
export type VariableLookup = Pick<ReadonlyMap<string, string>, 'get'>;

/** Told the variable of an outermost `${…}` and its whole text. */
export type KeepExpression = (name: string, source: string) => string | undefined;

export interface SubstituteOptions {
  /** What stands in the text in place of an expression's value; `undefined` = the value. For who moves a file elsewhere. */
  readonly keep?: KeepExpression | undefined;
  /** Values with a newline are quoted as Go's `%q` does before any operator sees them: what pipeline files get. */
  readonly quotesNewlines: boolean;
  /** Drone 0.8's older library: a default is exactly one part. For the vectors; we accept more in such files too. */
  readonly isStrictDrone08?: boolean;
  /** Told of each `${name…}` with the place of its `$`: what lint looks at. */
  readonly onVariable?: (use: VariableUse) => void;
}

export interface VariableUse {
  readonly name: string;
  readonly offset: number;
  /** Whether it has a default, so that an unknown name may be meant. */
  readonly hasDefault: boolean;
}

/** One `${…}` or escape of a text, and what stands in its place. */
export interface Replacement {
  /** Where it stands in the source. */
  readonly offset: number;
  readonly source: string;
  readonly value: string;
}

export interface Substituted {
  readonly text: string;
  /** In their order. */
  readonly replacements: readonly Replacement[];
  /** Where in the source a place of `text` comes from: places inside a value come from its `$`. */
  sourceOffset(offset: number): number;
}

/** Longest text that substitution may make (reliability R5). */
export const maxSubstitutedLength = 1_048_576;

const maxNesting = 100;

/** A `${…}` that cannot be read, with its place in the source. The whole file fails, also for one in a comment. */
export class SubstitutionError extends Error {
  override readonly name = 'SubstitutionError';
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Whether anything of a text may read otherwise once it is substituted. */
export function hasSubstitution(text: string): boolean {
  return ['${', '$$', '\\/', '\\\\'].some((special) => text.includes(special));
}

/**
 * Replaces `${…}` in raw text, before it is YAML (pipelines.md 3). Only `${` begins a substitution; `$$`, `\/` and `\\`
 * are escapes. Throws `SubstitutionError`.
 */
export function substitute(text: string, variables: VariableLookup, options: SubstituteOptions): Substituted {
  if (!hasSubstitution(text)) return unchanged(text);
  return new Substitution(text, variables, options).run();
}

/** What becomes of a text in which there is nothing to replace. */
export function unchanged(text: string): Substituted {
  return { text, replacements: [], sourceOffset: (offset) => offset };
}

/** `$$` → `$`, `\/` → `/`, `\\` → `\`: in plain text and in both arguments of the `/` forms. */
function escapeAt(text: string, at: number): string | undefined {
  const two = text.slice(at, at + 2);
  if (two === '$$') return '$';
  if (two === '\\/') return '/';
  return two === '\\\\' ? '\\' : undefined;
}

class Substitution {
  readonly #text: string;
  readonly #variables: VariableLookup;
  readonly #options: SubstituteOptions;
  #at = 0;
  #nesting = 0;

  constructor(text: string, variables: VariableLookup, options: SubstituteOptions) {
    this.#text = text;
    this.#variables = variables;
    this.#options = options;
  }

  run(): Substituted {
    const text = this.#text;
    const pieces: string[] = [];
    const replacements: Replacement[] = [];
    // Each pair: from this place of the result on, the source is at that place.
    const resultOffsets: number[] = [0];
    const sourceOffsets: number[] = [0];
    const isValue: boolean[] = [false];
    let length = 0;
    let plainStart = 0;
    const push = (piece: string, from: number, value: boolean): void => {
      if (value) replacements.push({ offset: from, source: text.slice(from, this.#at), value: piece });
      if (piece === '') return;
      length += piece.length;
      if (length > maxSubstitutedLength) {
        throw new SubstitutionError(`the text grows beyond ${maxSubstitutedLength} characters here`, from);
      }
      resultOffsets.push(length - piece.length);
      sourceOffsets.push(from);
      isValue.push(value);
      pieces.push(piece);
    };

    const special = /[$\\]/g;
    while (true) {
      special.lastIndex = this.#at;
      const found = special.exec(text);
      if (!found) break;
      this.#at = found.index;
      const escaped = escapeAt(text, this.#at);
      if (escaped !== undefined) {
        push(text.slice(plainStart, this.#at), plainStart, false);
        this.#at += 2;
        push(escaped, this.#at - 2, true);
        plainStart = this.#at;
      } else if (text.startsWith('${', this.#at)) {
        push(text.slice(plainStart, this.#at), plainStart, false);
        const start = this.#at;
        push(this.#expression(), start, true);
        plainStart = this.#at;
      } else {
        this.#at += 1;
      }
    }
    push(text.slice(plainStart), plainStart, false);

    return {
      text: pieces.join(''),
      replacements,
      sourceOffset: (offset) => {
        let low = 0;
        let high = resultOffsets.length - 1;
        while (low < high) {
          const middle = (low + high + 1) >> 1;
          if ((resultOffsets[middle] ?? 0) <= offset) low = middle;
          else high = middle - 1;
        }
        const source = sourceOffsets[low] ?? 0;
        return isValue[low] ? source : source + offset - (resultOffsets[low] ?? 0);
      },
    };
  }

  /** Reads `${…}` at the present place, and answers what it stands for. */
  #expression(): string {
    const start = this.#at;
    this.#nesting += 1;
    if (this.#nesting > maxNesting) this.#fail(`"\${" is nested deeper than ${maxNesting} times`, start);
    this.#at += 2;
    const isLength = this.#text[this.#at] === '#';
    if (isLength) this.#at += 1;
    const name = this.#name(start);
    const operator = this.#text[this.#at] ?? '';
    const isDefault = operator === '=' || (operator === ':' && /[=\-+?]/.test(this.#text[this.#at + 1] ?? ''));
    const value = this.#valueOf(name);

    let result: string;
    if (isLength) result = String(Buffer.byteLength(value));
    else if (isDefault) result = this.#withDefault(value, operator);
    else if (operator === ':') result = this.#slice(value, start);
    else if (operator === '^' || operator === ',') result = this.#changeCase(value);
    else if (operator === '#' || operator === '%') result = this.#trim(value, operator);
    else if (operator === '/') result = this.#replace(value, start);
    else result = value;

    if (this.#text[this.#at] !== '}') {
      const found = this.#text[this.#at];
      this.#fail(
        found === undefined
          ? '"${" has no "}"'
          : `"\${${name}" is followed by "${found}", which is no operator: write "$\${" for a "\${" that the shell should see`,
        start,
      );
    }
    this.#at += 1;
    this.#nesting -= 1;
    this.#options.onVariable?.({ name, offset: start, hasDefault: isDefault });
    const kept = this.#nesting === 0 ? this.#options.keep?.(name, this.#text.slice(start, this.#at)) : undefined;
    return kept ?? result;
  }

  #name(start: number): string {
    const found = /[\p{L}\p{Nd}_]+/uy;
    found.lastIndex = this.#at;
    const name = found.exec(this.#text)?.[0];
    if (name === undefined) {
      this.#fail(
        '"${" is not followed by the name of a variable: write "$${" for a "${" that the shell should see',
        start,
      );
    }
    this.#at += name.length;
    return name;
  }

  #valueOf(name: string): string {
    const value = this.#variables.get(name) ?? '';
    return this.#options.quotesNewlines && value.includes('\n') ? goQuote(value) : value;
  }

  #withDefault(value: string, operator: string): string {
    this.#at += operator === ':' ? 2 : 1;
    const start = this.#at;
    let parts = 0;
    let length = 0;
    const pieces: string[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] !== '}') {
      const piece = this.#text.startsWith('${', this.#at) ? this.#expression() : this.#word('}', false);
      parts += 1;
      length += piece.length;
      if (length > maxSubstitutedLength) this.#fail('the default grows too long', start);
      pieces.push(piece);
    }
    if (this.#options.isStrictDrone08 && parts !== 1) this.#fail('a default has exactly one part', start);
    // `:+` and `:?` do the same as `:-` in every implementation (pipelines.md 3).
    return value === '' ? pieces.join('') : value;
  }

  #slice(value: string, start: number): string {
    this.#at += 1;
    const position = this.#argument(':}', false);
    let lengthText: string | undefined;
    if (this.#text[this.#at] === ':') {
      while (this.#text[this.#at] === ':') this.#at += 1;
      lengthText = this.#argument('}', false);
    }
    const isInteger = (text: string): boolean => /^[-+]?\d{1,15}$/.test(text);
    if (!isInteger(position) || (lengthText !== undefined && !isInteger(lengthText))) return value;
    const bytes = Buffer.from(value);
    const asked = Number(position);
    const from = asked < 0 ? Math.max(0, bytes.length + asked) : asked;
    const length = lengthText === undefined ? bytes.length : Number(lengthText);
    if (length < 0) this.#fail('the length of a part may not be negative', start);
    return bytes.subarray(from, Math.min(bytes.length, from + length)).toString();
  }

  #changeCase(value: string): string {
    const first = this.#text[this.#at] ?? '';
    const second = this.#text[this.#at + 1] ?? '';
    const isPair = second === '^' || second === ',';
    this.#at += isPair ? 2 : 1;
    if (isPair && first !== second) return value;
    const change = (text: string): string =>
      Array.from(text)
        .map((character) => {
          const changed = first === '^' ? character.toUpperCase() : character.toLowerCase();
          // Go maps one character to one: "ß" stays.
          return Array.from(changed).length === 1 ? changed : character;
        })
        .join('');
    if (isPair) return change(value);
    const [head = '', ...rest] = Array.from(value);
    return change(head) + rest.join('');
  }

  #trim(value: string, operator: '#' | '%'): string {
    const isLongest = this.#text[this.#at + 1] === operator;
    this.#at += isLongest ? 2 : 1;
    const pattern = this.#argument('}', false);
    return trimByPattern(value, pattern, operator === '#' ? 'prefix' : 'suffix', isLongest ? 'longest' : 'shortest');
  }

  #replace(value: string, start: number): string {
    this.#at += 1;
    const second = this.#text[this.#at] ?? '';
    const mode = second === '/' || second === '#' || second === '%' ? second : 'first';
    if (mode !== 'first') this.#at += 1;
    const search = this.#argument('/', true);
    if (this.#text[this.#at] !== '/') this.#fail('"${name/text" has no second "/"', start);
    while (this.#text[this.#at] === '/') this.#at += 1;
    const isDelete = this.#text[this.#at] === '}';
    const replacement = isDelete ? '' : this.#argument('}', true);
    switch (mode) {
      case 'first':
        return value.replace(search, () => replacement);
      case '/': {
        const pieces = value.split(search);
        if (pieces.length * replacement.length > maxSubstitutedLength)
          this.#fail('the text grows too long here', start);
        // An empty text is found between all characters and at both ends.
        return search === ''
          ? `${replacement}${pieces.map((piece) => piece + replacement).join('')}`
          : pieces.join(replacement);
      }
      case '#':
        return !isDelete && value.startsWith(search) ? replacement + value.slice(search.length) : value;
      case '%':
        return !isDelete && value.endsWith(search) ? value.slice(0, value.length - search.length) + replacement : value;
      default:
        return value;
    }
  }

  /** One nested `${…}` or one word. */
  #argument(stops: string, hasEscapes: boolean): string {
    return this.#text.startsWith('${', this.#at) ? this.#expression() : this.#word(stops, hasEscapes);
  }

  /** Text up to a stop character or the next `${`; never empty. */
  #word(stops: string, hasEscapes: boolean): string {
    const start = this.#at;
    let word = '';
    let plainStart = start;
    while (this.#at < this.#text.length) {
      const escaped = hasEscapes ? escapeAt(this.#text, this.#at) : undefined;
      if (escaped !== undefined) {
        word += this.#text.slice(plainStart, this.#at) + escaped;
        this.#at += 2;
        plainStart = this.#at;
        continue;
      }
      if (stops.includes(this.#text[this.#at] ?? '') || this.#text.startsWith('${', this.#at)) break;
      this.#at += 1;
    }
    word += this.#text.slice(plainStart, this.#at);
    if (this.#at === start) this.#fail('an operator of "${…}" lacks its argument', start);
    return word;
  }

  #fail(message: string, offset: number): never {
    throw new SubstitutionError(message, offset);
  }
}

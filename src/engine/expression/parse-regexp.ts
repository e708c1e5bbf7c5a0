import { type CodePointRange, CodePointSet, complementOf, withCaseVariants } from './code-point-set.ts';

/** Why a regular expression is refused. The message goes on after "the regular expression". */
export class RegexpError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RegexpError';
  }
}

/** A condition on a place between two characters. */
export type RegexpAssertion = 'text-start' | 'text-end' | 'line-start' | 'line-end' | 'word-edge' | 'no-word-edge';

export type RegexpNode =
  | { readonly kind: 'sequence'; readonly parts: readonly RegexpNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly RegexpNode[] }
  | { readonly kind: 'set'; readonly set: CodePointSet }
  | { readonly kind: 'assertion'; readonly assertion: RegexpAssertion }
  /** `most` is absent where there is no upper bound. */
  | { readonly kind: 'repeat'; readonly node: RegexpNode; readonly least: number; readonly most?: number };

/** Longest regular expression, in characters. */
const maxPatternLength = 4_096;

/** Groups inside one another. */
const maxGroups = 100;

/** RE2, "Implementation restriction: the counting forms reject forms that create a minimum or maximum above 1000". */
const maxRepeats = 1_000;

type Flags = { readonly ignoresCase: boolean; readonly isMultiline: boolean; readonly dotTakesNewline: boolean };

const digits: readonly CodePointRange[] = [[0x30, 0x39]];
const upperLetters: readonly CodePointRange[] = [[0x41, 0x5a]];
const lowerLetters: readonly CodePointRange[] = [[0x61, 0x7a]];
const letters = [...upperLetters, ...lowerLetters];
const underscore: CodePointRange = [0x5f, 0x5f];

const perlClasses: Readonly<Record<string, readonly CodePointRange[]>> = {
  d: digits,
  s: [
    [0x09, 0x0a],
    [0x0c, 0x0d],
    [0x20, 0x20],
  ],
  w: [...digits, ...letters, underscore],
};

const posixClasses: Readonly<Record<string, readonly CodePointRange[]>> = {
  alnum: [...digits, ...letters],
  alpha: letters,
  ascii: [[0, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: digits,
  graph: [[0x21, 0x7e]],
  lower: lowerLetters,
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: upperLetters,
  word: [...digits, ...letters, underscore],
  xdigit: [...digits, [0x41, 0x46], [0x61, 0x66]],
};

const controlEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

const newline = 0x0a;

/** Reads a regular expression in the syntax of RE2 (its public syntax page), without Unicode classes `\p`. */
export function parseRegexp(pattern: string): RegexpNode {
  if (pattern.length > maxPatternLength) throw new RegexpError(`is longer than ${maxPatternLength} characters`);
  const parser = new RegexpParser(pattern);
  return parser.parse();
}

class RegexpParser {
  readonly #pattern: string;
  #at = 0;
  #depth = 0;
  readonly #groupNames = new Set<string>();

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  parse(): RegexpNode {
    const node = this.#parseChoice({ ignoresCase: false, isMultiline: false, dotTakesNewline: false });
    if (this.#at < this.#pattern.length) throw this.#refuse(')', 'it closes no group');
    return node;
  }

  /** Up to the end of the group. Flags that are set on the way hold until there, beyond `|` too. */
  #parseChoice(outerFlags: Flags): RegexpNode {
    let flags = outerFlags;
    const choices: RegexpNode[] = [];
    let parts: RegexpNode[] = [];
    while (this.#at < this.#pattern.length && !this.#sees(')')) {
      if (this.#takes('|')) {
        choices.push({ kind: 'sequence', parts });
        parts = [];
        continue;
      }
      const setting = this.#readFlagSetting(flags);
      if (setting) {
        flags = setting;
        continue;
      }
      const atom = this.#parseAtom(flags);
      parts.push(...(atom.kind === 'literals' ? this.#repeatLast(atom.parts) : [this.#parseRepeat(atom)]));
    }
    const last: RegexpNode = { kind: 'sequence', parts };
    return choices.length === 0 ? last : { kind: 'choice', parts: [...choices, last] };
  }

  #repeatLast(literals: readonly RegexpNode[]): RegexpNode[] {
    const last = literals.at(-1);
    return last ? [...literals.slice(0, -1), this.#parseRepeat(last)] : [];
  }

  #parseRepeat(node: RegexpNode): RegexpNode {
    const start = this.#at;
    const bounds = this.#readBounds();
    if (!bounds) return node;
    // Fewest first or most first makes no difference to whether there is a match.
    this.#takes('?');
    if (this.#readBounds()) {
      throw this.#refuse(this.#pattern.slice(start, this.#at), 'a repetition cannot be repeated', start);
    }
    return { kind: 'repeat', node, ...bounds };
  }

  #readBounds(): { least: number; most?: number } | undefined {
    if (this.#takes('*')) return { least: 0 };
    if (this.#takes('+')) return { least: 1 };
    if (this.#takes('?')) return { least: 0, most: 1 };
    const start = this.#at;
    const found = this.#takesPattern(/\{(\d+)(,?)(\d*)\}/y);
    // Braces that hold no bounds stand for themselves.
    if (!found || (found[2] === '' && found[3] !== '')) {
      this.#at = start;
      return undefined;
    }
    const least = Number(found[1]);
    const most = found[2] === '' ? least : found[3] === '' ? undefined : Number(found[3]);
    if (least > maxRepeats || (most !== undefined && (most > maxRepeats || most < least))) {
      throw this.#refuse(found[0], `its bounds are not in order, or above ${maxRepeats}`, start);
    }
    return most === undefined ? { least } : { least, most };
  }

  #parseAtom(flags: Flags): RegexpNode | { readonly kind: 'literals'; readonly parts: readonly RegexpNode[] } {
    const start = this.#at;
    const character = this.#takeCharacter();
    switch (character) {
      case '(':
        return this.#parseGroup(flags, start);
      case '[':
        return this.#parseClass(flags, start);
      case '.':
        return {
          kind: 'set',
          set: new CodePointSet(flags.dotTakesNewline ? [] : [[newline, newline]], { isNegated: true }),
        };
      case '^':
        return { kind: 'assertion', assertion: flags.isMultiline ? 'line-start' : 'text-start' };
      case '$':
        return { kind: 'assertion', assertion: flags.isMultiline ? 'line-end' : 'text-end' };
      case '*':
      case '+':
      case '?':
        throw this.#refuse(character, 'there is nothing before it to repeat', start);
      case '\\':
        return this.#parseEscape(flags, start);
      default:
        this.#at = start;
        if (this.#sees('{') && this.#readBounds()) {
          throw this.#refuse(this.#pattern.slice(start, this.#at), 'there is nothing before it to repeat', start);
        }
        this.#takeCharacter();
        return literal(codePointOf(character), flags);
    }
  }

  /** `(?i)` and its like, which hold for the rest of the group; `undefined` when none stands here. */
  #readFlagSetting(flags: Flags): Flags | undefined {
    const found = this.#takesPattern(/\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?)\)/y);
    return found && this.#changeFlags(flags, found[1] ?? '', this.#at - found[0].length);
  }

  #parseGroup(flags: Flags, start: number): RegexpNode {
    let inner = flags;
    if (this.#sees('?')) {
      const found = this.#takesPattern(/\?([a-zA-Z]*(?:-[a-zA-Z]+)?):/y);
      const named = found ? undefined : this.#takesPattern(/\?P?<([A-Za-z0-9_]+)>/y);
      if (found) inner = this.#changeFlags(flags, found[1] ?? '', start);
      else if (named) this.#nameGroup(named[1] ?? '', start);
      else throw this.#refuseGroup(start);
    }
    this.#depth += 1;
    if (this.#depth > maxGroups) throw new RegexpError(`has groups nested deeper than ${maxGroups} levels`);
    const node = this.#parseChoice(inner);
    this.#depth -= 1;
    if (!this.#takes(')')) throw this.#refuse('(', 'it has no ")"', start);
    return node;
  }

  #nameGroup(name: string, start: number): void {
    if (this.#groupNames.has(name)) throw this.#refuse(`(?P<${name}>`, 'another group has the same name', start);
    this.#groupNames.add(name);
  }

  #refuseGroup(start: number): RegexpError {
    const opening = /\(\?(?:<[=!]?|P[=>]?|.)?/suy;
    opening.lastIndex = start;
    const text = opening.exec(this.#pattern)?.[0] ?? '(?';
    if (/^\(\?<?[=!]$/.test(text)) return this.#refuse(text, 'look-around is not supported', start);
    if (text === '(?P=') return this.#refuse(text, 'back-references are not supported', start);
    return this.#refuse(text, 'this kind of group is not supported', start);
  }

  #changeFlags(flags: Flags, text: string, start: number): Flags {
    let { ignoresCase, isMultiline, dotTakesNewline } = flags;
    let isOn = true;
    for (const flag of text) {
      if (flag === '-') isOn = false;
      else if (flag === 'i') ignoresCase = isOn;
      else if (flag === 'm') isMultiline = isOn;
      else if (flag === 's') dotTakesNewline = isOn;
      // U exchanges lazy and greedy, which makes no difference to whether there is a match.
      else if (flag !== 'U') throw this.#refuse(`(?${text}`, `the flag "${flag}" is not supported`, start);
    }
    if (text === '') return flags;
    return { ignoresCase, isMultiline, dotTakesNewline };
  }

  #parseEscape(
    flags: Flags,
    start: number,
  ): RegexpNode | { readonly kind: 'literals'; readonly parts: readonly RegexpNode[] } {
    const letter = this.#takeCharacter();
    switch (letter) {
      case 'A':
        return { kind: 'assertion', assertion: 'text-start' };
      case 'z':
        return { kind: 'assertion', assertion: 'text-end' };
      case 'b':
        return { kind: 'assertion', assertion: 'word-edge' };
      case 'B':
        return { kind: 'assertion', assertion: 'no-word-edge' };
      case 'Q': {
        const end = this.#pattern.indexOf('\\E', this.#at);
        const text = this.#pattern.slice(this.#at, end < 0 ? undefined : end);
        this.#at = end < 0 ? this.#pattern.length : end + 2;
        return { kind: 'literals', parts: Array.from(text, (one) => literal(codePointOf(one), flags)) };
      }
    }
    const ranges = perlClassOf(letter, flags);
    if (ranges) return { kind: 'set', set: new CodePointSet(ranges) };
    return literal(this.#readEscapedCharacter(letter, start), flags);
  }

  /** The one character that `\` and what follows stand for, in a class and outside. */
  #readEscapedCharacter(letter: string, start: number): number {
    if (Object.hasOwn(controlEscapes, letter)) return controlEscapes[letter] ?? 0;
    if (letter === 'x') {
      const found = this.#takesPattern(/([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,8})\}/y);
      const codePoint = found ? Number.parseInt(found[1] ?? found[2] ?? '', 16) : Number.NaN;
      if (codePoint <= 0x10ffff) return codePoint;
    }
    if (/[0-7]/.test(letter)) {
      const found = this.#takesPattern(letter === '0' ? /[0-7]{0,2}/y : /[0-7]{1,2}/y);
      if (found) return Number.parseInt(letter + found[0], 8);
    }
    if (/[1-9]/.test(letter)) throw this.#refuse(`\\${letter}`, 'back-references are not supported', start);
    // Punctuation stands for itself.
    if (/^[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]$/.test(letter)) return codePointOf(letter);
    if (letter === '') throw this.#refuse('\\', 'nothing follows it', start);
    throw this.#refuse(`\\${letter}`, 'this escape is not supported', start);
  }

  #parseClass(flags: Flags, start: number): RegexpNode {
    const isNegated = this.#takes('^');
    const ranges: CodePointRange[] = [];
    // A bracket that comes first is one of the characters.
    for (let isFirst = true; isFirst || !this.#sees(']'); isFirst = false) {
      if (this.#at >= this.#pattern.length) throw this.#refuse('[', 'it has no "]"', start);
      const group = this.#readClassGroup(flags);
      if (group) ranges.push(...group);
      else ranges.push(this.#readClassRange());
    }
    this.#takes(']');
    return { kind: 'set', set: new CodePointSet(ranges, { isNegated, ignoresCase: flags.ignoresCase }) };
  }

  /** `\d` or `[:alpha:]` in a class. */
  #readClassGroup(flags: Flags): readonly CodePointRange[] | undefined {
    const start = this.#at;
    const posix = this.#takesPattern(/\[:(\^?)([^\]:]*):\]/y);
    if (posix) {
      const name = posix[2] ?? '';
      const listed = Object.hasOwn(posixClasses, name) ? posixClasses[name] : undefined;
      if (!listed) throw this.#refuse(posix[0], 'there is no class with this name', start);
      const ranges = flags.ignoresCase ? withCaseVariants(listed) : listed;
      return posix[1] === '^' ? complementOf(ranges) : ranges;
    }
    if (!this.#sees('\\')) return undefined;
    const ranges = perlClassOf(this.#pattern.charAt(start + 1), flags);
    if (ranges) this.#at += 2;
    return ranges;
  }

  #readClassRange(): CodePointRange {
    const start = this.#at;
    const first = this.#readClassCharacter();
    // A dash at the end of the class stands for itself.
    if (!this.#sees('-') || this.#pattern.charAt(this.#at + 1) === ']' || this.#at + 1 >= this.#pattern.length) {
      return [first, first];
    }
    this.#takes('-');
    const last = this.#readClassCharacter();
    if (last < first) {
      throw this.#refuse(this.#pattern.slice(start, this.#at), 'the range ends before it begins', start);
    }
    return [first, last];
  }

  #readClassCharacter(): number {
    const start = this.#at;
    const character = this.#takeCharacter();
    return character === '\\' ? this.#readEscapedCharacter(this.#takeCharacter(), start) : codePointOf(character);
  }

  #sees(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at);
  }

  #takes(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  #takesPattern(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#pattern);
    if (!found) return undefined;
    this.#at += found[0].length;
    return found;
  }

  /** The next character, empty at the end. */
  #takeCharacter(): string {
    const codePoint = this.#pattern.codePointAt(this.#at);
    if (codePoint === undefined) return '';
    const character = String.fromCodePoint(codePoint);
    this.#at += character.length;
    return character;
  }

  #refuse(text: string, reason: string, at = this.#at): RegexpError {
    return new RegexpError(`has "${text}" at its character ${at + 1}: ${reason}`);
  }
}

function perlClassOf(letter: string, flags: Flags): readonly CodePointRange[] | undefined {
  const name = letter.toLowerCase();
  const listed = letter.length === 1 && Object.hasOwn(perlClasses, name) ? perlClasses[name] : undefined;
  if (!listed) return undefined;
  const ranges = flags.ignoresCase ? withCaseVariants(listed) : listed;
  return letter === name ? ranges : complementOf(ranges);
}

function literal(codePoint: number, flags: Flags): RegexpNode {
  return { kind: 'set', set: new CodePointSet([[codePoint, codePoint]], { ignoresCase: flags.ignoresCase }) };
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

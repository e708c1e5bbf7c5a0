import { ExpressionError } from './expression-error.ts';

/** One word or sign of an expression. */
export type Token = {
  /** As it stands in the expression; empty at the end. */
  readonly text: string;
  /** Counts from 1. */
  readonly column: number;
} & (
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  /** A name of a variable, a member or a function, or `true`, `false`, `nil`. */
  | { readonly kind: 'name' }
  /** An operator that is a word: it may also be the name of a member. */
  | { readonly kind: 'word' }
  | { readonly kind: 'sign' }
  /** A character that begins nothing; the parser refuses it where it stands, unless it refuses something earlier. */
  | { readonly kind: 'stray' }
  | { readonly kind: 'end' }
);

const wordOperators = new Set(['and', 'or', 'not', 'in', 'contains', 'startsWith', 'endsWith', 'matches']);

/** Longest first, so that `**` is not read as two `*`. */
const signs = '** == != <= >= && || .. ?. ?? ( ) [ ] { } , : . ? | + - * / % < > ! #'.split(' ');

const blank = /[ \t\r\n]+/y;
const lineComment = /\/\/[^\n]*/y;
const namePattern = /[\p{L}_$][\p{L}\p{Nd}_$]*/uy;
const wholeNumber = /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+/y;
const decimalNumber = /(?:\d[\d_]*)?(?:\.\d[\d_]*)?(?:[eE][+-]?\d[\d_]*)?/y;
const nameOrDigit = /[\p{L}\p{Nd}_$]/u;

const largestInt = 2n ** 63n - 1n;

/** The words and signs of an expression, with one token of kind `end` behind them. Comments are left out. */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const skipped = blankLength(source, at);
    if (skipped > 0) {
      at += skipped;
      continue;
    }
    const token = readToken(source, at);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', column: source.length + 1 });
  return tokens;
}

/** How long the blanks or the comment at a place are. */
function blankLength(source: string, at: number): number {
  if (source.startsWith('/*', at)) {
    const end = source.indexOf('*/', at + 2);
    if (end < 0) throw new ExpressionError('the comment "/*" has no "*/"', at + 1);
    return end + 2 - at;
  }
  return (matchAt(blank, source, at) ?? matchAt(lineComment, source, at) ?? '').length;
}

function readToken(source: string, at: number): Token {
  const column = at + 1;
  const character = source.charAt(at);
  if (character === '"' || character === "'") return readQuoted(source, at);
  if (character === '`') return readRaw(source, at);
  if (/\d/.test(character) || (character === '.' && /\d/.test(source.charAt(at + 1)))) return readNumber(source, at);

  const name = matchAt(namePattern, source, at);
  if (name !== undefined) return { kind: wordOperators.has(name) ? 'word' : 'name', text: name, column };

  const sign = signs.find((candidate) => source.startsWith(candidate, at));
  if (sign === undefined) {
    return { kind: 'stray', text: String.fromCodePoint(source.codePointAt(at) ?? 0), column };
  }
  // In `a ?.5 : b` the point belongs to the number.
  if (sign === '?.' && /\d/.test(source.charAt(at + 2))) return { kind: 'sign', text: '?', column };
  if (sign === '#') {
    const suffix = matchAt(namePattern, source, at + 1);
    if (suffix !== undefined) return { kind: 'stray', text: `#${suffix}`, column };
  }
  return { kind: 'sign', text: sign, column };
}

function readNumber(source: string, at: number): Token {
  const column = at + 1;
  const whole = matchAt(wholeNumber, source, at);
  const text = whole ?? matchAt(decimalNumber, source, at) ?? '';
  const digits = text.replaceAll('_', '');
  const next = source.charAt(at + text.length);
  if (nameOrDigit.test(next) || (whole !== undefined && digits.length === 2)) {
    throw new ExpressionError(`the number "${text}${next}" is malformed`, column);
  }
  if (/[.eE]/.test(digits) && whole === undefined) {
    const value = Number(digits);
    if (!Number.isFinite(value)) throw new ExpressionError(`the number "${text}" is too large`, column);
    return { kind: 'float', value, text, column };
  }
  const value = BigInt(digits);
  if (value > largestInt) throw new ExpressionError(`the number "${text}" is too large for 64 bits`, column);
  return { kind: 'int', value, text, column };
}

/** Text between backquotes: no escapes, and line ends are part of it. */
function readRaw(source: string, at: number): Token {
  const end = source.indexOf('`', at + 1);
  if (end < 0) throw new ExpressionError('the string has no closing `', at + 1);
  return { kind: 'string', value: source.slice(at + 1, end), text: source.slice(at, end + 1), column: at + 1 };
}

function readQuoted(source: string, start: number): Token {
  const quote = source.charAt(start);
  let value = '';
  let at = start + 1;
  for (;;) {
    const character = source.charAt(at);
    if (character === '' || character === '\n') {
      throw new ExpressionError(`the string has no closing ${quote}`, start + 1);
    }
    if (character === quote) break;
    if (character !== '\\') {
      value += character;
      at += 1;
      continue;
    }
    const escape = readEscape(source, at);
    value += escape.value;
    at += escape.length;
  }
  if (!value.isWellFormed()) throw new ExpressionError('the string has half of a surrogate pair', start + 1);
  return { kind: 'string', value, text: source.slice(start, at + 1), column: start + 1 };
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
  '`': '`',
};

const numericEscape =
  /\\(?:x(?<x>[0-9a-fA-F]{2})|u(?<u>[0-9a-fA-F]{4})|U(?<long>[0-9a-fA-F]{8})|u\{(?<braced>[0-9a-fA-F]{1,6})\}|(?<octal>[0-3][0-7]{2}))/y;

function readEscape(source: string, at: number): { readonly value: string; readonly length: number } {
  const letter = source.charAt(at + 1);
  if (Object.hasOwn(simpleEscapes, letter)) return { value: simpleEscapes[letter] ?? '', length: 2 };
  numericEscape.lastIndex = at;
  const found = numericEscape.exec(source);
  if (found) {
    const { x, u, long, braced, octal } = found.groups ?? {};
    const codePoint = octal ? Number.parseInt(octal, 8) : Number.parseInt(x ?? u ?? long ?? braced ?? '', 16);
    if (codePoint <= 0x10ffff) return { value: String.fromCodePoint(codePoint), length: found[0].length };
  }
  throw new ExpressionError(
    `the escape "\\${letter}" is not known in a string; write "\\\\" for a backslash, or put the string in backquotes`,
    at + 1,
  );
}

/** What a sticky pattern finds at a place; `undefined` when it finds nothing there. */
function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

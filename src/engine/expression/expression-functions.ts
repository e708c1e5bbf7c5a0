import { type EvaluationBudget, maxItems, maxNesting } from './evaluation-budget.ts';
import { ExpressionError } from './expression-error.ts';
import {
  type ExpressionValue,
  formatValue,
  intOf,
  kindOf,
  listOf,
  mapOf,
  type StaticKind,
  stringOf,
  type ValueKind,
} from './expression-value.ts';
import { TextSearch } from './text-search.ts';

/** A function without a predicate. */
export interface ExpressionFunction {
  /** For each parameter the kinds it takes; `undefined` for all. */
  readonly parameters: readonly (readonly ValueKind[] | undefined)[];
  /** How many of them must be given. */
  readonly required: number;
  readonly result: StaticKind;
  /** Called with values of the kinds that the parameters take. */
  run(values: readonly ExpressionValue[], context: CallContext): ExpressionValue;
}

export interface CallContext {
  readonly budget: EvaluationBudget;
  /** Where the name of the function stands. */
  readonly column: number;
}

/** Functions whose second argument is an expression that is asked about each item of a list. */
export const predicateFunctions: Readonly<
  Record<string, { readonly result: StaticKind; readonly isPredicateOptional: boolean }>
> = {
  all: { result: 'bool', isPredicateOptional: false },
  any: { result: 'bool', isPredicateOptional: false },
  none: { result: 'bool', isPredicateOptional: false },
  one: { result: 'bool', isPredicateOptional: false },
  count: { result: 'int', isPredicateOptional: true },
  filter: { result: 'list', isPredicateOptional: false },
  map: { result: 'list', isPredicateOptional: false },
};

const text: readonly ValueKind[] = ['string'];

/** A function of texts only. It may be called with fewer than it can take, down to `required`. */
function ofTexts(
  count: number,
  result: StaticKind,
  run: (texts: readonly string[], context: CallContext) => ExpressionValue,
  required = count,
): ExpressionFunction {
  return {
    parameters: Array.from({ length: count }, () => text),
    required,
    result,
    run: (values, context) => {
      const texts = values.map(stringOf);
      for (const one of texts) context.budget.spendOnText(one.length, context.column);
      return run(texts, context);
    },
  };
}

export const expressionFunctions: Readonly<Record<string, ExpressionFunction>> = {
  len: {
    parameters: [['string', 'list', 'map']],
    required: 1,
    result: 'int',
    run: ([value = null], context) => BigInt(lengthOf(value, context)),
  },
  lower: ofTexts(1, 'string', ([value = ''], context) => mapLetters(value, 'toLowerCase', context)),
  upper: ofTexts(1, 'string', ([value = ''], context) => mapLetters(value, 'toUpperCase', context)),
  trim: ofTexts(2, 'string', ([value = '', characters], context) => trimText(value, characters, context), 1),
  trimPrefix: ofTexts(2, 'string', ([value = '', prefix = '']) =>
    value.startsWith(prefix) ? value.slice(prefix.length) : value,
  ),
  trimSuffix: ofTexts(2, 'string', ([value = '', suffix = '']) =>
    value.endsWith(suffix) ? value.slice(0, value.length - suffix.length) : value,
  ),
  hasPrefix: ofTexts(2, 'bool', ([value = '', prefix = '']) => value.startsWith(prefix)),
  hasSuffix: ofTexts(2, 'bool', ([value = '', suffix = '']) => value.endsWith(suffix)),
  indexOf: ofTexts(2, 'int', ([value = '', part = ''], { budget, column }) => {
    budget.spendOnCharacters(value.length + part.length, column);
    const at = new TextSearch(part).find(value, 0);
    return BigInt(at < 0 ? -1 : countCodePoints(value.slice(0, at)));
  }),
  replace: ofTexts(3, 'string', ([value = '', old = '', replacement = ''], context) =>
    replaceAll(value, old, replacement, context),
  ),
  split: {
    parameters: [text, text, ['int']],
    required: 2,
    result: 'list',
    run: ([value, delimiter, count], context) => {
      const most = count === undefined ? -1 : Number(intOf(count));
      return splitText(stringOf(value), stringOf(delimiter), most, context);
    },
  },
  join: {
    parameters: [['list'], text],
    required: 1,
    result: 'string',
    run: ([list, delimiter = ''], context) => joinTexts(listOf(list), stringOf(delimiter), context),
  },
  int: {
    parameters: [['string', 'int', 'float']],
    required: 1,
    result: 'int',
    run: ([value = null], context) => toInt(value, context.column),
  },
  float: {
    parameters: [['string', 'int', 'float']],
    required: 1,
    result: 'float',
    run: ([value = null], context) => toFloat(value, context.column),
  },
  string: {
    parameters: [undefined],
    required: 1,
    result: 'string',
    run: ([value = null], context) => formatValue(value, context.budget, context.column),
  },
  fromJSON: ofTexts(1, 'unknown', ([value = ''], context) => readJson(value, context)),
};

/** Characters of a text, items of a list, entries of a map. */
function lengthOf(value: ExpressionValue, { budget, column }: CallContext): number {
  if (typeof value === 'string') {
    budget.spendOnText(value.length, column);
    return countCodePoints(value);
  }
  return kindOf(value) === 'map' ? mapOf(value).size : listOf(value).length;
}

function countCodePoints(value: string): number {
  let count = value.length;
  for (let at = 1; at < value.length; at += 1) {
    const unit = value.charCodeAt(at);
    const before = value.charCodeAt(at - 1);
    if (unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff) count -= 1;
  }
  return count;
}

/**
 * Each character by itself, as the language does it: no letter becomes two (`ß` stays), and what stands beside it does
 * not matter (`Σ` at the end of a word).
 */
function mapLetters(
  value: string,
  change: 'toLowerCase' | 'toUpperCase',
  { budget, column }: CallContext,
): ExpressionValue {
  budget.claimString(value.length, column);
  if (/^[\0-\x7f]*$/.test(value)) return value[change]();
  budget.spendOnCharacters(4 * value.length, column);
  let changed = '';
  for (const character of value) {
    const other = character[change]();
    if (other.length <= character.length) changed += other;
    else changed += character === '\u0130' ? 'i' : character;
  }
  return changed;
}

const unicodeSpace = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function trimText(value: string, characters: string | undefined, { budget, column }: CallContext): string {
  const cut = characters === undefined ? undefined : new Set(characters);
  const isCut = (character: string): boolean => (cut ? cut.has(character) : unicodeSpace.test(character));
  let from = 0;
  while (from < value.length) {
    const character = String.fromCodePoint(value.codePointAt(from) ?? 0);
    if (!isCut(character)) break;
    from += character.length;
  }
  let to = value.length;
  while (to > from) {
    const pair = value.slice(Math.max(from, to - 2), to);
    const character = pair.length === 2 && (pair.codePointAt(0) ?? 0) > 0xffff ? pair : value.charAt(to - 1);
    if (!isCut(character)) break;
    to -= character.length;
  }
  budget.spendOnCharacters(4 * (from + value.length - to), column);
  return value.slice(from, to);
}

function replaceAll(value: string, old: string, replacement: string, { budget, column }: CallContext): string {
  budget.spendOnCharacters(value.length + old.length, column);
  // In place of nothing: before every character, and at the end.
  const parts =
    old === '' ? ['', ...cut(value, '', Number.POSITIVE_INFINITY), ''] : cut(value, old, Number.POSITIVE_INFINITY);
  budget.spendOnCharacters(8 * parts.length, column);
  budget.claimString(value.length + (parts.length - 1) * (replacement.length - old.length), column);
  return parts.join(replacement);
}

function splitText(value: string, delimiter: string, count: number, { budget, column }: CallContext): string[] {
  budget.spendOnCharacters(value.length + delimiter.length, column);
  if (count === 0) return [];
  const parts = cut(value, delimiter, count < 0 ? maxItems + 1 : Math.min(count, maxItems + 1));
  budget.claimItems(parts.length, column);
  return parts;
}

/** At most so many parts, of which the last has the rest. Without a delimiter each character is a part. */
function cut(value: string, delimiter: string, most: number): string[] {
  if (delimiter === '' && value === '') return [];
  const search = new TextSearch(delimiter);
  const parts: string[] = [];
  let from = 0;
  while (parts.length + 1 < most) {
    const end = delimiter === '' ? characterEnd(value, from) : search.find(value, from);
    // Without a delimiter the last character is the rest.
    if (end < 0 || (delimiter === '' && end === value.length)) break;
    parts.push(value.slice(from, end));
    from = end + delimiter.length;
  }
  parts.push(value.slice(from));
  return parts;
}

function characterEnd(value: string, at: number): number {
  return at + ((value.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
}

function joinTexts(list: readonly ExpressionValue[], delimiter: string, { budget, column }: CallContext): string {
  const texts: string[] = [];
  let length = delimiter.length * Math.max(0, list.length - 1);
  for (const item of list) {
    if (typeof item !== 'string') throw new ExpressionError('the function "join" takes a list of strings only', column);
    texts.push(item);
    length += item.length;
    budget.checkStringLength(length, column);
  }
  budget.claimString(length, column);
  budget.claimItems(texts.length, column);
  return texts.join(delimiter);
}

const smallestInt = -(2n ** 63n);
const largestInt = 2n ** 63n - 1n;

function toInt(value: ExpressionValue, column: number): bigint {
  if (typeof value === 'bigint') return value;
  const int = typeof value === 'number' ? truncate(value) : parseInteger(stringOf(value));
  if (int === undefined || int < smallestInt || int > largestInt) throw cannotRead('int', value, column);
  return int;
}

function truncate(value: number): bigint | undefined {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined;
}

function parseInteger(value: string): bigint | undefined {
  return /^[+-]?\d{1,100}$/.test(value) ? BigInt(value.replace('+', '')) : undefined;
}

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const infinity = /^([+-]?)inf(?:inity)?$/i;

function toFloat(value: ExpressionValue, column: number): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const text = stringOf(value);
  const sign = infinity.exec(text)?.[1];
  if (sign !== undefined) return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  const float = text.length <= 1_000 && decimal.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(float)) throw cannotRead('float', value, column);
  return float;
}

function cannotRead(name: string, value: ExpressionValue, column: number): ExpressionError {
  const text = typeof value === 'string' ? value : String(Number(value));
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return new ExpressionError(`the function "${name}" cannot read ${shown}`, column);
}

function readJson(value: string, { budget, column }: CallContext): ExpressionValue {
  budget.claimString(value.length, column);
  budget.spendOnCharacters(value.length, column);
  const parsed = parseJson(value);
  if (parsed === undefined) {
    throw new ExpressionError('the function "fromJSON" cannot read its text: it is not JSON', column);
  }
  let items = 0;
  const convert = (part: unknown, depth: number): ExpressionValue => {
    items += 1;
    if (items > maxItems) budget.claimItems(items, column);
    if (depth > maxNesting)
      throw new ExpressionError(`the JSON text is nested deeper than ${maxNesting} levels`, column);
    if (Array.isArray(part)) return part.map((item) => convert(item, depth + 1));
    if (typeof part === 'string' || typeof part === 'boolean' || typeof part === 'number') return part;
    if (part === null || typeof part !== 'object') return null;
    return new Map(Object.entries(part).map(([key, item]) => [key, convert(item, depth + 1)]));
  };
  const converted = convert(parsed.value, 1);
  budget.claimItems(items, column);
  return converted;
}

function parseJson(value: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(value) as unknown };
  } catch {
    return undefined;
  }
}

import type { EvaluationBudget } from './evaluation-budget.ts';

/** What an expression works with. An int is a bigint of 64 bits, a float a number: the language tells them apart. */
export type ExpressionValue = string | bigint | number | boolean | null | readonly ExpressionValue[] | ExpressionMap;

export type ExpressionMap = ReadonlyMap<string, ExpressionValue>;

export type ValueKind = 'string' | 'int' | 'float' | 'bool' | 'nil' | 'list' | 'map';

/** A kind as far as it can be told before the evaluation. */
export type StaticKind = ValueKind | 'unknown';

const kindPhrases: Readonly<Record<StaticKind, string>> = {
  string: 'a string',
  int: 'an int',
  float: 'a float',
  bool: 'a bool',
  nil: 'nil',
  list: 'a list',
  map: 'a map',
  unknown: 'a value',
};

/** A kind with its article, for messages. */
export function kindPhrase(kind: StaticKind): string {
  return kindPhrases[kind];
}

export function kindOf(value: ExpressionValue): ValueKind {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'boolean':
      return 'bool';
    default:
      if (value === null) return 'nil';
      return isList(value) ? 'list' : 'map';
  }
}

function isList(value: ExpressionValue): value is readonly ExpressionValue[] {
  return Array.isArray(value);
}

/** The string that a value is, where its kind has been looked at. */
export function stringOf(value: ExpressionValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError('a string was expected');
  return value;
}

/** The int that a value is, where its kind has been looked at. */
export function intOf(value: ExpressionValue | undefined): bigint {
  if (typeof value !== 'bigint') throw new TypeError('an int was expected');
  return value;
}

/** The list that a value is, where its kind has been looked at. */
export function listOf(value: ExpressionValue | undefined): readonly ExpressionValue[] {
  if (value === undefined || !isList(value)) throw new TypeError('a list was expected');
  return value;
}

/** The map that a value is, where its kind has been looked at. */
export function mapOf(value: ExpressionValue | undefined): ExpressionMap {
  if (value === null || typeof value !== 'object' || isList(value)) throw new TypeError('a map was expected');
  return value;
}

/** Whether two values are the same; an int and a float are when their numbers are. Pays for each item compared. */
export function areEqual(
  left: ExpressionValue,
  right: ExpressionValue,
  budget: EvaluationBudget,
  column: number,
): boolean {
  // Lists may contain one another many times over, so that their tree is far larger than their memory.
  budget.spend(1, column);
  if (isNumeric(left) && isNumeric(right)) {
    return typeof left === typeof right ? left === right : Number(left) === Number(right);
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    if (typeof left === 'string' && left.length > 0) budget.spendOnText(left.length, column);
    return left === right;
  }
  if (isList(left) || isList(right)) {
    if (!isList(left) || !isList(right) || left.length !== right.length) return false;
    return left.every((item, index) => areEqual(item, right[index] ?? null, budget, column));
  }
  if (left.size !== right.size) return false;
  for (const [key, item] of left) {
    const other = right.get(key);
    if (other === undefined || !areEqual(item, other, budget, column)) return false;
  }
  return true;
}

export function isNumeric(value: ExpressionValue): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

/** Below, at or above 0 as `left` comes before, with or after `right`; by code points, which is the order of UTF-8. */
export function compareText(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) {
    if (left.charCodeAt(at) === right.charCodeAt(at)) continue;
    // From the start of the character: the second half of a pair tells nothing.
    const from = at > 0 && isLowSurrogate(left.charCodeAt(at)) && isLowSurrogate(right.charCodeAt(at)) ? at - 1 : at;
    return (left.codePointAt(from) ?? 0) - (right.codePointAt(from) ?? 0);
  }
  return left.length - right.length;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** How `string` writes a value. */
export function formatValue(value: ExpressionValue, budget: EvaluationBudget, column: number): string {
  const parts: string[] = [];
  let length = 0;
  const add = (part: string): void => {
    parts.push(part);
    length += part.length;
    budget.checkStringLength(length, column);
  };
  const write = (item: ExpressionValue): void => {
    budget.spend(1, column);
    if (item === null) add('<nil>');
    else if (typeof item === 'number') add(formatFloat(item));
    else if (typeof item !== 'object') add(String(item));
    else if (isList(item)) {
      add('[');
      for (const [index, member] of item.entries()) {
        if (index > 0) add(' ');
        write(member);
      }
      add(']');
    } else {
      add('map[');
      const keys = [...item.keys()].sort(compareText);
      for (const [index, key] of keys.entries()) {
        add(`${index > 0 ? ' ' : ''}${key}:`);
        write(item.get(key) ?? null);
      }
      add(']');
    }
  };
  write(value);
  budget.claimString(length, column);
  return parts.join('');
}

/** Shortest digits that tell the number; an exponent below 1e-4 and from 1e21, of at least two digits. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const magnitude = Math.abs(value);
  if (value === 0 || (magnitude >= 1e-4 && magnitude < 1e21)) return String(value);
  return value
    .toExponential()
    .replace(/e([+-])(\d+)$/, (_, sign: string, digits: string) => `e${sign}${digits.padStart(2, '0')}`);
}

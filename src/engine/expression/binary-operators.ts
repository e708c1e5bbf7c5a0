import type { EvaluationBudget } from './evaluation-budget.ts';
import { ExpressionError } from './expression-error.ts';
import {
  areEqual,
  compareText,
  type ExpressionValue,
  intOf,
  isNumeric,
  kindOf,
  listOf,
  mapOf,
  type StaticKind,
  stringOf,
  type ValueKind,
} from './expression-value.ts';
import { TextSearch } from './text-search.ts';

/** Operators between two values, those written in two ways under one name. */
export type BinaryOperator = ShortCircuit | ValueOperator;

/** They look at the right side only where the left one has not decided. */
export type ShortCircuit = 'and' | 'or' | '??';

export type ValueOperator =
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'contains'
  | 'startsWith'
  | 'endsWith'
  | 'matches'
  | '..'
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '**';

/** How tightly the operators bind, loosest first. `|` binds less than all of them, the `-` of a number more than `*`. */
export const precedences: Readonly<Record<BinaryOperator, number>> = {
  or: 10,
  and: 15,
  '==': 20,
  '!=': 20,
  '<': 20,
  '<=': 20,
  '>': 20,
  '>=': 20,
  in: 20,
  contains: 20,
  startsWith: 20,
  endsWith: 20,
  matches: 20,
  '..': 25,
  '+': 30,
  '-': 30,
  '*': 60,
  '/': 60,
  '%': 60,
  '**': 100,
  '??': 500,
};

/** `not` and `!` bind more than `+`, so that `not a == b` compares `not a`. */
export const notPrecedence = 50;

export const minusPrecedence = 90;

/** Operators that `not` may stand before. */
export const negatableOperators: ReadonlySet<string> = new Set(['in', 'contains', 'startsWith', 'endsWith', 'matches']);

type Signature = readonly [left: ValueKind | 'any', right: ValueKind | 'any', result: ValueKind];

const comparisons: readonly Signature[] = [
  ['int', 'int', 'bool'],
  ['int', 'float', 'bool'],
  ['float', 'int', 'bool'],
  ['float', 'float', 'bool'],
  ['string', 'string', 'bool'],
];

const arithmetic: readonly Signature[] = [
  ['int', 'int', 'int'],
  ['int', 'float', 'float'],
  ['float', 'int', 'float'],
  ['float', 'float', 'float'],
];

const floatArithmetic: readonly Signature[] = arithmetic.map(([left, right]) => [left, right, 'float']);

const onText: readonly Signature[] = [['string', 'string', 'bool']];

const signatures: Readonly<Record<Exclude<BinaryOperator, '??'>, readonly Signature[]>> = {
  or: [['bool', 'bool', 'bool']],
  and: [['bool', 'bool', 'bool']],
  '==': [['any', 'any', 'bool']],
  '!=': [['any', 'any', 'bool']],
  '<': comparisons,
  '<=': comparisons,
  '>': comparisons,
  '>=': comparisons,
  in: [
    ['any', 'list', 'bool'],
    ['string', 'map', 'bool'],
  ],
  contains: onText,
  startsWith: onText,
  endsWith: onText,
  matches: onText,
  '..': [['int', 'int', 'list']],
  '+': [...arithmetic, ['string', 'string', 'string']],
  '-': arithmetic,
  '*': arithmetic,
  '/': floatArithmetic,
  '%': [['int', 'int', 'int']],
  '**': floatArithmetic,
};

/** The kind of an operation's result as far as the kinds of its sides tell it; `undefined` when it does not take them. */
export function resultKind(operator: BinaryOperator, left: StaticKind, right: StaticKind): StaticKind | undefined {
  if (operator === '??') {
    if (left === 'nil') return right;
    return left === 'unknown' && right !== 'unknown' ? 'unknown' : left;
  }
  const results = new Set<ValueKind>();
  for (const [takesLeft, takesRight, result] of signatures[operator]) {
    if (fits(left, takesLeft) && fits(right, takesRight)) results.add(result);
  }
  const [first, second] = results;
  return second === undefined ? first : 'unknown';
}

function fits(kind: StaticKind, taken: ValueKind | 'any'): boolean {
  return taken === 'any' || kind === 'unknown' || kind === taken;
}

/** Whether values of these kinds can be equal at all: numbers with numbers, others with their like, nil with all. */
export function canBeEqual(left: StaticKind, right: StaticKind): boolean {
  const classOf = (kind: StaticKind): string => (kind === 'int' || kind === 'float' ? 'number' : kind);
  const isOpen = (kind: StaticKind): boolean => kind === 'unknown' || kind === 'nil';
  return isOpen(left) || isOpen(right) || classOf(left) === classOf(right);
}

/** What an operation works with besides its two sides. */
export interface OperationContext {
  readonly budget: EvaluationBudget;
  /** Where the operator stands. */
  readonly column: number;
  matches(text: string, pattern: string): boolean;
}

/** Does an operation whose kinds `resultKind` has found right. */
export function applyOperator(
  operator: ValueOperator,
  left: ExpressionValue,
  right: ExpressionValue,
  context: OperationContext,
): ExpressionValue {
  switch (operator) {
    case '==':
      return areEqual(left, right, context.budget, context.column);
    case '!=':
      return !areEqual(left, right, context.budget, context.column);
    case 'in':
      return isIn(left, right, context);
    case '..':
      return rangeOf(left, right, context);
    case 'contains':
    case 'startsWith':
    case 'endsWith':
    case 'matches':
      return compareParts(operator, stringOf(left), stringOf(right), context);
    default:
      if (typeof left === 'string' && typeof right === 'string') return onStrings(operator, left, right, context);
      if (isNumeric(left) && isNumeric(right)) return onNumbers(operator, left, right, context.column);
      throw new TypeError(`the kinds of "${operator}" were not looked at`);
  }
}

function isIn(item: ExpressionValue, container: ExpressionValue, { budget, column }: OperationContext): boolean {
  if (kindOf(container) === 'map') return mapOf(container).has(stringOf(item));
  return listOf(container).some((other) => areEqual(item, other, budget, column));
}

function rangeOf(from: ExpressionValue, to: ExpressionValue, { budget, column }: OperationContext): ExpressionValue {
  const first = intOf(from);
  const count = Math.max(0, Number(intOf(to) - first) + 1);
  budget.claimItems(count, column);
  return Array.from({ length: count }, (_, index) => first + BigInt(index));
}

function compareParts(
  operator: 'contains' | 'startsWith' | 'endsWith' | 'matches',
  text: string,
  part: string,
  context: OperationContext,
): boolean {
  context.budget.spendOnText(part.length, context.column);
  switch (operator) {
    case 'contains':
      context.budget.spendOnCharacters(text.length + part.length, context.column);
      return new TextSearch(part).find(text, 0) >= 0;
    case 'startsWith':
      return text.startsWith(part);
    case 'endsWith':
      return text.endsWith(part);
    case 'matches':
      return context.matches(text, part);
  }
}

type CalculatingOperator = '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%' | '**';

function onStrings(
  operator: CalculatingOperator,
  left: string,
  right: string,
  { budget, column }: OperationContext,
): ExpressionValue {
  if (operator === '+') {
    budget.claimString(left.length + right.length, column);
    return left + right;
  }
  budget.spendOnCharacters(Math.min(left.length, right.length), column);
  return isInOrder(operator, compareText(left, right));
}

function onNumbers(
  operator: CalculatingOperator,
  left: bigint | number,
  right: bigint | number,
  column: number,
): ExpressionValue {
  switch (operator) {
    case '+':
    case '-':
    case '*':
    case '%':
      return typeof left === 'bigint' && typeof right === 'bigint'
        ? onInts(operator, left, right, column)
        : onFloats(operator, Number(left), Number(right));
    case '/':
      return Number(left) / Number(right);
    case '**':
      return Number(left) ** Number(right);
    default:
      return isInOrder(operator, orderOfNumbers(left, right));
  }
}

/** Ints have 64 bits and go round at their ends. */
function onInts(operator: '+' | '-' | '*' | '%', left: bigint, right: bigint, column: number): bigint {
  switch (operator) {
    case '+':
      return BigInt.asIntN(64, left + right);
    case '-':
      return BigInt.asIntN(64, left - right);
    case '*':
      return BigInt.asIntN(64, left * right);
    case '%':
      if (right === 0n) throw new ExpressionError('an int cannot be divided by zero', column);
      return BigInt.asIntN(64, left % right);
  }
}

function onFloats(operator: '+' | '-' | '*' | '%', left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '%':
      return left % right;
  }
}

/** NaN where one of them is no number: then no order holds. */
function orderOfNumbers(left: bigint | number, right: bigint | number): number {
  if (typeof left === typeof right) return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN;
  const [leftFloat, rightFloat] = [Number(left), Number(right)];
  return leftFloat < rightFloat ? -1 : leftFloat > rightFloat ? 1 : leftFloat === rightFloat ? 0 : Number.NaN;
}

function isInOrder(operator: CalculatingOperator, order: number): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      throw new TypeError(`"${operator}" does not compare`);
  }
}

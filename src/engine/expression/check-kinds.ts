import { canBeEqual, resultKind } from './binary-operators.ts';
import { ExpressionError } from './expression-error.ts';
import { type ExpressionFunction, expressionFunctions, predicateFunctions } from './expression-functions.ts';
import { kindOf, kindPhrase, type StaticKind, type ValueKind } from './expression-value.ts';
import type { AccessLink, ExpressionNode, Operation } from './syntax-tree.ts';

/**
 * The kind of a part's value as far as it can be told without variables. Throws an ExpressionError for what cannot have a
 * value whatever they are. The same rules are asked again with the values when the expression is evaluated.
 */
export function checkKinds(node: ExpressionNode): StaticKind {
  switch (node.kind) {
    case 'literal':
      return kindOf(node.value);
    case 'variable':
      return 'string';
    case 'environment':
      return 'map';
    case 'item':
      return 'unknown';
    case 'list':
      for (const item of node.items) checkKinds(item);
      return 'list';
    case 'map':
      for (const [, value] of node.entries) checkKinds(value);
      return 'map';
    case 'not':
      requireKind(checkKinds(node.operand), ['bool'], 'the operator "not" takes', node.column);
      return 'bool';
    case 'minus': {
      const kind = checkKinds(node.operand);
      requireKind(kind, ['int', 'float'], 'the operator "-" takes', node.column);
      return kind;
    }
    case 'operations':
      return node.rest.reduce(checkOperation, checkKinds(node.first));
    case 'conditional': {
      requireKind(checkKinds(node.condition), ['bool'], 'the condition before "?" must be', node.condition.column);
      const then = checkKinds(node.then);
      const otherwise = checkKinds(node.otherwise);
      return then === otherwise ? then : 'unknown';
    }
    case 'access':
      return checkAccess(node.target, node.links);
    case 'call':
      return checkCall(node.name, node.values);
    case 'predicate-call':
      return checkPredicateCall(node.name, node.list, node.predicate);
  }
}

/** Refuses a kind that is none of those taken. */
export function requireKind(kind: StaticKind, taken: readonly ValueKind[], beginning: string, column: number): void {
  if (kind === 'unknown' || taken.includes(kind)) return;
  const phrases = taken.map(kindPhrase);
  throw new ExpressionError(`${beginning} ${phrases.join(' or ')}, not ${kindPhrase(kind)}`, column);
}

/** What an operation that does not take its two sides is told. */
export function refuseOperands(operation: Operation, left: StaticKind, right: StaticKind): ExpressionError {
  const sides =
    left === 'unknown' || right === 'unknown' ? [left, right].filter((kind) => kind !== 'unknown') : [left, right];
  return new ExpressionError(
    `the operator "${operation.text}" does not take ${sides.map(kindPhrase).join(' and ')}`,
    operation.column,
  );
}

/** Refuses an argument of a kind that the function does not take there. */
export function requireArgument(
  name: string,
  rule: ExpressionFunction,
  index: number,
  kind: StaticKind,
  column: number,
): void {
  const taken = rule.parameters[index];
  const which = rule.parameters.length === 1 ? 'the argument' : `argument ${index + 1}`;
  if (taken) requireKind(kind, taken, `${which} of the function "${name}" must be`, column);
}

function checkOperation(left: StaticKind, operation: Operation): StaticKind {
  const { operator } = operation;
  const right = checkKinds(operation.right);
  const result = resultKind(operator, left, right);
  const isComparison = operator === '==' || operator === '!=';
  if (result === undefined || (isComparison && !canBeEqual(left, right))) throw refuseOperands(operation, left, right);
  return result;
}

function checkAccess(target: ExpressionNode, links: readonly AccessLink[]): StaticKind {
  let kind = checkKinds(target);
  let isEnvironment = target.kind === 'environment';
  for (const link of links) {
    if (link.kind === 'slice') {
      for (const bound of [link.from, link.to]) {
        if (bound) requireKind(checkKinds(bound), ['int'], 'a slice takes', bound.column);
      }
      requireKind(kind, ['string', 'list'], '[:] cuts', link.column);
    } else {
      const key = checkKinds(link.key);
      if (!(kind === 'nil' && link.isOptional)) requireReadable(kind, key, link.column);
      // Behind "?." there may be nil as well, but not where the variables are read.
      kind = isEnvironment ? 'string' : 'unknown';
    }
    isEnvironment = false;
  }
  return kind;
}

/** Refuses to read a member or an item where there is none, or by the wrong kind of key. */
export function requireReadable(kind: StaticKind, key: StaticKind, column: number): void {
  if (kind === 'string') {
    throw new ExpressionError('a string has no members or items; a slice such as [0:1] reads a part of it', column);
  }
  requireKind(kind, ['map', 'list'], 'members and items are read of', column);
  if (kind === 'map') requireKind(key, ['string'], 'a map is read by', column);
  if (kind === 'list') requireKind(key, ['int'], 'a list is read by', column);
}

function checkCall(name: string, values: readonly ExpressionNode[]): StaticKind {
  const rule = expressionFunctions[name];
  for (const [index, value] of values.entries()) {
    const kind = checkKinds(value);
    if (rule) requireArgument(name, rule, index, kind, value.column);
  }
  return rule?.result ?? 'unknown';
}

function checkPredicateCall(name: string, list: ExpressionNode, predicate: ExpressionNode | undefined): StaticKind {
  requireKind(checkKinds(list), ['list'], `argument 1 of the function "${name}" must be`, list.column);
  if (predicate) {
    const kind = checkKinds(predicate);
    if (name !== 'map') requireKind(kind, ['bool'], `the predicate of "${name}" must be`, predicate.column);
  }
  return predicateFunctions[name]?.result ?? 'unknown';
}

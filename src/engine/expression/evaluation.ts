import { applyOperator, resultKind } from './binary-operators.ts';
import { refuseOperands, requireArgument, requireKind, requireReadable } from './check-kinds.ts';
import { compileRegexp } from './compile-regexp.ts';
import { EvaluationBudget } from './evaluation-budget.ts';
import { ExpressionError } from './expression-error.ts';
import { expressionFunctions } from './expression-functions.ts';
import {
  type ExpressionMap,
  type ExpressionValue,
  intOf,
  kindOf,
  listOf,
  mapOf,
  stringOf,
} from './expression-value.ts';
import type { LinearRegexp } from './linear-regexp.ts';
import type { AccessLink, ExpressionNode, Operation } from './syntax-tree.ts';

/** One evaluation of one expression: its variables, the predicates it is in, and what it has cost so far. */
export class Evaluation {
  readonly budget = new EvaluationBudget();
  readonly #variables: Readonly<Record<string, string>>;
  #environment: ExpressionMap | undefined;
  /** Items of the predicates around, the innermost last. */
  readonly #items: ExpressionValue[] = [];
  /** Regular expressions that are no literals, by their text. */
  readonly #regexps = new Map<string, LinearRegexp>();

  constructor(variables: Readonly<Record<string, string>>) {
    this.#variables = variables;
  }

  valueOf(node: ExpressionNode): ExpressionValue {
    this.budget.spend(1, node.column);
    switch (node.kind) {
      case 'literal':
        return node.value;
      case 'variable':
        return this.#variable(node.name);
      case 'environment':
        return this.#environmentMap(node.column);
      case 'item':
        return this.#items.at(-1) ?? null;
      case 'list':
        this.budget.claimItems(node.items.length, node.column);
        return node.items.map((item) => this.valueOf(item));
      case 'map':
        this.budget.claimItems(node.entries.length, node.column);
        return new Map(node.entries.map(([key, value]) => [key, this.valueOf(value)]));
      case 'not':
        return !this.#bool(node.operand, 'the operator "not" takes', node.column);
      case 'minus':
        return this.#minus(node.operand, node.column);
      case 'operations':
        return node.rest.reduce<ExpressionValue>(
          (left, operation) => this.#operate(left, operation),
          this.valueOf(node.first),
        );
      case 'conditional':
        return this.#bool(node.condition, 'the condition before "?" must be', node.condition.column)
          ? this.valueOf(node.then)
          : this.valueOf(node.otherwise);
      case 'access':
        return this.#read(node.target, node.links);
      case 'call':
        return this.#call(node.name, node.values, node.column);
      case 'predicate-call':
        return this.#callWithPredicate(node);
    }
  }

  /** An undefined name is the empty string. */
  #variable(name: string): string {
    return Object.hasOwn(this.#variables, name) ? (this.#variables[name] ?? '') : '';
  }

  #environmentMap(column: number): ExpressionMap {
    if (!this.#environment) {
      const entries = Object.entries(this.#variables);
      this.budget.claimItems(entries.length, column);
      this.#environment = new Map(entries);
    }
    return this.#environment;
  }

  #bool(node: ExpressionNode, beginning: string, column: number): boolean {
    const value = this.valueOf(node);
    requireKind(kindOf(value), ['bool'], beginning, column);
    return value === true;
  }

  #minus(operand: ExpressionNode, column: number): ExpressionValue {
    const value = this.valueOf(operand);
    requireKind(kindOf(value), ['int', 'float'], 'the operator "-" takes', column);
    return typeof value === 'bigint' ? BigInt.asIntN(64, -value) : -Number(value);
  }

  #operate(left: ExpressionValue, operation: Operation): ExpressionValue {
    const { operator, column } = operation;
    this.budget.spend(1, column);
    switch (operator) {
      case '??':
        return left ?? this.valueOf(operation.right);
      case 'and':
      case 'or': {
        requireKind(kindOf(left), ['bool'], `the operator "${operation.text}" takes`, column);
        const isDecided = left === (operator === 'or');
        return isDecided ? left : this.#bool(operation.right, `the operator "${operation.text}" takes`, column);
      }
    }
    const right = this.valueOf(operation.right);
    if (resultKind(operator, kindOf(left), kindOf(right)) === undefined) {
      throw refuseOperands(operation, kindOf(left), kindOf(right));
    }
    const result = applyOperator(operator, left, right, {
      budget: this.budget,
      column,
      matches: (text, pattern) => {
        const regexp = operation.regexp ?? this.#regexpOf(pattern, operation.right.column);
        return regexp.test(text, (states) => this.budget.spendOnStates(states, column));
      },
    });
    return operation.isNegated ? result === false : result;
  }

  #regexpOf(pattern: string, column: number): LinearRegexp {
    let regexp = this.#regexps.get(pattern);
    if (!regexp) {
      regexp = compileRegexp(pattern, column);
      this.budget.spend(pattern.length, column);
      this.budget.spendOnStates(regexp.size, column);
      this.#regexps.set(pattern, regexp);
    }
    return regexp;
  }

  #read(target: ExpressionNode, links: readonly AccessLink[]): ExpressionValue {
    let value = this.valueOf(target);
    for (const link of links) {
      this.budget.spend(1, link.column);
      if (link.kind === 'slice') {
        value = this.#slice(value, link);
        continue;
      }
      // Nothing of the rest is read either.
      if (link.isOptional && value === null) return null;
      value = this.#readKey(value, this.valueOf(link.key), link.column);
    }
    return value;
  }

  #readKey(container: ExpressionValue, key: ExpressionValue, column: number): ExpressionValue {
    requireReadable(kindOf(container), kindOf(key), column);
    if (container === this.#environment && typeof key === 'string') return this.#variable(key);
    if (kindOf(container) === 'map') return mapOf(container).get(stringOf(key)) ?? null;
    const list = listOf(container);
    const index = intOf(key);
    const found = list.at(Number(index));
    if (found === undefined) {
      const size = list.length === 1 ? '1 item' : `${list.length} items`;
      throw new ExpressionError(`the list has no item ${index}: it has ${size}`, column);
    }
    return found;
  }

  #slice(value: ExpressionValue, link: AccessLink & { readonly kind: 'slice' }): ExpressionValue {
    requireKind(kindOf(value), ['string', 'list'], '[:] cuts', link.column);
    const from = this.#bound(link.from) ?? 0;
    const to = this.#bound(link.to);
    if (typeof value === 'string') {
      this.budget.claimString(value.length, link.column);
      if (/^[\0-\x7f]*$/.test(value)) return value.slice(from, to);
      // By characters, as `len` counts them.
      this.budget.spendOnCharacters(value.length, link.column);
      return Array.from(value).slice(from, to).join('');
    }
    const list = listOf(value);
    this.budget.claimItems(list.length, link.column);
    return list.slice(from, to);
  }

  #bound(node: ExpressionNode | undefined): number | undefined {
    if (!node) return undefined;
    const value = this.valueOf(node);
    requireKind(kindOf(value), ['int'], 'a slice takes', node.column);
    return Number(intOf(value));
  }

  #call(name: string, nodes: readonly ExpressionNode[], column: number): ExpressionValue {
    const rule = expressionFunctions[name];
    if (!rule) throw new ExpressionError(`the function "${name}" is not supported`, column);
    const values = nodes.map((node, index) => {
      const value = this.valueOf(node);
      requireArgument(name, rule, index, kindOf(value), node.column);
      return value;
    });
    return rule.run(values, { budget: this.budget, column });
  }

  #callWithPredicate(node: ExpressionNode & { readonly kind: 'predicate-call' }): ExpressionValue {
    const list = this.valueOf(node.list);
    requireKind(kindOf(list), ['list'], `argument 1 of the function "${node.name}" must be`, node.list.column);
    const items = listOf(list);
    const holds = (item: ExpressionValue): boolean => {
      const value = this.#askPredicate(node.predicate, item);
      const column = (node.predicate ?? node.list).column;
      requireKind(kindOf(value), ['bool'], `the predicate of "${node.name}" must be`, column);
      return value === true;
    };
    switch (node.name) {
      case 'all':
        return items.every(holds);
      case 'any':
        return items.some(holds);
      case 'none':
        return !items.some(holds);
      case 'one':
        return items.filter(holds).length === 1;
      case 'count':
        return BigInt(items.filter(holds).length);
      case 'filter':
        this.budget.claimItems(items.length, node.column);
        return items.filter(holds);
      case 'map':
        this.budget.claimItems(items.length, node.column);
        return items.map((item) => this.#askPredicate(node.predicate, item));
      default:
        throw new ExpressionError(`the function "${node.name}" is not supported`, node.column);
    }
  }

  /** What the predicate says of the item; without a predicate the item itself. */
  #askPredicate(predicate: ExpressionNode | undefined, item: ExpressionValue): ExpressionValue {
    if (!predicate) return item;
    this.#items.push(item);
    const value = this.valueOf(predicate);
    this.#items.pop();
    return value;
  }
}

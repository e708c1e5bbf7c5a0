import {
  type BinaryOperator,
  minusPrecedence,
  negatableOperators,
  notPrecedence,
  precedences,
} from './binary-operators.ts';
import { compileRegexp } from './compile-regexp.ts';
import { maxExpressionLength, maxNesting } from './evaluation-budget.ts';
import { ExpressionError } from './expression-error.ts';
import { expressionFunctions, predicateFunctions } from './expression-functions.ts';
import { readTokens, type Token } from './read-tokens.ts';
import type { AccessLink, ExpressionNode, Operation } from './syntax-tree.ts';

/** Operators that are written in two ways, by the sign. */
const signOperators: Readonly<Record<string, BinaryOperator>> = { '&&': 'and', '||': 'or' };

/** Words of the language that begin what is not supported here. */
const unsupportedKeywords = new Set(['let', 'if']);

/** Reads an expression; throws an ExpressionError at the first token that does not belong. */
export function parseExpression(source: string): ExpressionNode {
  if (source.length > maxExpressionLength) {
    throw new ExpressionError(`the expression is longer than ${maxExpressionLength} characters`, 1);
  }
  return new ExpressionParser(readTokens(source)).parse();
}

class ExpressionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  #pipes = 0;
  /** Predicates around this place. */
  #predicates = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): ExpressionNode {
    if (this.#tokens.length === 1) throw new ExpressionError('the expression is empty', 1);
    const node = this.#parseWhole();
    if (this.#token.kind !== 'end') throw this.#unexpected();
    return node;
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', column: 1 };
  }

  get #next(): Token {
    return this.#tokens[this.#at + 1] ?? this.#token;
  }

  /** Up to where nothing more belongs to it: also `? :` and pipes, which bind least. */
  #parseWhole(): ExpressionNode {
    const condition = this.#parseOperations(0);
    if (!this.#takes('?')) return condition;
    return this.#nest(() => {
      const then = this.#parseWhole();
      this.#expect(':');
      const otherwise = this.#parseWhole();
      return { kind: 'conditional', column: condition.column, condition, then, otherwise };
    });
  }

  /** Operators that bind at least as tightly as `least`, and pipes where everything does. */
  #parseOperations(least: number): ExpressionNode {
    let node = this.#parseUnary();
    let rest: Operation[] = [];
    const close = (): ExpressionNode =>
      rest.length === 0 ? node : { kind: 'operations', column: node.column, first: node, rest };
    for (;;) {
      if (least === 0 && this.#sees('|')) {
        node = this.#parsePipe(close());
        rest = [];
        continue;
      }
      const found = this.#findOperator();
      if (!found || precedences[found.operator] < least) return close();
      const { text, column } = this.#token;
      this.#at += found.isNegated ? 2 : 1;
      const right = this.#parseRight(found.operator);
      rest.push({
        ...found,
        text: found.isNegated ? `not ${found.operator}` : text,
        column,
        right,
        ...(found.operator === 'matches' && right.kind === 'literal' && typeof right.value === 'string'
          ? { regexp: compileRegexp(right.value, right.column) }
          : {}),
      });
    }
  }

  #parseRight(operator: BinaryOperator): ExpressionNode {
    // a ** b ** c is a ** (b ** c); all others are done from left to right.
    if (operator === '**') return this.#nest(() => this.#parseOperations(precedences[operator]));
    return this.#parseOperations(precedences[operator] + 1);
  }

  #findOperator(): { readonly operator: BinaryOperator; readonly isNegated: boolean } | undefined {
    const { kind, text } = this.#token;
    if (kind !== 'sign' && kind !== 'word') return undefined;
    const name = signOperators[text] ?? text;
    if (isBinaryOperator(name)) return { operator: name, isNegated: false };
    const negated = this.#next.text;
    if (text === 'not' && negatableOperators.has(negated) && isBinaryOperator(negated)) {
      return { operator: negated, isNegated: true };
    }
    return undefined;
  }

  #parseUnary(): ExpressionNode {
    const { column, kind } = this.#token;
    if (kind !== 'sign' && kind !== 'word') return this.#parseLinks(this.#parsePrimary());
    if (this.#takes('not') || this.#takes('!')) {
      return this.#nest(() => ({ kind: 'not', column, operand: this.#parseOperations(notPrecedence) }));
    }
    if (this.#takes('-')) {
      return this.#nest(() => ({ kind: 'minus', column, operand: this.#parseOperations(minusPrecedence) }));
    }
    return this.#parseLinks(this.#parsePrimary());
  }

  #parsePrimary(): ExpressionNode {
    const token = this.#token;
    const { column } = token;
    switch (token.kind) {
      case 'int':
      case 'float':
      case 'string':
        this.#at += 1;
        return { kind: 'literal', column, value: token.value };
      case 'name':
        return this.#parseName(token);
    }
    if (this.#takes('(')) {
      return this.#nest(() => {
        const node = this.#parseWhole();
        this.#expect(')');
        return node;
      });
    }
    if (this.#takes('[')) {
      return this.#nest(() => ({ kind: 'list', column, items: this.#parseItems(']', () => this.#parseWhole()) }));
    }
    if (this.#takes('{')) {
      return this.#nest(() => ({ kind: 'map', column, entries: this.#parseItems('}', () => this.#parseEntry()) }));
    }
    if (this.#sees('#')) {
      if (this.#predicates === 0) throw this.#outsidePredicate('#');
      this.#at += 1;
      return { kind: 'item', column };
    }
    if (this.#sees('.') && (this.#next.kind === 'name' || this.#next.kind === 'word')) {
      // The links, read next, begin with the member.
      if (this.#predicates === 0) throw this.#outsidePredicate(`.${this.#next.text}`);
      return { kind: 'item', column };
    }
    throw this.#unexpected();
  }

  #outsidePredicate(text: string): ExpressionError {
    return new ExpressionError(
      `"${text}" reads the item of a predicate, and there is no predicate here`,
      this.#token.column,
    );
  }

  #parseName(token: Token): ExpressionNode {
    const { text: name, column } = token;
    this.#at += 1;
    if (this.#sees('(')) return this.#parseCall(token, undefined);
    switch (name) {
      case 'true':
        return { kind: 'literal', column, value: true };
      case 'false':
        return { kind: 'literal', column, value: false };
      case 'nil':
        return { kind: 'literal', column, value: null };
      case '$env':
        return { kind: 'environment', column };
    }
    if (unsupportedKeywords.has(name) && (this.#token.kind === 'name' || this.#token.text === '!')) {
      throw new ExpressionError(`the keyword "${name}" is not supported`, column);
    }
    if (name.includes('$')) throw new ExpressionError(`the name "${name}" is not supported`, column);
    return { kind: 'variable', column, name };
  }

  /** Arguments in brackets; `piped` is the first of them when it came through a pipe. */
  #parseCall(token: Token, piped: ExpressionNode | undefined): ExpressionNode {
    const { text: name, column } = token;
    const rule = Object.hasOwn(expressionFunctions, name) ? expressionFunctions[name] : undefined;
    const predicateRule = Object.hasOwn(predicateFunctions, name) ? predicateFunctions[name] : undefined;
    if (!rule && !predicateRule) throw new ExpressionError(`the function "${name}" is not supported`, column);
    this.#expect('(');
    return this.#nest(() => {
      const values: ExpressionNode[] = piped ? [piped] : [];
      const rest = this.#parseItems(')', () => {
        const isPredicate = predicateRule !== undefined && values.length === 1;
        const value = isPredicate ? this.#parsePredicate() : this.#parseWhole();
        values.push(value);
        return value;
      });
      const counts = rule
        ? { least: rule.required, most: rule.parameters.length }
        : { least: predicateRule?.isPredicateOptional ? 1 : 2, most: 2 };
      this.#checkCount(token, rest.length + (piped ? 1 : 0), counts);
      if (rule) return { kind: 'call', column, name, values };
      const [list, predicate] = values;
      if (!list) throw this.#unexpected();
      return { kind: 'predicate-call', column, name, list, predicate };
    });
  }

  #checkCount(token: Token, given: number, { least, most }: { readonly least: number; readonly most: number }): void {
    if (given >= least && given <= most) return;
    const expected = least === most ? String(least) : `${least} to ${most}`;
    const noun = expected === '1' ? 'argument' : 'arguments';
    throw new ExpressionError(
      `the function "${token.text}" takes ${expected} ${noun}, and ${given} ${given === 1 ? 'is' : 'are'} given`,
      token.column,
    );
  }

  #parsePredicate(): ExpressionNode {
    this.#predicates += 1;
    const hasBraces = this.#takes('{');
    const node = this.#parseWhole();
    if (hasBraces) this.#expect('}');
    this.#predicates -= 1;
    return node;
  }

  #parsePipe(left: ExpressionNode): ExpressionNode {
    this.#expect('|');
    this.#pipes += 1;
    if (this.#pipes > maxNesting) {
      throw new ExpressionError(`the expression has more than ${maxNesting} pipes`, this.#token.column);
    }
    const token = this.#token;
    if (token.kind !== 'name' || this.#next.text !== '(') {
      throw new ExpressionError('after "|" there must be a function with its arguments in brackets', token.column);
    }
    this.#at += 1;
    return this.#parseLinks(this.#parseCall(token, left));
  }

  /** Members, items and slices that are read from a value. */
  #parseLinks(target: ExpressionNode): ExpressionNode {
    const links: AccessLink[] = [];
    for (;;) {
      const { column } = this.#token;
      const isOptional = this.#sees('?.');
      if (isOptional && this.#next.text === '[') {
        this.#at += 2;
        links.push(this.#parseBracketLink(column, true));
      } else if (isOptional || this.#sees('.')) {
        this.#at += 1;
        links.push({ kind: 'key', column, key: this.#parseMember(), isOptional });
      } else if (this.#takes('[')) {
        links.push(this.#parseBracketLink(column, false));
      } else {
        return links.length === 0 ? target : { kind: 'access', column: target.column, target, links };
      }
    }
  }

  #parseMember(): ExpressionNode {
    const token = this.#token;
    if (token.kind !== 'name' && token.kind !== 'word') throw this.#unexpected();
    if (this.#next.text === '(') {
      throw new ExpressionError(`the function "${token.text}" is not supported`, token.column);
    }
    this.#at += 1;
    return { kind: 'literal', column: token.column, value: token.text };
  }

  #parseBracketLink(column: number, isOptional: boolean): AccessLink {
    return this.#nest(() => {
      const from = this.#sees(':') ? undefined : this.#parseWhole();
      if (!isOptional && this.#takes(':')) {
        const to = this.#sees(']') ? undefined : this.#parseWhole();
        this.#expect(']');
        return { kind: 'slice', column, from, to };
      }
      if (!from) throw this.#unexpected();
      this.#expect(']');
      return { kind: 'key', column, key: from, isOptional };
    });
  }

  #parseEntry(): readonly [string, ExpressionNode] {
    const token = this.#token;
    if (token.kind !== 'string' && token.kind !== 'name' && token.kind !== 'word') throw this.#unexpected();
    this.#at += 1;
    this.#expect(':');
    return [token.kind === 'string' ? token.value : token.text, this.#parseWhole()];
  }

  /** Parts between commas, up to the closing bracket. A comma behind the last one is allowed. */
  #parseItems<T>(closing: string, parseItem: () => T): T[] {
    const items: T[] = [];
    while (!this.#takes(closing)) {
      items.push(parseItem());
      if (!this.#sees(closing)) this.#expect(',');
    }
    return items;
  }

  #nest<T>(parse: () => T): T {
    this.#depth += 1;
    if (this.#depth > maxNesting) {
      throw new ExpressionError(`the expression is nested deeper than ${maxNesting} levels`, this.#token.column);
    }
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #sees(text: string): boolean {
    const token = this.#token;
    return (token.kind === 'sign' || token.kind === 'word') && token.text === text;
  }

  #takes(text: string): boolean {
    if (!this.#sees(text)) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw this.#unexpected(text);
  }

  #unexpected(expected?: string): ExpressionError {
    const { kind, text, column } = this.#token;
    const instead = expected === undefined ? '' : `; "${expected}" is missing`;
    if (kind === 'end') return new ExpressionError(`the expression ends too early${instead}`, column);
    if (kind === 'stray') {
      const advice = text === '=' ? '; "==" compares' : '';
      return new ExpressionError(`the token "${text}" is not supported${advice}`, column);
    }
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return new ExpressionError(`the token "${shown}" is not expected here${instead}`, column);
  }
}

function isBinaryOperator(text: string): text is BinaryOperator {
  return Object.hasOwn(precedences, text);
}

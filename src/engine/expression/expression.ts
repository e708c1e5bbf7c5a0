import { checkKinds } from './check-kinds.ts';
import { Evaluation } from './evaluation.ts';
import { ExpressionError } from './expression-error.ts';
import { kindOf, kindPhrase, type StaticKind } from './expression-value.ts';
import { parseExpression } from './parse-expression.ts';
import type { ExpressionNode } from './syntax-tree.ts';

export { ExpressionError } from './expression-error.ts';

/** An expression that can be evaluated any number of times. It holds compiled regular expressions and is no plain data. */
export interface Expression {
  readonly root: ExpressionNode;
}

/**
 * Compiles an expression of Woodpecker's `when.evaluate`: the part of the expr language (expr-lang.org) that pipelines.md
 * 11.4 names. Throws an ExpressionError for whatever is malformed or outside of that part, for kinds of values that do not
 * fit, and for a result that cannot be a bool.
 */
export function compileExpression(source: string): Expression {
  const root = parseExpression(source);
  requireBool(checkKinds(root), root);
  return { root };
}

/**
 * Whether the expression holds. All variables are strings, and one that is not there is the empty string; `$env` holds
 * those that are there. Throws an ExpressionError when it has no answer: kinds that do not fit, an item that is not there,
 * or more work than an expression may be.
 */
export function evaluateExpression(expression: Expression, variables: Readonly<Record<string, string>>): boolean {
  const value = new Evaluation(variables).valueOf(expression.root);
  requireBool(kindOf(value), expression.root);
  return value === true;
}

function requireBool(kind: StaticKind, root: ExpressionNode): void {
  if (kind === 'bool' || kind === 'unknown') return;
  throw new ExpressionError(`the result must be a bool, and it is ${kindPhrase(kind)}`, root.column);
}

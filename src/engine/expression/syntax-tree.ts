import type { BinaryOperator } from './binary-operators.ts';
import type { LinearRegexp } from './linear-regexp.ts';

/** A part of an expression that has a value. The column, from 1, is where it begins. */
export type ExpressionNode = { readonly column: number } & (
  | { readonly kind: 'literal'; readonly value: string | bigint | number | boolean | null }
  | { readonly kind: 'variable'; readonly name: string }
  /** `$env`: all variables as a map. */
  | { readonly kind: 'environment' }
  /** `#`: the item that a predicate is asked about. */
  | { readonly kind: 'item' }
  | { readonly kind: 'list'; readonly items: readonly ExpressionNode[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [key: string, value: ExpressionNode])[] }
  | { readonly kind: 'not'; readonly operand: ExpressionNode }
  | { readonly kind: 'minus'; readonly operand: ExpressionNode }
  /** Operations done one after the other on what the first operand and those before them gave. */
  | { readonly kind: 'operations'; readonly first: ExpressionNode; readonly rest: readonly Operation[] }
  | {
      readonly kind: 'conditional';
      readonly condition: ExpressionNode;
      readonly then: ExpressionNode;
      readonly otherwise: ExpressionNode;
    }
  | { readonly kind: 'access'; readonly target: ExpressionNode; readonly links: readonly AccessLink[] }
  | { readonly kind: 'call'; readonly name: string; readonly values: readonly ExpressionNode[] }
  /** A call with a predicate, which is left out only for `count`. */
  | {
      readonly kind: 'predicate-call';
      readonly name: string;
      readonly list: ExpressionNode;
      readonly predicate: ExpressionNode | undefined;
    }
);

export interface Operation {
  readonly operator: BinaryOperator;
  /** `not in` and its like. */
  readonly isNegated: boolean;
  /** The operator as it is written. */
  readonly text: string;
  /** Where the operator stands. */
  readonly column: number;
  readonly right: ExpressionNode;
  /** The right side of `matches` where it is a literal. */
  readonly regexp?: LinearRegexp;
}

/** What follows a value to read a part of it. */
export type AccessLink = { readonly column: number } & (
  | {
      readonly kind: 'key';
      readonly key: ExpressionNode;
      /** `?.`: nothing more is read where there is nil. */
      readonly isOptional: boolean;
    }
  | { readonly kind: 'slice'; readonly from: ExpressionNode | undefined; readonly to: ExpressionNode | undefined }
);

import { ExpressionError } from './expression-error.ts';
import { LinearRegexp } from './linear-regexp.ts';
import { RegexpError } from './parse-regexp.ts';

/** Compiles the right side of `matches`; throws an ExpressionError at the column. */
export function compileRegexp(pattern: string, column: number): LinearRegexp {
  try {
    return new LinearRegexp(pattern);
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    throw new ExpressionError(`the regular expression ${error.message}`, column);
  }
}

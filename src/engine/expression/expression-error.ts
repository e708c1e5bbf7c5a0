/** Why an expression cannot be compiled or has no result. The message is a sentence without its end point. */
export class ExpressionError extends Error {
  /** Counts from 1, in UTF-16 units from the start of the expression, line ends included. */
  readonly column: number;

  constructor(message: string, column: number) {
    super(message);
    this.name = 'ExpressionError';
    this.column = column;
  }
}

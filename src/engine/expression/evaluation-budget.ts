import { ExpressionError } from './expression-error.ts';

/** Longest expression, in characters. */
export const maxExpressionLength = 4_096;

/** Brackets, calls, branches, negations and powers inside one another; also the levels of a JSON text. */
export const maxNesting = 50;

/** Work of one evaluation: a part of the expression that is evaluated is one step, long texts and lists cost more. */
export const maxSteps = 100_000;

/** Longest string that an expression may build, in characters. */
export const maxStringLength = 1_048_576;

/** Longest list or map that an expression may build. */
export const maxItems = 10_000;

/** A step pays for so many characters, items, or states of a regular expression: each takes about as long. */
const charactersPerStep = 256;
const slowCharactersPerStep = 64;
const itemsPerStep = 16;
const statesPerStep = 50;

const withCommas = (count: number): string => count.toLocaleString('en-US');

/** Counts what one evaluation does. Time depends on the machine; steps are the same everywhere. */
export class EvaluationBudget {
  #spent = 0;

  get spentSteps(): number {
    return this.#spent;
  }

  /** Pays for steps; throws an ExpressionError when there are none left. */
  spend(steps: number, column: number): void {
    this.#spent += steps;
    if (this.#spent > maxSteps) {
      throw new ExpressionError(`the expression takes more than ${withCommas(maxSteps)} steps`, column);
    }
  }

  /** Pays for reading so many characters. */
  spendOnText(length: number, column: number): void {
    this.spend(Math.ceil(length / charactersPerStep), column);
  }

  /** Pays for so many characters that are looked at one by one. */
  spendOnCharacters(length: number, column: number): void {
    this.spend(Math.ceil(length / slowCharactersPerStep), column);
  }

  /** Pays for so many states of a regular expression that were looked at. */
  spendOnStates(states: number, column: number): void {
    this.spend(states / statesPerStep, column);
  }

  /** Refuses a new string that would be too long. */
  checkStringLength(length: number, column: number): void {
    if (length <= maxStringLength) return;
    throw new ExpressionError(
      `the expression builds a string of more than ${withCommas(maxStringLength)} characters`,
      column,
    );
  }

  /** Asks for a new string of this length before it is built, and pays for it. */
  claimString(length: number, column: number): void {
    this.checkStringLength(length, column);
    this.spendOnText(length, column);
  }

  /** Asks for a new list or map with so many items before it is built, and pays for it. */
  claimItems(count: number, column: number): void {
    if (count > maxItems) {
      throw new ExpressionError(
        `the expression builds a list or map of more than ${withCommas(maxItems)} items`,
        column,
      );
    }
    this.spend(Math.ceil(count / itemsPerStep), column);
  }
}

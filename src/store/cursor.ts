import { GantryError } from '../core/errors.ts';

/** The place after which a page goes on, as text that says nothing to its reader. */
export function toCursor(values: readonly number[]): string {
  return Buffer.from(values.join('.')).toString('base64url');
}

/** Reads a cursor of `count` numbers; refuses what we did not make with REQUEST_INVALID. */
export function fromCursor(cursor: string, count: number): number[] {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const values = text.split('.').map(Number);
  if (!/^\d{1,16}(\.\d{1,16})*$/.test(text) || values.length !== count || !values.every(Number.isSafeInteger)) {
    throw new GantryError('REQUEST_INVALID', 'Cannot continue the list: "after" is not a cursor of this list');
  }
  return values;
}

import type { Kysely } from 'kysely';
import type { Tables } from './tables.ts';

export type Dialect = 'sqlite' | 'postgres';

export type Row = Record<string, unknown>;

export interface Answer {
  readonly rows: readonly Row[];
  /** Rows that the statement changed, or answered. */
  readonly changes: number;
  /** SQLite, after an insert that answers no rows: the id of the last row. */
  readonly lastId?: number;
}

/**
 * One connection to the database, whichever it is. Statements run in the order in which they are given.
 * Values pass through `toParameter` on their way in; instants and flags come out as numbers, bytes as `Buffer`.
 */
export interface Connection {
  readonly dialect: Dialect;
  /** Builds queries and runs them on this very connection. */
  readonly db: Kysely<Tables>;
  execute(sql: string, parameters: readonly unknown[]): Promise<Answer>;
  /** One statement with many sets of parameters, in order; what it answers is not kept. */
  executeMany(sql: string, parameterSets: readonly (readonly unknown[])[]): Promise<void>;
  /** Several statements without parameters: migrations and transactions. */
  script(sql: string): Promise<void>;
  /** Whether a transaction is open: some errors of SQLite end it by themselves. */
  isInTransaction(): boolean;
  /** Tidies up what commits leave behind, where the database does not do so by itself. Called when nobody waits. */
  tidy?(): void;
  close(): Promise<void>;
}

/** What a database can be given. */
export type Parameter = null | number | bigint | string | Uint8Array;

/**
 * The one place where our values become the database's: an instant is its milliseconds, a flag 0 or 1,
 * nothing is NULL. Anything else that is no plain value is a mistake of ours and throws.
 */
export function toParameter(value: unknown): Parameter {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'string':
    case 'bigint':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`Cannot store ${value}: it is not a finite number`);
      return value;
    case 'boolean':
      return value ? 1 : 0;
    default:
      if (value instanceof Date) {
        const ms = value.getTime();
        if (Number.isNaN(ms)) throw new TypeError('Cannot store an instant: the date is invalid');
        return ms;
      }
      if (value instanceof Uint8Array) return value;
      throw new TypeError(`Cannot store a value of type ${typeof value}: write it as text first`);
  }
}

/** As `toParameter`, for all values of a statement: the very list where all are plain already. */
export function toParameters(values: readonly unknown[]): readonly Parameter[] {
  if (values.every(isPlain)) return values as readonly Parameter[];
  const parameters: Parameter[] = [];
  for (const value of values) parameters.push(toParameter(value));
  return parameters;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || value === null || (typeof value === 'number' && Number.isFinite(value));
}

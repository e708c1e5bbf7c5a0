import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { type Answer, type Connection, type Row, toParameters } from './connection.ts';
import { kyselyOver } from './kysely-over.ts';
import type { Tables } from './tables.ts';

interface Prepared {
  readonly statement: StatementSync;
  /** Whether it answers rows: `select`, and every `returning`. */
  readonly answers: boolean;
  readonly byteColumns: readonly string[];
}

/** Statements kept ready; lists of values give a statement per length, so there is no natural end. */
const statementLimit = 500;

const noRows: readonly Row[] = [];

/** A connection to a SQLite file. A reader sees committed data only and cannot write. */
export class SqliteConnection implements Connection {
  readonly dialect = 'sqlite';
  readonly db: Kysely<Tables>;
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  constructor(path: string, options: { readonly mode: 'write' | 'read'; readonly isDurable: boolean }) {
    this.#database = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
    // busy_timeout first: the switch to WAL may find the file busy.
    this.#database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA trusted_schema = OFF;');
    this.#database.exec(`PRAGMA synchronous = ${options.isDurable ? 'FULL' : 'OFF'}`);
    // As a backstop under a load that never pauses; usually the log is copied back while nobody waits (`tidy`).
    this.#database.exec('PRAGMA wal_autocheckpoint = 4000');
    if (options.mode === 'read') this.#database.exec('PRAGMA query_only = ON');
    this.db = kyselyOver('sqlite', (sql, parameters) => this.execute(sql, parameters));
  }

  async execute(sql: string, parameters: readonly unknown[]): Promise<Answer> {
    const { statement, answers, byteColumns } = this.#prepare(sql);
    const values = toParameters(parameters);
    if (!answers) {
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: noRows, changes: Number(changes), lastId: Number(lastInsertRowid) };
    }
    const rows = statement.all(...values) as Row[];
    for (const column of byteColumns) for (const row of rows) row[column] = asBuffer(row[column]);
    return { rows, changes: rows.length };
  }

  async executeMany(sql: string, parameterSets: readonly (readonly unknown[])[]): Promise<void> {
    const { statement } = this.#prepare(sql);
    for (const parameters of parameterSets) statement.run(...toParameters(parameters));
  }

  async script(sql: string): Promise<void> {
    this.#database.exec(sql);
  }

  isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  tidy(): void {
    if (this.#database.isOpen && !this.#database.isTransaction) this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  async close(): Promise<void> {
    this.#prepared.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    const columns = statement.columns();
    const prepared: Prepared = {
      statement,
      answers: columns.length > 0,
      byteColumns: columns.filter((column) => column.type === 'BLOB').map((column) => column.name),
    };
    if (this.#prepared.size >= statementLimit) {
      const oldest = this.#prepared.keys().next();
      if (!oldest.done) this.#prepared.delete(oldest.value);
    }
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

function asBuffer(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

import type { Kysely } from 'kysely';
import pg from 'pg';
import { GantryError } from '../core/errors.ts';
import { type Answer, type Connection, type Row, toParameter } from './connection.ts';
import { kyselyOver } from './kysely-over.ts';
import type { Tables } from './tables.ts';

/** Connections that reads share. */
const readers = 4;
const connectTimeoutMs = 10_000;
const bigintOid = 20;
const numericOid = 1700;

/** Numbers as numbers: our ids and milliseconds stay far below 2^53. Everything else as pg reads it. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === bigintOid || oid === numericOid ? toNumber : pg.types.getTypeParser(oid, format)) as never,
};

/** What both a single connection and a pool can do. */
interface Queryable {
  query(query: { text: string; values?: unknown[]; name?: string }): Promise<pg.QueryResult>;
  end(): Promise<void>;
}

/** A connection to PostgreSQL, or for reading a few of them. */
class PostgresConnection implements Connection {
  readonly dialect = 'postgres';
  readonly db: Kysely<Tables>;
  readonly #client: Queryable;
  #isInTransaction = false;
  #isClosed = false;

  constructor(client: Queryable) {
    this.#client = client;
    this.db = kyselyOver('postgres', (sql, parameters) => this.execute(sql, parameters));
  }

  async execute(sql: string, parameters: readonly unknown[]): Promise<Answer> {
    const result = await this.#client.query({ text: sql, values: parameters.map(asValue) });
    return { rows: result.rows as Row[], changes: result.rowCount ?? 0 };
  }

  async executeMany(sql: string, parameterSets: readonly (readonly unknown[])[]): Promise<void> {
    // Handed over together: the client sends each as soon as the one before is answered.
    const answers = await Promise.allSettled(parameterSets.map((parameters) => this.execute(sql, parameters)));
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  async script(sql: string): Promise<void> {
    await this.#client.query({ text: sql });
    if (sql === 'begin') this.#isInTransaction = true;
    if (sql === 'commit' || sql === 'rollback') this.#isInTransaction = false;
  }

  isInTransaction(): boolean {
    return this.#isInTransaction;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#client.end();
  }
}

/** Opens the writer's connection and those for reading. Throws DATABASE_FAILED when the server cannot be reached. */
export async function connectPostgres(
  url: string,
): Promise<{ writing: Connection; reading: Connection; release: () => Promise<void> }> {
  const settings = { connectionString: url, connectionTimeoutMillis: connectTimeoutMs, types };
  const client = new pg.Client(settings);
  const pool = new pg.Pool({ ...settings, max: readers, options: '-c default_transaction_read_only=on' });
  // A broken connection fails the next query on it, whose caller is told; without a listener it would end the process.
  client.on('error', () => {});
  pool.on('error', () => {});
  try {
    await client.connect();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new GantryError('DATABASE_FAILED', `Cannot reach PostgreSQL: ${message}`, { cause });
  }
  const writing = new PostgresConnection(client);
  const reading = new PostgresConnection(pool);
  return {
    writing,
    reading,
    async release() {
      await reading.close();
      await writing.close();
    },
  };
}

function asValue(value: unknown): unknown {
  const parameter = toParameter(value);
  return parameter instanceof Uint8Array
    ? Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength)
    : parameter;
}

function toNumber(text: string): number {
  return Number(text);
}

import type { Kysely } from 'kysely';
import pg from 'pg';
import { GantryError } from '../core/errors.ts';
import { type Answer, type Connection, type Row, toParameter } from './connection.ts';
import { kyselyOver } from './kysely-over.ts';
import type { Tables } from './tables.ts';

/** Connections that reads share. */
const readers = 4;
const connectTimeoutMs = 10_000;
const lockTimeoutMs = 5_000;
/** Any number that is ours alone: "gantry" in ASCII. */
const lockKey = 0x67616e747279;
const lockNotAvailable = '55P03';
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
    for (const parameters of parameterSets) await this.execute(sql, parameters);
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
    throw new GantryError('DATABASE_FAILED', `Cannot reach PostgreSQL: ${messageOf(cause)}`, { cause });
  }
  try {
    await lockDatabase(client);
  } catch (error) {
    await client.end();
    throw error;
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

/**
 * Takes the database for this process as `lock.db` takes a data folder: held by the session, free when it ends.
 * The session of a server that was killed ends within moments, so a few seconds of patience are enough.
 */
async function lockDatabase(client: pg.Client): Promise<void> {
  try {
    await client.query(`set lock_timeout = ${lockTimeoutMs}`);
    await client.query(`select pg_advisory_lock(${lockKey})`);
    await client.query('reset lock_timeout');
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== lockNotAvailable) {
      throw new GantryError('DATABASE_FAILED', `Cannot lock the database: ${messageOf(cause)}`, { cause });
    }
    throw new GantryError('DATA_FOLDER_IN_USE', 'Cannot use the database: another Gantry server is running on it', {
      cause,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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

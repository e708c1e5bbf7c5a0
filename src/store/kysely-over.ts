import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Answer, Dialect } from './connection.ts';
import type { Tables } from './tables.ts';

/**
 * A query builder that runs on one connection of ours. Transactions are the writer's alone,
 * so the builder's own are refused.
 */
export function kyselyOver(
  dialect: Dialect,
  execute: (sql: string, parameters: readonly unknown[]) => Promise<Answer>,
): Kysely<Tables> {
  const driver = new ConnectionDriver(execute);
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => (dialect === 'sqlite' ? new SqliteAdapter() : new PostgresAdapter()),
      createDriver: () => driver,
      createIntrospector: (db) => (dialect === 'sqlite' ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
      createQueryCompiler: () => (dialect === 'sqlite' ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
  });
}

class ConnectionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(execute: (sql: string, parameters: readonly unknown[]) => Promise<Answer>) {
    this.#connection = {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        const answer = await execute(query.sql, query.parameters);
        return { rows: answer.rows as R[], numAffectedRows: BigInt(answer.changes) };
      },
      streamQuery(): never {
        throw new TypeError('Cannot stream a query: read it by pages instead');
      },
    };
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<void> {
    throw new TypeError('Cannot begin a transaction here: the writer does');
  }

  async commitTransaction(): Promise<void> {
    throw new TypeError('Cannot commit here: the writer does');
  }

  async rollbackTransaction(): Promise<void> {
    throw new TypeError('Cannot roll back here: the writer does');
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

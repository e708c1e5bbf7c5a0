import type { Kysely } from 'kysely';
import type { Answer, Connection } from './connection.ts';
import { kyselyOver } from './kysely-over.ts';
import type { Tables } from './tables.ts';

/**
 * The writer's connection as the stores see it: it refuses statements outside a caller's turn, so that a store kept
 * beyond its callback cannot write into somebody else's savepoint unseen, or outside any transaction.
 */
export class GuardedConnection implements Connection {
  readonly dialect: Connection['dialect'];
  readonly db: Kysely<Tables>;
  readonly #inner: Connection;
  readonly #mayRun: () => boolean;

  constructor(inner: Connection, mayRun: () => boolean) {
    this.dialect = inner.dialect;
    this.#inner = inner;
    this.#mayRun = mayRun;
    this.db = kyselyOver(inner.dialect, (sql, parameters) => this.execute(sql, parameters));
  }

  execute(sql: string, parameters: readonly unknown[]): Promise<Answer> {
    return this.#mayRun() ? this.#inner.execute(sql, parameters) : Promise.reject(outside());
  }

  executeMany(sql: string, parameterSets: readonly (readonly unknown[])[]): Promise<void> {
    return this.#mayRun() ? this.#inner.executeMany(sql, parameterSets) : Promise.reject(outside());
  }

  script(): Promise<void> {
    return Promise.reject(new TypeError('Cannot run a script through a store: migrations and the writer do'));
  }

  isInTransaction(): boolean {
    return this.#inner.isInTransaction();
  }

  close(): Promise<void> {
    return Promise.reject(new TypeError('Cannot close the connection through a store: its opener does'));
  }
}

function outside(): TypeError {
  return new TypeError('Cannot write here: the callback of this write has ended. Await every call within it');
}

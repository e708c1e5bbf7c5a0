import type { Compilable, Kysely } from 'kysely';
import type { Connection } from './connection.ts';
import type { Tables } from './tables.ts';

/** A statement whose SQL is built once; each run only hands in new values. */
export interface PreparedStatement<Values, Result> {
  run(values: Values): Promise<readonly Result[]>;
  /** Many sets of values in order, for statements whose answer nobody needs. */
  runMany(values: readonly Values[]): Promise<void>;
}

class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Builds a query once for a connection, on its first run. Building costs ten times what SQLite needs to run it, so the
 * engine's hot writes go through this.
 *
 *     const rename = prepare<{ id: number; name: string }>()(connection, (db, value) =>
 *       db.updateTable('project').set({ name: value.name }).where('id', '=', value.id));
 *     await rename.run({ id: 7, name: 'storefront' });
 */
export function prepare<Values extends object>() {
  return <Result>(
    connection: Connection,
    build: (db: Kysely<Tables>, value: Values) => Compilable<Result>,
  ): PreparedStatement<Values, Result> => {
    let compiled: { readonly sql: string; readonly order: (values: Values) => unknown[] } | undefined;
    const compile = (): NonNullable<typeof compiled> => {
      if (compiled) return compiled;
      const placeholders = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) }) as Values;
      const { sql, parameters } = build(connection.db, placeholders).compile();
      const names = parameters.map((parameter) =>
        parameter instanceof Placeholder ? (parameter.name as keyof Values) : undefined,
      );
      compiled = {
        sql,
        order: (values) => {
          const ordered = [...parameters];
          for (let at = 0; at < names.length; at += 1) {
            const name = names[at];
            if (name !== undefined) ordered[at] = values[name];
          }
          return ordered;
        },
      };
      return compiled;
    };
    return {
      async run(values) {
        const { sql, order } = compile();
        return (await connection.execute(sql, order(values))).rows as readonly Result[];
      },
      async runMany(values) {
        const { sql, order } = compile();
        await connection.executeMany(sql, values.map(order));
      },
    };
  };
}

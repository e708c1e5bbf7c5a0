import type { Connection } from './connection.ts';

/** Rows per statement, largest first: starting a statement costs as much as writing two rows (10,000 rows: 22 ms one by one, 10 so). */
const chunks = [64, 8, 1] as const;

/** How rows are put into a table. */
export interface Insertion {
  /** In the order of the values. */
  readonly columns: readonly string[];
  /** The statement for so many rows; built once. */
  readonly sqlFor: (rows: number) => string;
}

/** Describes an insertion. Names come from the program, never from outside: they become part of the statement. */
export function insertion(table: string, columns: readonly string[]): Insertion {
  const statements = new Map<number, string>();
  const row = `(${columns.map(() => '?').join(', ')})`;
  const names = columns.map((column) => `"${column}"`).join(', ');
  return {
    columns,
    sqlFor(rows) {
      let sql = statements.get(rows);
      if (sql === undefined) {
        sql = `insert into "${table}" (${names}) values ${Array.from({ length: rows }, () => row).join(', ')}`;
        statements.set(rows, sql);
      }
      return sql;
    },
  };
}

/**
 * SQLite only: inserts rows in the order given and answers the id of each. Within one statement a table without
 * triggers numbers its rows without a gap, in their order, since nobody else writes meanwhile; that saves a `returning`,
 * which costs more than the insert. `values` holds row after row, each with a value per column.
 */
export async function insertRows(
  connection: Connection,
  { columns, sqlFor }: Insertion,
  values: readonly unknown[],
): Promise<readonly number[]> {
  const width = columns.length;
  const ids: number[] = [];
  let at = 0;
  for (const rows of chunks) {
    const step = rows * width;
    while (values.length - at >= step) {
      const { lastId } = await connection.execute(sqlFor(rows), values.slice(at, at + step));
      if (lastId === undefined) throw new TypeError('Cannot insert rows: the database did not say which ids they got');
      for (let id = lastId - rows + 1; id <= lastId; id += 1) ids.push(id);
      at += step;
    }
  }
  return ids;
}

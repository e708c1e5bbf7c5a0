import type { Happening, HappeningStore, StoredHappening } from '../core/events.ts';
import type { Connection } from './connection.ts';
import { prepare } from './prepare.ts';

/** Name of the setting that holds the last sequence number that was forgotten. */
const forgottenThrough = 'happenings.forgotten-through';

/** So many go in one statement: a single one costs as much to start as ten rows to write. */
const manyHappenings = 4;

const insertMany = {
  sqlite: 'insert into "happening" ("at", "body") select ?, value from json_each(?) order by key returning "sequence"',
  postgres:
    'insert into "happening" ("at", "body") select $1::bigint, value from ' +
    'json_array_elements_text($2::json) with ordinality as list(value, place) order by place returning "sequence"',
} as const;

/** What happened, in the database. `remember` is told of each that is stored, for publishing after the commit. */
export function createHappeningStore(
  connection: Connection,
  remember: (happening: StoredHappening) => void,
): HappeningStore {
  const { db } = connection;
  const insert = prepare<{ at: Date; body: string }>()(connection, (_, value) =>
    db.insertInto('happening').values({ at: value.at, body: value.body }).returning('sequence'),
  );

  async function forgotten(): Promise<number> {
    const row = await db.selectFrom('setting').select('value').where('name', '=', forgottenThrough).executeTakeFirst();
    return Number(row?.value ?? 0);
  }

  async function lastSequence(): Promise<number> {
    const row = await db
      .selectFrom('happening')
      .select('sequence')
      .orderBy('sequence', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row?.sequence ?? (await forgotten());
  }

  return {
    async append(happenings: readonly Happening[], at: Date) {
      if (happenings.length < manyHappenings) {
        for (const happening of happenings) {
          const [row] = await insert.run({ at, body: JSON.stringify(happening) });
          if (row) remember({ sequence: row.sequence, at, happening });
        }
        return;
      }
      const bodies = JSON.stringify(happenings.map((happening) => JSON.stringify(happening)));
      const { rows } = await connection.execute(insertMany[connection.dialect], [at, bodies]);
      // `returning` promises no order; the sequence is that of the list.
      const sequences = rows.map((row) => Number(row['sequence'])).sort((a, b) => a - b);
      happenings.forEach((happening, i) => remember({ sequence: sequences[i]!, at, happening }));
    },
    async since(sequence, limit) {
      // A number that was never given (a database from a backup) is as unknown as a forgotten one.
      if (sequence < (await forgotten()) || sequence > (await lastSequence())) return undefined;
      const rows = await db
        .selectFrom('happening')
        .selectAll()
        .where('sequence', '>', sequence)
        .orderBy('sequence')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        sequence: row.sequence,
        at: new Date(row.at),
        happening: JSON.parse(row.body) as Happening,
      }));
    },
    lastSequence,
    async prune(before) {
      const row = await db
        .selectFrom('happening')
        .select((eb) => eb.fn.max('sequence').as('last'))
        .where('at', '<', before.getTime())
        .executeTakeFirst();
      const last = row?.last;
      if (last === null || last === undefined) return;
      await db.deleteFrom('happening').where('sequence', '<=', last).execute();
      await db
        .insertInto('setting')
        .values({ name: forgottenThrough, value: String(last) })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: String(last) }))
        .execute();
    },
  };
}

import type { Happening, HappeningStore, StoredHappening } from '../core/events.ts';
import type { Connection } from './connection.ts';
import { insertion, insertRows } from './insert-rows.ts';
import { prepare } from './prepare.ts';

/** Name of the setting that holds the last sequence number that was forgotten. */
const forgottenThrough = 'happenings.forgotten-through';

/** So many go in one statement on PostgreSQL, where each statement is a round trip. */
const manyHappenings = 4;

const insertMany =
  'insert into "happening" ("at", "body") select $1::bigint, value from ' +
  'json_array_elements_text($2::json) with ordinality as list(value, place) order by place returning "sequence"';

const happeningInsertion = insertion('happening', ['at', 'body']);

/** What happened, in the database. `remember` is told of each that is stored, for publishing after the commit. */
export function createHappeningStore(
  connection: Connection,
  remember: (happening: StoredHappening) => void,
): HappeningStore {
  const { db } = connection;
  const insert = prepare<{ at: Date; body: string }>()(connection, (_, value) =>
    db.insertInto('happening').values({ at: value.at, body: value.body }).returning('sequence'),
  );

  /** Answers the sequence number of each, in order. */
  async function insertBodies(bodies: readonly string[], at: Date): Promise<readonly number[]> {
    if (connection.dialect === 'sqlite') {
      return insertRows(
        connection,
        happeningInsertion,
        bodies.flatMap((body) => [at, body]),
      );
    }
    if (bodies.length < manyHappenings) {
      const sequences: number[] = [];
      for (const body of bodies) for (const row of await insert.run({ at, body })) sequences.push(row.sequence);
      return sequences;
    }
    const { rows } = await connection.execute(insertMany, [at, JSON.stringify(bodies)]);
    // `returning` promises no order; the sequence is that of the list.
    return rows.map((row) => Number(row['sequence'])).sort((a, b) => a - b);
  }

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
      const sequences = await insertBodies(
        happenings.map((happening) => JSON.stringify(happening)),
        at,
      );
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

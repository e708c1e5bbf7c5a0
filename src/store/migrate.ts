import { GantryError } from '../core/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Connection } from './connection.ts';
import type { Migration } from './migrations/migration.ts';

/**
 * Brings the schema to the newest of `migrations`, each in one transaction: a kill leaves it before or after.
 * Refuses with SCHEMA_TOO_NEW, and changes nothing, when a newer Gantry wrote the database.
 */
export async function migrate(
  connection: Connection,
  migrations: readonly Migration[],
  clock: Pick<Clock, 'now'>,
): Promise<void> {
  const integer = connection.dialect === 'sqlite' ? 'integer' : 'bigint';
  await connection.script(
    `create table if not exists "schema_version" ` +
      `("version" ${integer} primary key, "name" text not null, "applied_at" ${integer} not null)`,
  );
  const newest = migrations.at(-1)?.version ?? 0;
  const found = await versionOf(connection);
  if (found > newest) {
    throw new GantryError(
      'SCHEMA_TOO_NEW',
      `Cannot open the database: its schema is version ${found} and this Gantry knows versions up to ${newest}`,
    );
  }
  for (const migration of migrations.filter(({ version }) => version > found)) {
    await connection.script(connection.dialect === 'sqlite' ? 'begin immediate' : 'begin');
    try {
      await migration.up(connection);
      await connection.db
        .insertInto('schema_version')
        .values({ version: migration.version, name: migration.name, applied_at: clock.now() })
        .execute();
      await connection.script('commit');
    } catch (error) {
      if (connection.isInTransaction()) await connection.script('rollback');
      throw new GantryError(
        'DATABASE_FAILED',
        `Cannot migrate the database to version ${migration.version} (${migration.name}): ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}

async function versionOf(connection: Connection): Promise<number> {
  const row = await connection.db
    .selectFrom('schema_version')
    .select((eb) => eb.fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

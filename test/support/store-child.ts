/**
 * A process that writes until it is killed. Argument: JSON `{where, failpoints}`, `{where, migration: true}`,
 * `{where, table: name}` (makes the table) or `{lock: folder}`. Prints the name of each setting whose write was acknowledged, one a line, written at once.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/lib/clock.ts';
import { armFailpoints } from '../../src/lib/failpoint.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Connection } from '../../src/store/connection.ts';
import { lockDataFolder } from '../../src/store/data-folder-lock.ts';
import { migrate } from '../../src/store/migrate.ts';
import { migrations } from '../../src/store/migrations/all.ts';
import { openStore, type StoreLocation } from '../../src/store/open-store.ts';
import { connectPostgres } from '../../src/store/postgres-connection.ts';
import { SqliteConnection } from '../../src/store/sqlite-connection.ts';

interface Order {
  readonly where?: StoreLocation;
  readonly failpoints?: string;
  readonly migration?: true;
  readonly lock?: string;
  readonly table?: string;
}

/** Its time stands still, so that the four writers of a round share one commit however slow the machine is. */
const heldClock = { now: () => new Date(), monotonicMs: () => 0 };

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
if (order.lock !== undefined) {
  lockDataFolder(order.lock);
  writeSync(1, 'locked\n');
  setInterval(() => {}, 60_000);
} else if (order.where && order.table !== undefined) {
  const connection = await connect(order.where);
  await connection.script(`create table ${order.table} (a text); drop table ${order.table}`);
  await connection.close();
  writeSync(1, 'made\n');
  process.exit(0);
} else if (order.where && order.migration) {
  await dieInMigration(order.where);
} else if (order.where) {
  await writeUntilKilled(order.where, order.failpoints);
}

async function writeUntilKilled(where: StoreLocation, points: string | undefined): Promise<void> {
  const store = await openStore(where, { clock: heldClock, logger: silentLogger });
  armFailpoints(points);
  for (let round = 0; round < 1_000; round += 1) {
    await Promise.all(
      [0, 1, 2, 3].map(async (writer) => {
        const name = `write-${round}-${writer}`;
        await store.write(({ settings }) => settings.set(name, 'x'.repeat(500)));
        writeSync(1, `${name}\n`);
      }),
    );
  }
}

async function connect(where: StoreLocation): Promise<Connection> {
  if (where.kind === 'postgres') return (await connectPostgres(where.url)).writing;
  return new SqliteConnection(where.kind === 'file' ? where.path : ':memory:', { mode: 'write', isDurable: true });
}

async function dieInMigration(where: StoreLocation): Promise<void> {
  const connection = await connect(where);
  const deadly = {
    version: migrations.length + 1,
    name: 'deadly',
    async up(inner: Connection): Promise<void> {
      await inner.script('create table half_made (a text)');
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
    },
  };
  await migrate(connection, [...migrations, deadly], systemClock);
}

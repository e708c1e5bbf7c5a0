import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { GantryError } from '../core/errors.ts';
import type { HappeningBus } from '../core/events.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Connection } from './connection.ts';
import { GroupWriter } from './group-writer.ts';
import { GuardedConnection } from './guarded-connection.ts';
import { HappeningChannel } from './happening-channel.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/all.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { createStores } from './stores.ts';

/** How long nobody must have written. */
const tidyAfterMs = 200;

/** Where the database is. `memory` is a file of its own that ends with the store: for tests and demos. */
export type StoreLocation =
  | { readonly kind: 'memory' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

export interface Store extends UnitOfWork {
  /** What was committed by this process, in the order of the commits. */
  readonly happenings: HappeningBus;
  /** Resolves once a commit failed: nothing can be written any more, and the program must end. */
  readonly whenSuspect: Promise<GantryError>;
  /** Transactions committed since the store was opened: fewer than writes, since callers share them. */
  readonly commits: number;
  /** Waits for writes that were asked for, then closes. May be called twice. */
  close(): Promise<void>;
}

export interface StoreDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens the database and brings its schema up to date.
 * Throws SCHEMA_TOO_NEW for one that a newer Gantry wrote, DATABASE_FAILED when it cannot be reached or migrated.
 */
export async function openStore(where: StoreLocation, deps: StoreDeps): Promise<Store> {
  const { writing, reading, release } = await connect(where);
  try {
    await migrate(writing, migrations, deps.clock);
  } catch (error) {
    await release();
    throw error;
  }

  const channel = new HappeningChannel(deps.logger);
  const holder = randomUUID();
  const guarded = new GuardedConnection(writing, () => writer.isOpen);
  const writer: GroupWriter = new GroupWriter({
    connection: writing,
    stores: createStores(guarded, { holder, remember: (happening) => writer.remember(happening) }),
    publish: (happening) => channel.publish(happening),
    onIdle: () => tidying.refresh(),
    ...deps,
  });
  // The write-ahead log is copied back while nothing else is to be done: in the path of a commit it would cost it 8 ms.
  const tidying = setTimeout(() => {
    // Busy for longer than that without a pause: it is called again when the pause comes.
    if (!writer.isIdle) return;
    try {
      writing.tidy?.();
    } catch (error) {
      deps.logger.warn('Tidying the database up failed', { error });
    }
  }, tidyAfterMs).unref();
  let closing: Promise<void> | undefined;
  return {
    read: createStores(reading, { holder, remember: () => {} }),
    write: (work) => writer.write(work),
    happenings: channel,
    whenSuspect: writer.whenSuspect,
    get commits() {
      return writer.commits;
    },
    close() {
      closing ??= writer.close().then(() => {
        clearTimeout(tidying);
        return release();
      });
      return closing;
    },
  };
}

interface Connections {
  readonly writing: Connection;
  readonly reading: Connection;
  readonly release: () => Promise<void>;
}

async function connect(where: StoreLocation): Promise<Connections> {
  if (where.kind === 'postgres') {
    // Loaded only where it is used.
    const { connectPostgres } = await import('./postgres-connection.ts');
    return connectPostgres(where.url);
  }
  if (where.kind === 'file') {
    mkdirSync(dirname(where.path), { recursive: true, mode: 0o700 });
    return connectSqlite(where.path, true);
  }
  // SQLite's own in-memory databases cannot be read while they are written without showing what is uncommitted.
  const folder = mkdtempSync(join(tmpdir(), 'gantry-store-'));
  return connectSqlite(join(folder, 'gantry.db'), false, () => rmSync(folder, { recursive: true, force: true }));
}

function connectSqlite(path: string, isDurable: boolean, after: () => void = () => {}): Connections {
  const writing = new SqliteConnection(path, { mode: 'write', isDurable });
  const reading = new SqliteConnection(path, { mode: 'read', isDurable });
  return {
    writing,
    reading,
    async release() {
      await reading.close();
      await writing.close();
      after();
    },
  };
}

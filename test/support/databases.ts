import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreLocation } from '../../src/store/open-store.ts';
import { startPostgres } from './postgres.ts';

/** A database that store tests run on. */
export interface TestDatabase {
  /** For the title of the tests; says why they are skipped, if they are. */
  readonly name: string;
  readonly isMissing: boolean;
  /** An empty database that outlives the stores opened on it. */
  create(): Promise<StoreLocation>;
  stop(): Promise<void>;
}

/** SQLite always, and PostgreSQL where it can be started: the same tests run on each. */
export async function testDatabases(): Promise<readonly TestDatabase[]> {
  return [sqlite(), await postgres()];
}

function sqlite(): TestDatabase {
  const folders: string[] = [];
  return {
    name: 'SQLite',
    isMissing: false,
    async create() {
      const folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
      folders.push(folder);
      return { kind: 'file', path: join(folder, 'gantry.db') };
    },
    async stop() {
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function postgres(): Promise<TestDatabase> {
  const server = await startPostgres();
  if ('missing' in server) {
    return {
      name: `PostgreSQL (skipped: ${server.missing})`,
      isMissing: true,
      create: () => Promise.reject(new Error(server.missing)),
      stop: async () => {},
    };
  }
  return {
    name: 'PostgreSQL',
    isMissing: false,
    create: async () => ({ kind: 'postgres', url: await server.createDatabase() }),
    stop: () => server.stop(),
  };
}

import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { lockDataFolder } from '../store/data-folder-lock.ts';
import { openStore, type Store } from '../store/open-store.ts';
import type { Config } from './config.ts';

export interface OpenData {
  readonly store: Store;
  close(): Promise<void>;
}

/** Takes the data folder for this process and opens the records in it, or in PostgreSQL. */
export async function openData(
  config: Pick<Config, 'dataFolder' | 'databaseUrl'>,
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<OpenData> {
  const lock = lockDataFolder(config.dataFolder);
  try {
    const store = await openStore(
      config.databaseUrl
        ? { kind: 'postgres', url: config.databaseUrl.reveal() }
        : { kind: 'file', path: join(config.dataFolder, 'gantry.db') },
      deps,
    );
    return {
      store,
      async close() {
        await store.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

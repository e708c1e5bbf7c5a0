import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { GantryError } from '../core/errors.ts';

export interface DataFolderLock {
  release(): void;
}

/**
 * Takes a data folder for this process, for as long as it lives: the kernel frees it also after SIGKILL.
 * Refuses with DATA_FOLDER_IN_USE when another process, or another server in this one, has it.
 */
export function lockDataFolder(folder: string): DataFolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new GantryError(
      'DATA_FOLDER_IN_USE',
      `Cannot use the data folder "${folder}": another Gantry server is running on it`,
      { cause: error },
    );
  }
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, ownIdentity, type ProcessIdentity } from '../lib/process-identity.ts';
import type { RunnerFolder } from './runner-folder.ts';
import type { RunnerSettings } from './runner-settings.ts';

/** What a server leaves about itself in the run folder for as long as it takes runners. */
interface ServerRecord extends ProcessIdentity {
  /** What it would start a runner with. */
  readonly runner: RunnerSettings;
}

/** Leaves word of this process as the server of the folder; what it answers takes it back. Whole or not at all. */
export function writeServerRecord(folder: RunnerFolder, runner: RunnerSettings): () => void {
  const path = pathOf(folder);
  const record: ServerRecord = { ...ownIdentity(), runner };
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return () => rmSync(path, { force: true });
}

/** With which settings the server of the folder would start a runner; `undefined` when no server lives. */
export function runnerSettingsOfServer(folder: RunnerFolder): RunnerSettings | undefined {
  let text: string;
  try {
    text = readFileSync(pathOf(folder), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const record = JSON.parse(text) as ServerRecord;
  return isAlive(record) ? record.runner : undefined;
}

function pathOf({ folder }: RunnerFolder): string {
  return join(folder, 'server.json');
}

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity } from '../lib/process-identity.ts';

/** What a runner leaves about itself in the run folder for as long as it lives. */
export interface RunnerRecord extends ProcessIdentity {
  readonly runnerId: string;
  readonly build: string;
}

/** Runners that live; what the dead ones left is removed. */
export function livingRunners(recordsFolder: string): readonly RunnerRecord[] {
  const living: RunnerRecord[] = [];
  for (const name of readdirSync(recordsFolder)) {
    if (!name.endsWith('.json')) continue;
    const path = join(recordsFolder, name);
    const record = readRecord(path);
    if (record && isAlive(record)) living.push(record);
    else rmSync(path, { force: true });
  }
  return living;
}

function readRecord(path: string): RunnerRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunnerRecord;
  } catch {
    // Gone meanwhile, or not whole: of a runner that died while it wrote.
    return undefined;
  }
}

import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { GantryError } from '../core/errors.ts';

export interface KnownHost {
  readonly token: string;
  /** Whose token it is. */
  readonly name: string;
}

export interface Hosts {
  /** By address, without a slash at its end. */
  readonly hosts: Readonly<Record<string, KnownHost>>;
  /** The one that is meant where nothing says otherwise. */
  readonly current?: string | undefined;
}

/** `$XDG_CONFIG_HOME/gantry/hosts.json`. */
export function hostsPath(environment: Readonly<Record<string, string | undefined>>): string {
  const home = environment['HOME'] ?? homedir();
  return join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'gantry', 'hosts.json');
}

/** Where one is signed in. A file that does not exist is nowhere; one that cannot be read is said (CONFIG_INVALID). */
export function readHosts(path: string): Hosts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { hosts: {} };
    throw new GantryError('CONFIG_INVALID', `Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    const parsed = JSON.parse(text) as Partial<Hosts>;
    if (typeof parsed !== 'object' || typeof parsed.hosts !== 'object') throw new Error('it has no "hosts"');
    return { hosts: parsed.hosts, current: parsed.current };
  } catch (error) {
    throw new GantryError('CONFIG_INVALID', `Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Replaces the file in one step, readable by its owner alone. */
export function writeHosts(path: string, hosts: Hosts): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(hosts, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

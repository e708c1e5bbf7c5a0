import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RegistryCredentials } from '../../../core/image.ts';

/** What is kept: logins as their keyed hashes, so that the file tells nobody a password. */
interface Kept {
  readonly salt: string;
  readonly readers: Readonly<Record<string, readonly string[]>>;
}

/** Images that are remembered; the one noted first is forgotten first. */
const maxImages = 20_000;

/**
 * Remembers with which logins an image of an engine was pulled: what one may read is not given to another who may not. Kept
 * in a file, since the engine keeps the image longer than a runner lives.
 */
export class ImageReaders {
  readonly #path: string | undefined;
  #salt = randomBytes(32).toString('hex');
  #readers = new Map<string, Set<string>>();
  /** Of the file when it was last read or written: who builds images in this engine writes it too. */
  #state = '';

  /** Without a path nothing is remembered beyond this process. A file that cannot be read is begun anew. */
  constructor(path?: string) {
    this.#path = path;
  }

  /** Whether the image in the engine may be given to who has this login, without asking its registry. */
  mayUse(name: string, login: RegistryCredentials | undefined): boolean {
    this.#refresh();
    const readers = this.#readers.get(name);
    return readers === undefined || (login !== undefined && readers.has(this.keyOf(login)));
  }

  /** Tells that the registry gave the image for this login. Who needs no login shows that nobody does. */
  note(name: string, login: RegistryCredentials | undefined): void {
    this.#refresh();
    const readers = this.#readers.get(name);
    if (!login) {
      if (this.#readers.delete(name)) this.#keep();
      return;
    }
    const key = this.keyOf(login);
    if (readers?.has(key)) return;
    if (readers) readers.add(key);
    else this.#readers.set(name, new Set([key]));
    const [oldest] = this.#readers.keys();
    if (this.#readers.size > maxImages && oldest !== undefined) this.#readers.delete(oldest);
    this.#keep();
  }

  /** A login, as what it is compared by. */
  keyOf(login: RegistryCredentials): string {
    return createHmac('sha256', this.#salt).update(JSON.stringify(login)).digest('hex');
  }

  #refresh(): void {
    if (this.#path === undefined) return;
    const state = stateOf(this.#path);
    if (state === this.#state) return;
    this.#state = state;
    const kept = readKept(this.#path);
    if (!kept) return;
    this.#salt = kept.salt;
    this.#readers = new Map(Object.entries(kept.readers).map(([name, keys]) => [name, new Set(keys)]));
  }

  /** Whole or not at all: rarely called, once for each login and image. */
  #keep(): void {
    if (this.#path === undefined) return;
    const kept: Kept = {
      salt: this.#salt,
      readers: Object.fromEntries([...this.#readers].map(([name, keys]) => [name, [...keys]])),
    };
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(`${this.#path}.new`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.#state = stateOf(this.#path);
  }
}

/** Differs after each write: a new file takes the place of the old one. */
function stateOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : '';
}

function readKept(path: string): Kept | undefined {
  try {
    const { salt, readers } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Kept>;
    return typeof salt === 'string' && typeof readers === 'object' ? { salt, readers } : undefined;
  } catch {
    return undefined;
  }
}

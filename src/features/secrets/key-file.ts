import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { GantryError } from '../../core/errors.ts';

/** The key that wraps the keys of secrets. Kept in a file of its own, which no backup of the data has. */
export interface KeyFile {
  readonly path: string;
  /** Names the key without giving it away: stored with each secret. */
  readonly id: string;
  readonly key: Buffer;
}

const keyBytes = 32;

export interface KeyFileOptions {
  /** Data folder of the server: the key must not lie in it. */
  readonly dataFolder?: string | undefined;
  /** Key id that the stored secrets name; `undefined` when there are none, so that a new key may be made. */
  readonly expectedKeyId?: string | undefined;
}

/**
 * Opens the key file, or makes it (0400) at the first start.
 * Throws SECRET_KEY_WRONG, naming the file, when secrets exist and it is missing, damaged or another one;
 * CONFIG_INVALID when it would lie in the data folder.
 */
export function openKeyFile(path: string, { dataFolder, expectedKeyId }: KeyFileOptions = {}): KeyFile {
  if (dataFolder !== undefined && isInside(path, dataFolder))
    throw new GantryError(
      'CONFIG_INVALID',
      `Cannot keep the key file at ${path}: it would lie in the data folder, beside what it locks`,
    );

  let text = readIfThere(path);
  if (text === undefined) {
    if (expectedKeyId !== undefined)
      throw wrong(path, `the file is missing, and the secrets were written with the key ${expectedKeyId}`);
    create(path);
    text = readIfThere(path) ?? '';
  }
  const key = Buffer.from(/^gantry-key-1:([A-Za-z0-9+/]{43}=)\n?$/.exec(text)?.[1] ?? '', 'base64');
  if (key.length !== keyBytes) throw wrong(path, 'the file is damaged');
  const id = createHash('sha256').update('gantry key id\0').update(key).digest('hex').slice(0, 16);
  if (expectedKeyId !== undefined && id !== expectedKeyId)
    throw wrong(path, `it holds the key ${id}, and the secrets were written with ${expectedKeyId}`);
  return { path, id, key };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw wrong(path, `the file cannot be read: ${(error as Error).message}`, error);
  }
}

/** Durable before it is used: a secret sealed with a key that a power cut takes is lost. */
function create(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o400);
  try {
    writeSync(file, `gantry-key-1:${randomBytes(keyBytes).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    // A link never replaces what is there: of two that start at once both use the key of the first.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  const opened = openSync(folder, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way === '' || (!way.startsWith('..') && !way.startsWith('/'));
}

function wrong(path: string, why: string, cause?: unknown): GantryError {
  return new GantryError('SECRET_KEY_WRONG', `Cannot use the key file ${path}: ${why}`, { cause, details: { path } });
}

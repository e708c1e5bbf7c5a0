import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobStorage, BlobWriter } from '../blobs.ts';

const listedAtOnce = 256;

/**
 * Blobs as files: `<folder>/sha256/ab/<digest>`. What is being written lies in `<folder>/incoming`, which is emptied at
 * the start: whoever wrote there begins anew.
 */
export class FilesystemBlobs implements BlobStorage {
  readonly #folder: string;
  readonly #ready: Promise<void>;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#ready = this.#prepare();
    // Whoever uses it hears of it.
    this.#ready.catch(() => undefined);
  }

  async begin(): Promise<BlobWriter> {
    await this.#ready;
    const path = join(this.#incoming, randomBytes(12).toString('hex'));
    return new BlobFileWriter(path, await open(path, 'wx', 0o600), (digest) => this.#folderOf(digest));
  }

  async find(digest: string): Promise<{ readonly sizeBytes: number } | undefined> {
    const found = await whenThere(stat(this.#pathOf(digest)));
    return found && { sizeBytes: found.size };
  }

  async read(digest: string, offset: number, limitBytes: number): Promise<Buffer | undefined> {
    await this.#ready;
    const file = await whenThere(open(this.#pathOf(digest), 'r'));
    if (!file) return undefined;
    try {
      const buffer = Buffer.allocUnsafe(limitBytes);
      let filled = 0;
      while (filled < limitBytes) {
        const { bytesRead } = await file.read(buffer, filled, limitBytes - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    } finally {
      await file.close();
    }
  }

  async remove(digest: string): Promise<boolean> {
    try {
      await unlink(this.#pathOf(digest));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async *list(): AsyncIterable<readonly string[]> {
    await this.#ready;
    let batch: string[] = [];
    for (const name of await readdir(join(this.#folder, 'sha256'))) {
      const folder = await whenThere(opendir(join(this.#folder, 'sha256', name)));
      if (!folder) continue;
      for await (const entry of folder) {
        if (!isDigest(entry.name)) continue;
        batch.push(entry.name);
        if (batch.length < listedAtOnce) continue;
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  async exclusively<T>(digest: string, work: () => Promise<T>): Promise<T> {
    await this.#ready;
    const before = this.#turns.get(digest) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(digest, settled);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(digest) === settled) this.#turns.delete(digest);
    }
  }

  get #incoming(): string {
    return join(this.#folder, 'incoming');
  }

  async #prepare(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    await mkdir(join(this.#folder, 'sha256'), { recursive: true, mode: 0o700 });
    await syncFolder(this.#folder);
  }

  #pathOf(digest: string): string {
    if (!isDigest(digest)) throw new TypeError(`Cannot name a blob: "${digest}" is no SHA-256 digest`);
    return join(this.#folder, 'sha256', digest.slice(0, 2), digest);
  }

  /** The folder where a blob lies, which is there and durable. */
  async #folderOf(digest: string): Promise<string> {
    const folder = join(this.#folder, 'sha256', digest.slice(0, 2));
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined)
      await syncFolder(join(this.#folder, 'sha256'));
    return folder;
  }
}

class BlobFileWriter implements BlobWriter {
  sizeBytes = 0;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #folderOf: (digest: string) => Promise<string>;
  readonly #hash = createHash('sha256');
  #digest: string | undefined;
  #isClosed = false;
  #isCommitted = false;

  constructor(path: string, file: FileHandle, folderOf: (digest: string) => Promise<string>) {
    this.#path = path;
    this.#file = file;
    this.#folderOf = folderOf;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written);
      written += bytesWritten;
    }
    this.#hash.update(bytes);
    this.sizeBytes += bytes.length;
  }

  async seal(): Promise<string> {
    if (this.#digest !== undefined) return this.#digest;
    await this.#file.sync();
    await this.#close();
    this.#digest = this.#hash.digest('hex');
    return this.#digest;
  }

  async commit(): Promise<void> {
    const digest = this.#digest;
    if (digest === undefined) throw new TypeError('Cannot commit a blob: it is not sealed');
    if (this.#isCommitted) return;
    const folder = await this.#folderOf(digest);
    await rename(this.#path, join(folder, digest));
    await syncFolder(folder);
    this.#isCommitted = true;
  }

  async discard(): Promise<void> {
    await this.#close();
    if (!this.#isCommitted) await rm(this.#path, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function whenThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

import { createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { extract, type Headers as TarHeaders } from 'tar-stream';
import { GantryError } from '../core/errors.ts';

/** Writes an artifact as it comes, packed. */
export async function writeArtifact(bytes: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  await pipeline(Readable.from(bytes), createWriteStream(path));
}

/**
 * Unpacks an artifact into a folder, which is made. What is in it was written by steps: nothing goes out of the folder,
 * by name or through a link, and what is no file, folder or link is refused.
 */
export async function unpackArtifact(bytes: AsyncIterable<Uint8Array>, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tar = extract();
  const reading = pipeline(Readable.from(bytes), createZstdDecompress(), tar);
  reading.catch(() => undefined);
  for await (const entry of tar) {
    await unpackEntry(folder, entry.header, entry);
    entry.resume();
  }
  await reading;
}

async function unpackEntry(folder: string, header: TarHeaders, content: Readable): Promise<void> {
  const name = header.name.replace(/\/+$/, '');
  const parts = name.split('/');
  if (name === '' || parts.some((part) => part === '' || part === '.' || part === '..'))
    refuse(name, 'it is no path below it');
  let parent = folder;
  for (const part of header.type === 'directory' ? parts : parts.slice(0, -1)) {
    parent = join(parent, part);
    const found = await lstat(parent).catch(() => undefined);
    if (!found) await mkdir(parent, { mode: 0o755 });
    else if (!found.isDirectory()) refuse(name, 'its way leads through what is no folder');
  }
  const path = join(folder, ...parts);
  const mode = (header.mode ?? 0o644) & 0o777;
  if (header.type === 'directory') return;
  if (header.type === 'file') {
    await rm(path, { force: true });
    await pipeline(content, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
    await chmod(path, mode);
  } else if (header.type === 'symlink') {
    const link = header.linkname ?? '';
    if (link === '' || link.startsWith('/') || normalize(join(dirname(name), link)).startsWith('..'))
      refuse(name, 'it is a link that leads out of it');
    await rm(path, { force: true });
    await symlink(link, path);
  } else refuse(name, 'it is no file, folder or link');
}

function refuse(name: string, why: string): never {
  throw new GantryError('REQUEST_INVALID', `Cannot unpack "${name}" into the folder: ${why}`);
}

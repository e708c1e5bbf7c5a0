import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';

export interface LayerFile {
  /** SHA-256 of the uncompressed tar. */
  readonly diffId: string;
  /** SHA-256 of the file as written (zstd). */
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * Writes a folder as a layer that is the same for the same content: names sorted bytewise, time 0, owner root,
 * modes as they stand, hard links as links to the first name.
 */
export async function writeLayer(root: string, file: string): Promise<LayerFile> {
  const tar = pack();
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let sizeBytes = 0;
  const countPlain = new PassThrough().on('data', (bytes: Buffer) => plain.update(bytes));
  const countPacked = new PassThrough().on('data', (bytes: Buffer) => {
    packed.update(bytes);
    sizeBytes += bytes.length;
  });
  const written = pipeline(tar, countPlain, createZstdCompress(), countPacked, createWriteStream(file));
  const seen = new Map<string, string>();
  for (const name of await sortedNames(root, '')) await addEntry(tar, root, name, seen);
  tar.finalize();
  await written;
  return { diffId: `sha256:${plain.digest('hex')}`, digest: `sha256:${packed.digest('hex')}`, sizeBytes };
}

async function sortedNames(root: string, below: string): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    names.push(name);
    if (entry.isDirectory()) names.push(...(await sortedNames(root, name)));
  }
  return below === '' ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names;
}

async function addEntry(
  tar: ReturnType<typeof pack>,
  root: string,
  name: string,
  seen: Map<string, string>,
): Promise<void> {
  const path = join(root, name);
  const stat = await lstat(path);
  const common = { mode: stat.mode & 0o7777, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
  if (stat.isDirectory()) tar.entry({ ...common, name: `${name}/`, type: 'directory' });
  else if (stat.isSymbolicLink())
    tar.entry({ ...common, mode: 0o777, name, type: 'symlink', linkname: await readlink(path) });
  else if (stat.isFile()) {
    const first = stat.nlink > 1 ? seen.get(String(stat.ino)) : undefined;
    if (first !== undefined) {
      tar.entry({ ...common, name, type: 'link', linkname: first });
      return;
    }
    if (stat.nlink > 1) seen.set(String(stat.ino), name);
    await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), tar.entry({ ...common, name, size: stat.size }));
  } else throw new Error(`"${name}" is neither file, folder nor link`);
}

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, chown, lchown, link, lstat, lutimes, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Headers } from 'tar-stream';
import { GantryError } from '../../../core/errors.ts';

/** Caps of one layer: a hostile archive ends here, not on a full disk. */
export interface UnpackLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly depth: number;
}

export const defaultUnpackLimits: UnpackLimits = { entries: 1_000_000, bytes: 20 * 2 ** 30, depth: 128 };

/** What an overlay needs beyond plain files, collected and made at the end by `makeWhiteouts`. */
export interface Whiteouts {
  /** Names that hide a file of a layer below. */
  readonly hidden: string[];
  /** Folders that hide everything of the layers below. */
  readonly opaque: string[];
}

/**
 * Unpacks a layer's tar into an empty folder that nobody else can write, and answers its diff id.
 *
 * An archive is hostile until shown otherwise: names that are absolute or climb out are refused, nothing is written
 * through a link, hard links stay within the layer, device nodes and sockets are refused (OCI image-spec 1.1, layer.md).
 */
export async function unpackLayer(
  tar: NodeJS.ReadableStream,
  folder: string,
  limits: UnpackLimits = defaultUnpackLimits,
): Promise<{ readonly diffId: string; readonly sizeBytes: number; readonly whiteouts: Whiteouts }> {
  const unpacking = new Unpacking(folder, limits);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      hash.update(bytes);
      done(null, bytes);
    },
  });
  const reader = extract();
  const writing = (async () => {
    for await (const entry of reader) await unpacking.add(entry.header, entry);
  })();
  await Promise.all([pipeline(tar, hashing, reader), writing]);
  await unpacking.finish();
  return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes: unpacking.sizeBytes, whiteouts: unpacking.whiteouts };
}

class Unpacking {
  readonly whiteouts: Whiteouts = { hidden: [], opaque: [] };
  sizeBytes = 0;
  readonly #root: string;
  readonly #limits: UnpackLimits;
  readonly #isRoot = process.getuid?.() === 0;
  /** Folders that we made ourselves and that are no links: safe to write into. */
  readonly #folders = new Set<string>(['']);
  readonly #folderTimes: { readonly path: string; readonly at: Date; readonly mode: number }[] = [];
  #entries = 0;

  constructor(root: string, limits: UnpackLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  async add(header: Headers, content: NodeJS.ReadableStream): Promise<void> {
    this.#entries += 1;
    this.sizeBytes += header.size ?? 0;
    if (this.#entries > this.#limits.entries) refuse(`it has more than ${this.#limits.entries} entries`);
    if (this.sizeBytes > this.#limits.bytes) refuse(`it unpacks to more than ${this.#limits.bytes} bytes`);
    const name = this.#safeName(header.name);
    if (name === '') return drain(content);
    await this.#makeFolder(parentOf(name));
    const base = name.slice(name.lastIndexOf('/') + 1);
    if (base.startsWith('.wh.')) {
      this.#noteWhiteout(name, base);
      return drain(content);
    }
    await this.#write(name, header, content);
  }

  /** Folder modes and times come last: what is written into a folder changes them. */
  async finish(): Promise<void> {
    for (const { path, at, mode } of this.#folderTimes.reverse()) {
      await chmod(path, mode);
      await lutimes(path, at, at);
    }
  }

  async #write(name: string, header: Headers, content: NodeJS.ReadableStream): Promise<void> {
    const path = join(this.#root, name);
    const mode = header.mode === undefined ? 0o755 : header.mode & 0o7777;
    if (header.type === 'directory') {
      await this.#makeFolder(name);
      if (this.#isRoot) await chown(path, header.uid ?? 0, header.gid ?? 0);
      this.#folderTimes.push({ path, at: header.mtime ?? new Date(0), mode });
      return drain(content);
    }
    await this.#clear(name);
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        await pipeline(content, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
        break;
      case 'symlink':
        drain(content);
        await symlink(header.linkname ?? '', path);
        break;
      case 'link': {
        drain(content);
        const target = this.#safeName(header.linkname ?? '');
        await this.#requireRealFolders(parentOf(target));
        const found = await lstat(join(this.#root, target)).catch(() => undefined);
        if (!found || found.isDirectory())
          refuse(`"${name}" is a hard link to "${target}", which is no file of this layer`);
        await link(join(this.#root, target), path);
        return;
      }
      default:
        refuse(`"${name}" is a ${header.type}, which an image may not bring`);
    }
    if (this.#isRoot) await lchown(path, header.uid ?? 0, header.gid ?? 0);
    if (header.type !== 'symlink') await chmod(path, mode);
    const at = header.mtime ?? new Date(0);
    await lutimes(path, at, at);
  }

  /** `.wh..wh..opq` makes its folder opaque, `.wh.NAME` hides NAME (layer.md, "Whiteouts"). */
  #noteWhiteout(name: string, base: string): void {
    if (base === '.wh..wh..opq') this.whiteouts.opaque.push(parentOf(name));
    else this.whiteouts.hidden.push(join(parentOf(name), base.slice('.wh.'.length)));
  }

  #safeName(raw: string): string {
    if (raw.includes('\0')) refuse('a name holds a NUL');
    const parts = raw.split('/').filter((part) => part !== '' && part !== '.');
    if (raw.startsWith('/') || parts.includes('..')) refuse(`the name "${raw}" leads out of the layer`);
    if (parts.length > this.#limits.depth)
      refuse(`"${raw.slice(0, 80)}…" is deeper than ${this.#limits.depth} folders`);
    return parts.join('/');
  }

  /** Makes the folder and those above it. A link in the way is replaced: nothing is ever written through one. */
  async #makeFolder(name: string): Promise<void> {
    if (this.#folders.has(name)) return;
    await this.#makeFolder(parentOf(name));
    const path = join(this.#root, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && !found.isDirectory()) await rm(path);
    if (!found?.isDirectory()) await mkdir(path, { mode: 0o755 });
    this.#folders.add(name);
  }

  async #requireRealFolders(name: string): Promise<void> {
    if (name === '' || this.#folders.has(name)) return;
    await this.#requireRealFolders(parentOf(name));
    const found = await lstat(join(this.#root, name)).catch(() => undefined);
    if (!found?.isDirectory()) refuse(`"${name}" is no folder of this layer`);
  }

  /** The last entry of a name counts; a folder makes room for a file with all it holds. */
  async #clear(name: string): Promise<void> {
    const path = join(this.#root, name);
    const found = await lstat(path).catch(() => undefined);
    if (!found) return;
    await rm(path, { recursive: true });
    for (const folder of this.#folders)
      if (folder === name || folder.startsWith(`${name}/`)) this.#folders.delete(folder);
  }
}

function parentOf(name: string): string {
  const parent = dirname(name);
  return parent === '.' ? '' : parent;
}

function drain(content: NodeJS.ReadableStream): void {
  content.resume();
}

function refuse(because: string): never {
  throw new GantryError('IMAGE_INVALID', `Cannot unpack the layer: ${because}`);
}

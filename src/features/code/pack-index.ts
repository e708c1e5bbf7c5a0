import { type FileHandle, open } from 'node:fs/promises';

/** gitformat-pack, version 2: magic and version, 256 counts by first byte, then all ids in order. */
const magic = Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]);
const idBytes = 20;

/** Which objects a pack holds, read piece by piece: an index may be larger than our memory. */
export class PackIndex {
  readonly #file: FileHandle;
  readonly #counts: Buffer;

  private constructor(file: FileHandle, counts: Buffer) {
    this.#file = file;
    this.#counts = counts;
  }

  /** `undefined` for an index of another form than git has written for fifteen years. */
  static async open(path: string): Promise<PackIndex | undefined> {
    const file = await open(path, 'r');
    const head = Buffer.alloc(magic.length + 256 * 4);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead === head.length && head.subarray(0, magic.length).equals(magic))
      return new PackIndex(file, head.subarray(magic.length));
    await file.close();
    return undefined;
  }

  /** Ids, as 40 hexadecimal digits, of the objects whose first byte this is. */
  async idsBeginningWith(byte: number): Promise<readonly string[]> {
    const from = byte === 0 ? 0 : this.#counts.readUInt32BE((byte - 1) * 4);
    const count = this.#counts.readUInt32BE(byte * 4) - from;
    const ids = Buffer.alloc(count * idBytes);
    const at = magic.length + this.#counts.length + from * idBytes;
    const { bytesRead } = await this.#file.read(ids, 0, ids.length, at);
    if (bytesRead < ids.length) return [];
    return Array.from({ length: count }, (_, i) => ids.toString('hex', i * idBytes, (i + 1) * idBytes));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

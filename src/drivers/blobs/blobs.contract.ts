import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BlobStorage } from './blobs.ts';

const digestOf = (bytes: string): string => createHash('sha256').update(bytes).digest('hex');

/** What every place for blobs must do. `open` opens the same place again, as after a restart. */
export function blobStorageContract(make: () => Promise<{ readonly open: () => BlobStorage }>): void {
  let open: () => BlobStorage;
  let blobs: BlobStorage;
  beforeEach(async () => {
    ({ open } = await make());
    blobs = open();
  });

  async function put(...pieces: string[]): Promise<string> {
    const writer = await blobs.begin();
    for (const piece of pieces) await writer.write(Buffer.from(piece));
    const digest = await writer.seal();
    await writer.commit();
    await writer.discard();
    return digest;
  }

  async function all(): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const digests of blobs.list()) found.push(...digests);
    return found.toSorted();
  }

  describe('a blob', () => {
    it('is named by what is in it, and read in pieces', async () => {
      const digest = await put('hello ', 'world');
      expect(digest).toBe(digestOf('hello world'));
      expect(await blobs.find(digest)).toEqual({ sizeBytes: 11 });
      expect(String(await blobs.read(digest, 0, 5))).toBe('hello');
      expect(String(await blobs.read(digest, 6, 100))).toBe('world');
      expect(await blobs.read(digest, 11, 100)).toHaveLength(0);
    });

    it('may be empty, and may come twice', async () => {
      expect([await put(), await put('a'), await put('a')]).toEqual([digestOf(''), digestOf('a'), digestOf('a')]);
      expect(await all()).toEqual([digestOf('a'), digestOf('')].toSorted());
    });

    it('is not there before its commit, nor after it was discarded', async () => {
      const writer = await blobs.begin();
      await writer.write(Buffer.from('half'));
      const digest = await writer.seal();
      expect([await blobs.find(digest), await blobs.read(digest, 0, 10), await all()]).toEqual([
        undefined,
        undefined,
        [],
      ]);
      await writer.discard();
      await writer.discard();
      expect(await blobs.find(digest)).toBeUndefined();
    });

    it('is there after a restart; what was being written is not', async () => {
      const digest = await put('kept');
      const writer = await blobs.begin();
      await writer.write(Buffer.from('half'));
      blobs = open();
      expect(await all()).toEqual([digest]);
      await writer.discard();
    });

    it('is removed once', async () => {
      const digest = await put('gone');
      expect([await blobs.remove(digest), await blobs.remove(digest), await all()]).toEqual([true, false, []]);
    });

    it('has its size told by its writer', async () => {
      const writer = await blobs.begin();
      await writer.write(Buffer.alloc(70_000));
      expect(writer.sizeBytes).toBe(70_000);
      await writer.discard();
    });
  });

  it('refuses names that are no digest', async () => {
    await expect(Promise.resolve().then(() => blobs.read('../../etc/passwd', 0, 1))).rejects.toThrow(/no SHA-256/);
  });

  it('gives a blob to one after the other, also when one fails', async () => {
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = blobs.exclusively('a', async () => {
      await gate.promise;
      done.push('first');
      throw new Error('failed');
    });
    const second = blobs.exclusively('a', async () => void done.push('second'));
    await blobs.exclusively('b', async () => void done.push('other'));
    gate.resolve();
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(done).toEqual(['other', 'first', 'second']);
  });
}

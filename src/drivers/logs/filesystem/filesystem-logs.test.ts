import { copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { armFailpoints } from '../../../lib/failpoint.ts';
import { logStorageContract } from '../logs.contract.ts';
import { FilesystemLogs } from './filesystem-logs.ts';
import { recordBytes } from './log-index.ts';

logStorageContract('FilesystemLogs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'logs-'));
  const servers: FilesystemLogs[] = [];
  const reopened = (): FilesystemLogs => {
    const server = new FilesystemLogs(folder);
    servers.push(server);
    return server;
  };
  return {
    storage: reopened(),
    reopened,
    close: async () => {
      for (const server of servers) await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

describe('FilesystemLogs after damage', () => {
  const folders: string[] = [];
  afterEach(async () => {
    armFailpoints(undefined);
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });
  const newFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'logs-'));
    folders.push(folder);
    return folder;
  };
  const stepId = 7;
  const dataOf = (folder: string): string => join(folder, '0000', '7.log');
  const indexOf = (folder: string): string => join(folder, '0000', '7.idx');
  const texts = ['first\n', 'second line\n', '', 'x'.repeat(1_000), '\nlast'];
  const ends = texts.map((_, i) => texts.slice(0, i + 1).join('').length);

  async function writtenLog(): Promise<string> {
    const folder = await newFolder();
    const writer = await new FilesystemLogs(folder).open(stepId);
    for (const [i, text] of texts.entries())
      await writer.append({ sequence: i + 1, stream: 'stdout', atMs: i, bytes: Buffer.from(text) });
    await writer.close();
    return folder;
  }

  async function copyOf(folder: string): Promise<string> {
    const copy = await newFolder();
    await mkdir(dirname(dataOf(copy)));
    await copyFile(dataOf(folder), dataOf(copy));
    await copyFile(indexOf(folder), indexOf(copy));
    return copy;
  }

  /** What is left is a prefix of what was written, whole chunks of it, and can be gone on with. */
  async function expectRecovered(folder: string, chunks: number): Promise<void> {
    const logs = new FilesystemLogs(folder);
    const writer = await logs.open(stepId);
    expect(writer.state.sequence).toBe(chunks);
    expect(String(await logs.read(stepId, 0, 1e6))).toBe(texts.slice(0, chunks).join(''));
    for (const [i, text] of texts.entries())
      await writer.append({ sequence: i + 1, stream: 'stdout', atMs: i, bytes: Buffer.from(text) });
    await writer.end(false);
    await writer.close();
    expect(String(await readFile(dataOf(folder)))).toBe(texts.join(''));
  }

  it('keeps whole chunks when the index is cut at any byte', async () => {
    const original = await writtenLog();
    for (let size = 0; size <= texts.length * recordBytes; size += 1) {
      const folder = await copyOf(original);
      await truncate(indexOf(folder), size);
      expect(await new FilesystemLogs(folder).find(stepId)).toMatchObject({
        sequence: Math.floor(size / recordBytes),
      });
      await expectRecovered(folder, Math.floor(size / recordBytes));
    }
  });

  it('keeps whole chunks when the data is cut at any byte', async () => {
    const original = await writtenLog();
    for (let size = 0; size <= ends.at(-1)!; size += size < 25 || size > 1_010 ? 1 : 97) {
      const folder = await copyOf(original);
      await truncate(dataOf(folder), size);
      const whole = ends.filter((end) => end <= size).length;
      await expectRecovered(folder, whole);
    }
  });

  it('cuts off from the first damaged record of the index on', async () => {
    const original = await writtenLog();
    for (let at = 0; at < texts.length * recordBytes; at += 1) {
      const folder = await copyOf(original);
      await flipByte(indexOf(folder), at);
      await expectRecovered(folder, Math.floor(at / recordBytes));
    }
  });

  it('drops a last chunk whose bytes are damaged, and leaves damage further up alone', async () => {
    const original = await writtenLog();
    const last = await copyOf(original);
    await flipByte(dataOf(last), ends.at(-1)! - 1);
    await expectRecovered(last, texts.length - 1);
    const early = await copyOf(original);
    await flipByte(dataOf(early), 1);
    const writer = await new FilesystemLogs(early).open(stepId);
    expect(writer.state.sequence).toBe(texts.length);
    await writer.close();
  });

  it('hides and cuts off bytes that no record speaks of', async () => {
    const folder = await writtenLog();
    await writeFile(dataOf(folder), 'half a chu', { flag: 'a' });
    expect(String(await new FilesystemLogs(folder).read(stepId, 0, 1e6))).toBe(texts.join(''));
    await expectRecovered(folder, texts.length);
  });

  it('acknowledges nothing that was not synced, and takes nothing more after a failure', async () => {
    const folder = await newFolder();
    const logs = new FilesystemLogs(folder);
    const writer = await logs.open(stepId);
    armFailpoints('log.afterWrite=throw@2');
    const chunk = (sequence: number) => ({ sequence, stream: 'stdout' as const, atMs: 0, bytes: Buffer.from('abc\n') });
    expect(await writer.append(chunk(1))).toBe(1);
    await expect(writer.append(chunk(2))).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
    await expect(writer.append(chunk(3))).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
    await expect(writer.end(false)).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
    armFailpoints(undefined);
    const again = await logs.open(stepId);
    expect(again).not.toBe(writer);
    expect(again.state.sequence).toBe(1);
    expect(await again.append(chunk(2))).toBe(2);
    await again.close();
  });

  it('leaves no descriptor open when its writers are closed', async () => {
    const folder = await newFolder();
    const logs = new FilesystemLogs(folder);
    const before = (await readdir('/proc/self/fd')).length;
    for (let id = 1; id <= 50; id += 1) {
      const writer = await logs.open(id);
      await writer.append({ sequence: 1, stream: 'stdout', atMs: 0, bytes: Buffer.from('x') });
      await writer.end(false);
      await writer.close();
      await logs.read(id, 0, 10);
    }
    expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before + 2);
  });
});

async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = byte[0]! ^ 0xff;
  await file.write(byte, 0, 1, at);
  await file.close();
}

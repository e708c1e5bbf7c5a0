import { afterEach, describe, expect, it } from 'vitest';
import type { LogChunk, LogStorage } from './logs.ts';

export interface LogStorageUnderTest {
  readonly storage: LogStorage;
  /** The same logs in the hands of another server, as after a crash of the first one. */
  reopened(): LogStorage;
  close(): Promise<void>;
}

let nextStepId = 1_000 + Math.floor(Math.random() * 1e6);

/** What every place for logs must do. */
export function logStorageContract(name: string, open: () => Promise<LogStorageUnderTest>): void {
  describe(`${name} as a place for logs`, () => {
    const opened: LogStorageUnderTest[] = [];
    afterEach(async () => {
      for (const under of opened.splice(0)) await under.close();
    });
    const world = async () => {
      const under = await open();
      opened.push(under);
      return { ...under, stepId: (nextStepId += 1), reopened: () => under.reopened() };
    };

    it('tells nothing of a step without a log', async () => {
      const { storage, stepId } = await world();
      expect(await storage.find(stepId)).toBeUndefined();
      expect(await storage.read(stepId, 0, 10)).toBeUndefined();
      await storage.remove(stepId);
    });

    it('keeps bytes exactly as they came, and counts chunks, bytes and lines', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      expect(writer.state).toEqual({ sequence: 0, sizeBytes: 0, lines: 0, isEnded: false, isCut: false });
      const bytes = Buffer.from('610062fffec3280a0a78', 'hex');
      expect(await writer.append(chunk(1, bytes))).toBe(1);
      expect(await writer.append({ ...chunk(2, Buffer.from('more')), stream: 'stderr' })).toBe(2);
      expect(writer.state).toEqual({ sequence: 2, sizeBytes: 14, lines: 2, isEnded: false, isCut: false });
      expect(await storage.read(stepId, 0, 100)).toEqual(Buffer.concat([bytes, Buffer.from('more')]));
    });

    it('reads any part of a log while it grows', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      await writer.append(chunk(1, 'one\n'));
      expect(String(await storage.read(stepId, 2, 100))).toBe('e\n');
      await writer.append(chunk(2, 'two\n'));
      expect(String(await storage.read(stepId, 4, 2))).toBe('tw');
      expect(String(await storage.read(stepId, 8, 10))).toBe('');
      expect(String(await storage.read(stepId, 100, 10))).toBe('');
    });

    it('answers the same writer for the same step', async () => {
      const { storage, stepId } = await world();
      expect(await storage.open(stepId)).toBe(await storage.open(stepId));
    });

    it('ignores a chunk that comes again, also while it is being stored', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      const answers = await Promise.all([
        writer.append(chunk(1, 'a')),
        writer.append(chunk(1, 'a')),
        writer.append(chunk(2, 'b')),
      ]);
      expect(answers.at(-1)).toBe(2);
      expect(await writer.append(chunk(1, 'a'))).toBe(2);
      expect(String(await storage.read(stepId, 0, 10))).toBe('ab');
    });

    it('refuses a gap, and goes on with the right chunk', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      await writer.append(chunk(1, 'a'));
      await expect(writer.append(chunk(3, 'c'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      await writer.append(chunk(2, 'b'));
      expect(String(await storage.read(stepId, 0, 10))).toBe('ab');
    });

    it('ends once, however often it is told, and takes nothing after the end', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      void writer.append(chunk(1, 'a\n'));
      const ended = { sequence: 1, sizeBytes: 2, lines: 1, isEnded: true, isCut: true };
      expect(await writer.end(true)).toEqual(ended);
      expect(await writer.end(false)).toEqual(ended);
      await expect(writer.append(chunk(2, 'b'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      expect(await writer.append(chunk(1, 'a\n'))).toBe(1);
      expect(await storage.find(stepId)).toEqual(ended);
    });

    it('ends a log without a chunk', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      expect(await writer.end(false)).toMatchObject({ sequence: 0, sizeBytes: 0, isEnded: true });
      await writer.close();
      expect(await storage.find(stepId)).toMatchObject({ isEnded: true, isCut: false });
      expect(await storage.read(stepId, 0, 10)).toEqual(Buffer.alloc(0));
    });

    it('stores chunks that come all at once, in order', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i + 1}\n`);
      await Promise.all(lines.map((line, i) => writer.append(chunk(i + 1, line))));
      expect(String(await storage.read(stepId, 0, 1e6))).toBe(lines.join(''));
      expect(writer.state).toMatchObject({ sequence: 2_000, lines: 2_000 });
    });

    it('goes on where it was after a crash of the server', async () => {
      const { storage, stepId, reopened } = await world();
      const writer = await storage.open(stepId);
      await writer.append(chunk(1, 'one\n'));
      await writer.append(chunk(2, 'two\n'));
      const later = reopened();
      expect(await later.find(stepId)).toMatchObject({ sequence: 2, sizeBytes: 8 });
      const next = await later.open(stepId);
      expect(await next.append(chunk(2, 'two\n'))).toBe(2);
      await next.append(chunk(3, 'three\n'));
      await next.end(false);
      expect(String(await later.read(stepId, 0, 100))).toBe('one\ntwo\nthree\n');
      await next.close();
      expect((await reopened().open(stepId)).state).toMatchObject({ sequence: 3, isEnded: true });
    });

    it('tells of each chunk when it came, where it stands and whether it begins a line, also while the log grows', async () => {
      const { storage, stepId, reopened } = await world();
      expect(await storage.chunks(stepId, { sequence: 1 }, 10)).toBeUndefined();
      const writer = await storage.open(stepId);
      const texts = ['one\ntwo', '\n', '', 'three\nfour\nfive\n', 'six'];
      for (const [i, text] of texts.entries()) await writer.append({ ...chunk(i + 1, text), atMs: i * 1.5 });
      const whole = [
        {
          sequence: 1,
          atMs: 0,
          offset: 0,
          sizeBytes: 7,
          newlinesBefore: 0,
          newlines: 1,
          beginsLine: true,
          endsLine: false,
        },
        {
          sequence: 2,
          atMs: 1.5,
          offset: 7,
          sizeBytes: 1,
          newlinesBefore: 1,
          newlines: 1,
          beginsLine: false,
          endsLine: true,
        },
        {
          sequence: 3,
          atMs: 3,
          offset: 8,
          sizeBytes: 0,
          newlinesBefore: 2,
          newlines: 0,
          beginsLine: true,
          endsLine: true,
        },
        {
          sequence: 4,
          atMs: 4.5,
          offset: 8,
          sizeBytes: 16,
          newlinesBefore: 2,
          newlines: 3,
          beginsLine: true,
          endsLine: true,
        },
        {
          sequence: 5,
          atMs: 6,
          offset: 24,
          sizeBytes: 3,
          newlinesBefore: 5,
          newlines: 0,
          beginsLine: true,
          endsLine: false,
        },
      ];
      expect(await storage.chunks(stepId, { sequence: 1 }, 10)).toEqual(whole);
      await writer.end(false);
      await writer.close();
      const later = reopened();
      expect(await later.chunks(stepId, { sequence: 2 }, 2)).toEqual(whole.slice(1, 3));
      expect(await later.chunks(stepId, { sequence: 6 }, 2)).toEqual([]);
      const from = async (newlines: number): Promise<unknown> => later.chunks(stepId, { newlines }, 10);
      expect(await from(0)).toEqual(whole);
      expect(await from(2)).toEqual(whole.slice(1));
      expect(await from(3)).toEqual(whole.slice(3));
      expect(await from(5)).toEqual(whole.slice(3));
      expect(await from(6)).toEqual([]);
      expect(await later.chunks(stepId, { byte: 7 }, 1)).toEqual(whole.slice(1, 2));
      expect(await later.chunks(stepId, { byte: 8 }, 1)).toEqual(whole.slice(3, 4));
      expect(await later.chunks(stepId, { byte: 27 }, 1)).toEqual([]);
    });

    it('removes a log whole', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      await writer.append(chunk(1, 'a'));
      await storage.remove(stepId);
      expect(await storage.find(stepId)).toBeUndefined();
      expect((await storage.open(stepId)).state.sequence).toBe(0);
    });

    it('refuses to write once it is closed', async () => {
      const { storage, stepId } = await world();
      const writer = await storage.open(stepId);
      await writer.close();
      await writer.close();
      await expect(writer.append(chunk(1, 'a'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    });
  });
}

function chunk(sequence: number, bytes: Buffer | string): LogChunk {
  return { sequence, stream: 'stdout', atMs: sequence, bytes: Buffer.from(bytes) };
}

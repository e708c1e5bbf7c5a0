import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { framedSocket } from './framed-socket.ts';
import type { MessageLine } from './message-line.ts';
import { pairedConnection } from './paired-connection.ts';

interface Word {
  readonly n: number;
  readonly text?: string;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function socketPair(): Promise<[Socket, Socket]> {
  const folder = await mkdtemp(join(tmpdir(), 'frames-'));
  const path = join(folder, 's');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect(path);
  const other = await accepted;
  cleanups.push(async () => {
    client.destroy();
    other.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });
  return [client, other];
}

const lines: [string, () => Promise<[MessageLine<Word, Word>, MessageLine<Word, Word>]>][] = [
  [
    'framedSocket',
    async () => {
      const [a, b] = await socketPair();
      return [framedSocket<Word, Word>(a), framedSocket<Word, Word>(b)];
    },
  ],
  ['pairedConnection', async () => pairedConnection<Word, Word>()],
];

describe.each(lines)('%s', (_name, open) => {
  it('keeps order, boundaries and bytes in both directions', async () => {
    const [a, b] = await open();
    const seen: { n: number; payload: Buffer }[] = [];
    const done = new Promise<void>((resolve) => {
      b.onMessage((message, payload) => {
        seen.push({ n: message.n, payload });
        if (message.n === 999) resolve();
      });
    });
    const answered = new Promise<Word>((resolve) => a.onMessage(resolve));
    for (let n = 0; n < 1_000; n += 1) a.send({ n, text: '文'.repeat(n) }, Buffer.alloc((n * 131) % 70_000, n));
    b.send({ n: -1 });
    await done;
    expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(seen.every(({ n, payload }) => payload.equals(Buffer.alloc((n * 131) % 70_000, n)))).toBe(true);
    expect(await answered).toEqual({ n: -1 });
    a.close();
  });

  it('tells both ends when it closes, after what was sent before, and drops what is sent later', async () => {
    const [a, b] = await open();
    const seen: number[] = [];
    b.onMessage((message) => seen.push(message.n));
    const closed = Promise.all([
      new Promise<void>((resolve) => a.onClose(resolve)),
      new Promise<void>((resolve) => b.onClose(resolve)),
    ]);
    a.send({ n: 1 });
    a.close();
    a.send({ n: 2 });
    await closed;
    expect(seen).toEqual([1]);
    const late = new Promise<void>((resolve) => b.onClose(resolve));
    await late;
  });

  it('says how much waits to be sent', async () => {
    const [a, b] = await open();
    expect(a.bufferedBytes).toBe(0);
    for (let n = 0; n < 64; n += 1) a.send({ n }, Buffer.alloc(65_536));
    expect(a.bufferedBytes).toBeGreaterThan(60 * 65_536);
    await new Promise<void>((resolve) => {
      b.onMessage((message) => {
        if (message.n === 63) resolve();
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(a.bufferedBytes).toBe(0);
    a.close();
  });
});

describe('framedSocket with a bad peer', () => {
  async function feed(...pieces: Buffer[]): Promise<{ seen: Word[]; faults: string[] }> {
    const [raw, other] = await socketPair();
    const faults: string[] = [];
    const seen: Word[] = [];
    const line = framedSocket<Word, Word>(other, { onFault: (fault) => faults.push(fault.message) });
    line.onMessage((message) => seen.push(message));
    const closed = new Promise<void>((resolve) => line.onClose(resolve));
    for (const piece of pieces) raw.write(piece);
    await closed;
    return { seen, faults };
  }
  const frame = (text: string, payloadBytes = 0): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(Buffer.byteLength(text), 0);
    head.writeUInt32BE(payloadBytes, 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };

  it.each([
    ['a message that is no JSON', frame('{"n":')],
    ['a message that is no object', frame('[1]')],
    ['a message over the limit', Buffer.from('ffffffff00000000', 'hex')],
    ['a payload over the limit', Buffer.from('00000002ffffffff7b7d', 'hex')],
  ])('closes the line at %s, and keeps what came before', async (_what, bad) => {
    const { seen, faults } = await feed(Buffer.concat([frame('{"n":1}'), bad, frame('{"n":2}')]));
    expect(seen).toEqual([{ n: 1 }]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^Cannot read a frame/);
  });

  it('reads frames that arrive byte by byte', async () => {
    const [raw, other] = await socketPair();
    const line = framedSocket<Word, Word>(other);
    const both = new Promise<Word[]>((resolve) => {
      const seen: Word[] = [];
      line.onMessage((message, payload) => {
        seen.push({ ...message, text: payload.toString() });
        if (seen.length === 2) resolve(seen);
      });
    });
    const bytes = Buffer.concat([frame('{"n":1}', 3), Buffer.from('abc'), frame('{"n":2}')]);
    raw.setNoDelay(true);
    for (const byte of bytes) {
      raw.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await both).toEqual([
      { n: 1, text: 'abc' },
      { n: 2, text: '' },
    ]);
  });
});

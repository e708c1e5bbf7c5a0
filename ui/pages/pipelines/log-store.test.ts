import { beforeAll, describe, expect, it } from 'vitest';
import { LogStore } from './log-store.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const lines = (store: LogStore): (string | undefined)[] =>
  Array.from({ length: store.lineCount }, (_, i) => store.line(i));

const emptyOutline = {
  lines: 0,
  sizeBytes: 0,
  isEnded: true,
  isCut: false,
  startedAt: null,
  lastAtMs: null,
  commands: [],
  hasMoreCommands: false,
};

/** The same numbers from 0 to 1 each time (a linear congruential generator). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe('LogStore', () => {
  beforeAll(() => {
    // There is no frame to wait for outside a browser.
    globalThis.requestAnimationFrame ??= (callback) => Number(setTimeout(() => callback(0)));
  });

  it('holds the same lines however the bytes were cut', () => {
    const text = '+ npm ci\nadded 3\r\n\n中文 🏗 line\n+ npm test\nno end';
    const bytes = encode(text);
    for (let size = 1; size <= bytes.length; size++) {
      const store = new LogStore();
      for (let at = 0; at < bytes.length; at += size) store.append(bytes.subarray(at, at + size));
      expect(lines(store)).toEqual(['+ npm ci', 'added 3', '', '中文 🏗 line', '+ npm test', 'no end']);
      expect(store.commands).toEqual([0, 4]);
    }
  });

  it('keeps the two ends of an endless line, and knows its size', () => {
    const store = new LogStore();
    store.append(encode('begin'));
    for (let i = 0; i < 100; i++) store.append(encode('x'.repeat(10_000)));
    store.append(encode('end'));
    expect(store.lineCount).toBe(1);
    expect(store.line(0)).toMatch(/^beginx+end$/);
    expect(store.line(0)?.length).toBeLessThan(140_000);
    expect(store.lineSize(0)).toBe(1_000_008);
    store.append(encode('\n'));
    expect(store.line(0)).toMatch(/^beginx+end$/);
    expect(store.lineSize(0)).toBe(1_000_008);
  });

  it('is the same log in whatever order and overlap its parts come', async () => {
    const text = Array.from({ length: 400 }, (_, i) =>
      i % 37 === 0 ? `+ command ${i}` : i % 53 === 0 ? `Error: ${i}` : `line ${i} 中文`,
    );
    const bytes = encode(`${text.join('\n')}\nno end`);
    const starts = [0];
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
    const whole = new LogStore();
    whole.append(bytes);
    const random = numbersFrom(7);
    for (let round = 0; round < 60; round++) {
      const store = new LogStore();
      store.search('4');
      const outline = { ...emptyOutline, lines: text.length + 1, sizeBytes: bytes.length };
      if (round % 2 === 0) store.expect(outline);
      // Windows of whole lines from anywhere, then what is missing, in pieces that repeat some of what is there.
      for (let i = 0; i < round % 7; i++) {
        const line = Math.floor(random() * starts.length);
        const end = starts[line + Math.ceil(random() * 60)] ?? bytes.length;
        store.insert(starts[line] ?? 0, line, bytes.subarray(starts[line], end));
        for (const shown of [line, line + 1]) if (store.has(shown)) expect(store.line(shown)).toBe(whole.line(shown));
      }
      while (!store.isWhole || store.endOffset < bytes.length) {
        const gap = store.firstGap() ?? { from: store.endOffset, to: bytes.length };
        const from = Math.max(0, gap.from - Math.floor(random() * 50));
        store.put(from, bytes.subarray(from, gap.from + 1 + Math.floor(random() * 900)));
      }
      expect(lines(store)).toEqual(lines(whole));
      expect(store.commands).toEqual(whole.commands);
      await expect.poll(() => store.errors.length).toBe(text.filter((line) => line.startsWith('Error')).length);
      expect(store.errors).toEqual(store.errors.toSorted((a, b) => a - b));
      await expect.poll(() => store.isSearching).toBe(false);
      expect(store.hits).toEqual(text.flatMap((line, i) => (line.includes('4') ? [i] : [])));
    }
  });

  it('counts lines that have not come, and knows the commands among them', () => {
    const store = new LogStore();
    store.expect({
      ...emptyOutline,
      lines: 1_000,
      sizeBytes: 9_000,
      commands: [{ line: 501, text: '+ make', atMs: 7 }],
    });
    store.insert(8_100, 900, encode('late\nr\n'));
    expect([store.lineCount, store.commands, store.isWhole]).toEqual([1_000, [500], false]);
    expect([store.line(500), store.line(499), store.line(900), store.line(902)]).toEqual([
      '+ make',
      undefined,
      'late',
      undefined,
    ]);
    expect(store.firstGap()).toEqual({ from: 0, to: 8_100 });
  });

  it('searches the last line once nothing follows it', async () => {
    const store = new LogStore();
    store.append(encode('one\nno end'));
    store.search('end');
    store.close();
    await expect.poll(() => store.hits).toEqual([1]);
    expect([store.lineCount, store.line(1), store.endOffset]).toEqual([2, 'no end', 10]);
  });

  it('survives bytes that are no text', () => {
    const store = new LogStore();
    store.append(Uint8Array.of(0xff, 0x00, 0xc3, 10, 0xe4, 0xb8));
    expect(lines(store)).toEqual(['\ufffd\0\ufffd', '\ufffd']);
  });

  it('finds text in plain lines and between colours, one hit per line, and in what comes later', async () => {
    const store = new LogStore();
    store.append(encode('Alpha alpha\nbeta\n\x1b[31mal\x1b[32mpha\x1b[0m\nold\ralpha\n'));
    store.search('ALPHA');
    await expect.poll(() => store.hits).toEqual([0, 2, 3]);
    store.append(encode('gamma\nalphabet\n'));
    await expect.poll(() => store.hits).toEqual([0, 2, 3, 5]);
    store.search('(');
    await expect.poll(() => store.hits).toEqual([]);
  });

  it('marks lines that look like errors', async () => {
    const store = new LogStore();
    store.append(
      encode('ok\n\x1b[31m✗ fails\x1b[0m\nTypeError: no\nan Error: inside\nfatal: gone\nerror[E0308]: rust\n'),
    );
    await expect.poll(() => store.errors).toEqual([1, 2, 4, 5]);
  });
});

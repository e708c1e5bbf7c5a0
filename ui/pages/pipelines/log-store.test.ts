import { beforeAll, describe, expect, it } from 'vitest';
import { LogStore } from './log-store.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const lines = (store: LogStore): (string | undefined)[] =>
  Array.from({ length: store.lineCount }, (_, i) => store.line(i));

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

import { describe, expect, it } from 'vitest';
import { markBidi, plainText, segments } from './ansi.ts';

describe('plainText', () => {
  it.each([
    ['colours', '\x1b[31mred\x1b[0m and \x1b[38;5;200mpink\x1b[m', 'red and pink'],
    ['a progress bar', '10%\r55%\r100%', '100%'],
    ['a progress bar that ends with a return', '10%\r100%\r', '100%'],
    ['an erased line', 'old\x1b[2Knew', 'new'],
    ['a window title', '\x1b]0;title\x07text', 'text'],
    ['a clipboard write', '\x1b]52;c;QQ==\x1b\\text', 'text'],
    ['a link', '\x1b]8;;https://a.test\x07label\x1b]8;;\x07', 'label'],
    ['cursor moves', 'a\x1b[2Ab\x1b[?25lc', 'abc'],
    ['control characters', 'a\x00b\x07c\x7f', 'abc'],
    ['a lone escape', 'a\x1b', 'a'],
  ])('drops %s and keeps the words', (_, line, expected) => {
    expect(plainText(line)).toBe(expected);
  });
});

describe('segments', () => {
  it('carries a style over what a progress bar rewrote', () => {
    expect(segments('\x1b[32m10%\r100%')).toEqual([{ text: '100%', className: 'a2' }]);
  });

  it('reads 16, 256 and true colours, and ignores backgrounds', () => {
    expect(segments('\x1b[1;31ma\x1b[0;48;5;3mb\x1b[38;2;1;2;3mc')).toEqual([
      { text: 'a', className: 'a1 bold' },
      { text: 'b', className: '' },
      { text: 'c', className: '', color: 'rgb(1 2 3)' },
    ]);
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'http:', '//host'])(
    'makes no link of %s',
    (address) => {
      for (const one of segments(`\x1b]8;;${address}\x07label\x1b]8;;\x07`)) expect(one.href).toBeUndefined();
    },
  );

  it('ends an ANSI storm in a bounded number of pieces that hold all of the text', () => {
    const storm = Array.from({ length: 5_000 }, (_, i) => `\x1b[3${i % 7}m${i % 10}`).join('');
    const found = segments(storm);
    expect(found.length).toBeLessThanOrEqual(400);
    expect(found.map(({ text }) => text).join('')).toHaveLength(5_000);
  });

  it('takes no more than a moment for a hostile line', () => {
    const startMs = performance.now();
    for (const hostile of [
      '\x1b]'.repeat(50_000),
      '\x1b[;'.repeat(50_000),
      '\r'.repeat(100_000),
      '\x1b]8;;x'.repeat(20_000),
    ])
      segments(hostile);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

describe('markBidi', () => {
  it('names characters that turn the order of text', () => {
    expect(markBidi('a\u202eb\u2066c')).toBe('a[U+202E]b[U+2066]c');
  });
});

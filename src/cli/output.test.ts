import { describe, expect, it } from 'vitest';
import type { CliIo } from './cli-io.ts';
import { Output } from './output.ts';
import { cutToWidth, padToWidth, printable, textWidth } from './text-width.ts';

function world(options: {
  readonly isTerminal: boolean;
  readonly columns?: number;
  readonly environment?: Record<string, string>;
}) {
  let text = '';
  const stream = {
    isTerminal: options.isTerminal,
    columns: options.columns ?? 80,
    async write(bytes: string | Uint8Array) {
      text += String(bytes);
    },
  };
  const io: CliIo = {
    environment: options.environment ?? {},
    workingFolder: '/',
    stdout: stream,
    stderr: stream,
    stdin: { isTerminal: false, readAll: async () => '' },
    openBrowser: async () => false,
    wait: async () => {},
    onSignal: () => () => {},
  };
  return { out: new Output(io), written: () => text };
}

const rows = [
  { number: 4127, subject: 'fix(cart): 按币种取整' },
  { number: 7, subject: 'chore\tbump\nimage' },
];
const columns = [
  {
    title: 'N',
    text: (row: (typeof rows)[0]) => `#${row.number}`,
    plain: (row: (typeof rows)[0]) => String(row.number),
  },
  { title: 'SUBJECT', text: (row: (typeof rows)[0]) => row.subject },
];

describe('textWidth', () => {
  it.each([
    ['abc', 3],
    ['按币种', 6],
    ['ｆｕｌｌ', 8],
    ['한국', 4],
    ['e\u0301', 1],
    ['👍', 2],
    ['\u200b', 0],
    ['', 0],
  ])('of %j is %i', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it('is what padding and cutting count in, and no character is cut in half', () => {
    expect(padToWidth('梅', 4)).toBe('梅  ');
    expect(cutToWidth('按币种取整', 6)).toBe('按币…');
    expect(cutToWidth('按币种取整', 10)).toBe('按币种取整');
  });
});

describe('printable', () => {
  it('shows escape sequences and direction marks instead of obeying them', () => {
    expect(printable('a\u001b[31mred\u202e\r\n')).toBe('a\\x1b[31mred\\x202e\n');
  });
});

describe('Output', () => {
  it('aligns columns on a terminal, whatever their script', async () => {
    const { out, written } = world({ isTerminal: true, environment: { NO_COLOR: '1' } });
    await out.table(rows, columns);
    expect(written()).toBe('N      SUBJECT\n#4127  fix(cart): 按币种取整\n#7     chore bump image\n');
  });

  it('cuts the last column to the terminal and nothing in a pipe', async () => {
    const narrow = world({ isTerminal: true, columns: 22, environment: { NO_COLOR: '1' } });
    await narrow.out.table(rows, columns);
    expect(narrow.written().split('\n')[1]).toBe('#4127  fix(cart): 按…');
    const pipe = world({ isTerminal: false });
    await pipe.out.table(rows, columns);
    expect(pipe.written()).toBe('4127\tfix(cart): 按币种取整\n7\tchore bump image\n');
  });

  it.each([
    [{ isTerminal: true }, true],
    [{ isTerminal: true, environment: { NO_COLOR: '1' } }, false],
    [{ isTerminal: true, environment: { TERM: 'dumb' } }, false],
    [{ isTerminal: false }, false],
    [{ isTerminal: false, environment: { FORCE_COLOR: '1' } }, true],
  ])('in %j has colours: %s', (options, isColoured) => {
    expect(world(options).out.paint('red', 'x')).toBe(isColoured ? '\u001b[31mx\u001b[39m' : 'x');
  });

  it('chooses fields of an object, and of the items of a list', async () => {
    const { out, written } = world({ isTerminal: false });
    await out.json({ items: rows, next: null }, 'number');
    await out.json({ number: 1, status: 'passed', more: 2 }, 'status, number,missing');
    await out.json({ a: 1 }, '*');
    expect(written().trimEnd().split('\n')).toEqual([
      '{"items":[{"number":4127},{"number":7}],"next":null}',
      '{"status":"passed","number":1,"missing":null}',
      '{"a":1}',
    ]);
  });

  it('indents JSON for people', async () => {
    const { out, written } = world({ isTerminal: true });
    await out.json({ a: 1 }, '*');
    expect(written()).toBe('{\n  "a": 1\n}\n');
  });
});

import { describe, expect, it } from 'vitest';
import { ExpressionError } from './expression-error.ts';
import { readTokens } from './read-tokens.ts';

const textsOf = (source: string): string[] => readTokens(source).map((token) => token.text);

const valueOf = (source: string): unknown => {
  const [token] = readTokens(source);
  return token && 'value' in token ? token.value : undefined;
};

function refusalOf(source: string): { message: string; column: number } | undefined {
  try {
    readTokens(source);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { message: error.message, column: error.column };
  }
}

describe('readTokens', () => {
  it.each([
    ['42', 42n],
    ['1_000', 1_000n],
    ['007', 7n],
    ['0x2A', 42n],
    ['0XfF_fF', 0xffffn],
    ['0o52', 42n],
    ['0b10_1010', 42n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['0.5', 0.5],
    ['.5', 0.5],
    ['1e3', 1_000],
    ['2.5E-1', 0.25],
    ['1_0.2_5', 10.25],
  ])('reads the number %s', (source, value) => {
    expect(valueOf(source)).toBe(value);
  });

  it.each([
    ['"a \\"b\\" \'c\'"', 'a "b" \'c\''],
    ["'it\\'s'", "it's"],
    ['"\\n\\t\\r\\a\\b\\f\\v\\\\"', '\n\t\r\u0007\b\f\v\\'],
    ['"\\x41\\u00e9\\U0001F600\\u{1F600}\\101"', 'Aé😀😀A'],
    ['"\\ud83d\\ude00"', '😀'],
    ['`raw \\n "x"\nsecond line`', 'raw \\n "x"\nsecond line'],
    ['""', ''],
  ])('reads the string %s', (source, value) => {
    expect(valueOf(source)).toBe(value);
  });

  it('tells operators from the names that begin like them', () => {
    expect(readTokens('not notes in inner').map((token) => token.kind)).toEqual([
      'word',
      'name',
      'word',
      'name',
      'end',
    ]);
  });

  it('takes the longest sign there is', () => {
    expect(textsOf('a**b*c?.d??e..f')).toEqual(['a', '**', 'b', '*', 'c', '?.', 'd', '??', 'e', '..', 'f', '']);
  });

  it('gives a point before a digit to the number', () => {
    expect(textsOf('a?.5:b')).toEqual(['a', '?', '.5', ':', 'b', '']);
    expect(textsOf('1..3')).toEqual(['1', '..', '3', '']);
  });

  it('leaves out blanks and comments, and counts columns over all of them', () => {
    const tokens = readTokens('a // first\n /* second */ == b');
    expect(tokens.map(({ text, column }) => [text, column])).toEqual([
      ['a', 1],
      ['==', 26],
      ['b', 29],
      ['', 30],
    ]);
  });

  it('hands on what begins nothing, so that the parser can refuse it in its place', () => {
    expect(readTokens('a = 😀; #acc').filter((token) => token.kind === 'stray')).toEqual([
      { kind: 'stray', text: '=', column: 3 },
      { kind: 'stray', text: '😀', column: 5 },
      { kind: 'stray', text: ';', column: 7 },
      { kind: 'stray', text: '#acc', column: 9 },
    ]);
  });

  it.each([
    ['a == "b', 6, 'the string has no closing "'],
    ["'b\n'", 1, "the string has no closing '"],
    ['x `b', 3, 'the string has no closing `'],
    ['"a\\', 3, 'the escape "\\" is not known in a string'],
    ['"\\d+"', 2, 'the escape "\\d" is not known in a string'],
    ['"\\x4"', 2, 'the escape "\\x" is not known in a string'],
    ['"\\u{110000}"', 2, 'the escape "\\u" is not known in a string'],
    ['1 + "\\ud83d"', 5, 'the string has half of a surrogate pair'],
    ['1 + 12ab', 5, 'the number "12a" is malformed'],
    ['0x', 1, 'the number "0x" is malformed'],
    ['0x_', 1, 'the number "0x_" is malformed'],
    ['0b12', 1, 'the number "0b12" is malformed'],
    ['9223372036854775808', 1, 'the number "9223372036854775808" is too large for 64 bits'],
    ['1e999', 1, 'the number "1e999" is too large'],
    ['a /* b', 3, 'the comment "/*" has no "*/"'],
  ])('refuses %j at column %i', (source, column, message) => {
    const refusal = refusalOf(source);
    expect(refusal?.message).toContain(message);
    expect(refusal?.column).toBe(column);
  });
});

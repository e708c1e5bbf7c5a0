import { describe, expect, it } from 'vitest';
import { parseSecretFile, SecretFileError } from './secret-file.ts';

describe('parseSecretFile', () => {
  it('reads plain, quoted and many-line values; names become lower-case', () => {
    const text = `\uFEFF# of staging
export DB_PASSWORD=s3cret # old
EMPTY=
SINGLE='as $it "is" \\n'
DOUBLE="two\\nlines \\"and\\" \\$5 \\\\"   # said twice
KEY="-----BEGIN-----
abc
-----END-----"
  spaced.name-2 =  a=b#c  \r
`;
    expect(Object.fromEntries(parseSecretFile(text))).toEqual({
      db_password: 's3cret',
      empty: '',
      single: 'as $it "is" \\n',
      double: 'two\nlines "and" $5 \\',
      key: '-----BEGIN-----\nabc\n-----END-----',
      'spaced.name-2': 'a=b#c',
    });
  });

  it.each([
    ['a line without "="', 'A=1\nnonsense\n', 2],
    ['quotes that do not end', 'A=1\nB="x\ny\n', 2],
    ['text behind closing quotes', "A='x' y\n", 1],
    ['a name that is none', '1A=x\n', 1],
  ])('names the line of %s', (_what, text, line) => {
    expect(() => parseSecretFile(text)).toThrow(expect.objectContaining({ line }) as SecretFileError);
    expect(() => parseSecretFile(text)).toThrow(SecretFileError);
  });
});

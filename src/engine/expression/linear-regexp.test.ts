import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { LinearRegexp } from './linear-regexp.ts';
import { RegexpError } from './parse-regexp.ts';

const matches = (pattern: string, text: string): boolean => new LinearRegexp(pattern).test(text, () => undefined);

/** How many states were looked at. */
function statesOf(pattern: string, text: string): number {
  let all = 0;
  new LinearRegexp(pattern).test(text, (states) => {
    all += states;
  });
  return all;
}

function refusalOf(pattern: string): string | undefined {
  try {
    new LinearRegexp(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    return error.message;
  }
}

describe('LinearRegexp', () => {
  it.each([
    // anywhere in the text
    ['', '', true],
    ['', 'abc', true],
    ['b', 'abc', true],
    ['d', 'abc', false],
    ['^b', 'abc', false],
    ['^ab', 'abc', true],
    ['bc$', 'abc', true],
    ['ab$', 'abc', false],
    ['c$', 'abc\n', false], // "$" is the very end
    ['^b', 'a\nb', false],
    ['(?m)^b$', 'a\nb\nc', true],
    ['(?m)\\Ab', 'a\nb', false],
    ['(?m)a\\z', 'a\nb', false],
    // repetitions
    ['^ab*c$', 'ac', true],
    ['^ab*c$', 'abbbc', true],
    ['^ab+c$', 'ac', false],
    ['^ab?c$', 'abbc', false],
    ['^ab+?c$', 'abbc', true],
    ['^a{3}$', 'aaa', true],
    ['^a{3}$', 'aaaa', false],
    ['^a{2,}$', 'a', false],
    ['^a{2,}$', 'aaaaa', true],
    ['^a{2,4}?$', 'aaa', true],
    ['^a{2,4}$', 'aaaaa', false],
    ['^a{0}$', '', true],
    ['^(ab){2}$', 'abab', true],
    ['a{,5}', 'a{,5}', true], // no bounds, so it stands for itself
    ['a{', 'a{', true],
    ['^(a*)*$', 'aaab', false],
    ['^(|a)*b$', 'aab', true],
    // choices and groups
    ['^(feat|fix)(\\([a-z]+\\))?: .+', 'fix(ui): x', true],
    ['^(feat|fix)(\\([a-z]+\\))?: .+', 'chore: x', false],
    ['^(?:a|bc|)d$', 'd', true],
    ['^(?P<word>\\w+)-(?<number>\\d+)$', 'GAN-12', true],
    ['a|', 'x', true],
    // classes
    ['^[a-c]+$', 'abcd', false],
    ['^[^a-c]+$', 'xyz', true],
    ['^[^a]$', '\n', true],
    ['^[]a]+$', ']a', true],
    ['^[^]a]$', ']', false],
    ['^[a-]+$', 'a-', true],
    ['^[-a]+$', '-a', true],
    ['^[\\d_]+$', '1_2', true],
    ['^[^\\d]+$', '12', false],
    ['^[\\D]+$', 'ab', true],
    ['^[\\]\\\\^-]+$', ']\\^-', true],
    ['^[[:alpha:]]+$', 'aZ', true],
    ['^[[:^alpha:][:upper:]]+$', '1A', true],
    ['^[[:^alpha:]]+$', 'a', false],
    ['^[\\x41-\\x{43}]+$', 'ABC', true],
    ['^\\d\\D\\w\\W\\s\\S$', '1a_- x', true],
    ['\\s', '\u00a0', false],
    ['\\s', '\v', false],
    ['\\w', 'é', false],
    ['^.$', '😀', true],
    ['^..$', '😀', false],
    ['.', '\n', false],
    ['(?s)^.$', '\n', true],
    ['^[α-ω]+$', 'λόγος', false], // ό lies outside
    ['^[α-ω]+$', 'λογος', true],
    // places between characters
    ['\\bfoo\\b', 'a foo b', true],
    ['\\bfoo\\b', 'food', false],
    ['\\Boo\\b', 'foo', true],
    ['^\\b', '', false],
    ['\\B', '', true],
    ['a^b', 'ab', false],
    // escapes
    ['^a\\.b$', 'axb', false],
    ['^a\\.b\\/c\\-d$', 'a.b/c-d', true],
    ['^\\t\\n\\r\\f\\v\\a$', '\t\n\r\f\v\u0007', true],
    ['^\\x41\\x{1F600}\\101\\012\\0$', 'A😀A\n\0', true],
    ['^\\Qa.b*\\E+$', 'a.b***', true],
    ['^\\Qa.b', 'a.b', true],
    // flags
    ['(?i)RELEASE', 'a release', true],
    ['(?i)[a-z]+$', 'ABC', true],
    ['(?i)^[^k]$', 'K', false],
    ['(?i)^straße$', 'STRAßE', true],
    ['(?i)^ß$', 'ẞ', true],
    ['(?i)^k$', '\u212a', true],
    ['(?i)^\\w$', '\u017f', true],
    ['(?i)^\\W$', '\u017f', false],
    ['(?i)^σ+$', 'Σσς', true],
    ['(?i)^[À-Ý]+$', 'éÉ', true],
    ['(?i)^é$', 'É', true],
    ['a(?i)b|c', 'C', true], // holds to the end of the group
    ['(?:(?i)a)b', 'AB', false],
    ['(?i:a)b', 'Ab', true],
    ['(?i)a(?-i)b', 'AB', false],
    ['(?i-s)A', 'a', true],
    ['(?sU)a.+b', 'a\nb', true],
  ])('says of %j in %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each([
    ['a(?=b)', 'has "(?=" at its character 2: look-around is not supported'],
    ['a(?!b)', 'has "(?!" at its character 2: look-around is not supported'],
    ['(?<=a)b', 'has "(?<=" at its character 1: look-around is not supported'],
    ['(?<!a)b', 'has "(?<!" at its character 1: look-around is not supported'],
    ['(a)\\1', 'has "\\1" at its character 4: back-references are not supported'],
    ['(?P<a>x)(?P=a)', 'has "(?P=" at its character 9: back-references are not supported'],
    ['(?>a)', 'has "(?>" at its character 1: this kind of group is not supported'],
    ['(?#a)', 'has "(?#" at its character 1: this kind of group is not supported'],
    ['(?x)a', 'has "(?x" at its character 1: the flag "x" is not supported'],
    ['(?P<a>x)(?P<a>y)', 'has "(?P<a>" at its character 9: another group has the same name'],
    ['\\p{Greek}', 'has "\\p" at its character 1: this escape is not supported'],
    ['a\\Z', 'has "\\Z" at its character 2: this escape is not supported'],
    ['\\C', 'has "\\C" at its character 1: this escape is not supported'],
    ['[\\b]', 'has "\\b" at its character 2: this escape is not supported'],
    ['a\\', 'has "\\" at its character 2: nothing follows it'],
    ['*a', 'has "*" at its character 1: there is nothing before it to repeat'],
    ['a|+', 'has "+" at its character 3: there is nothing before it to repeat'],
    ['{2}', 'has "{2}" at its character 1: there is nothing before it to repeat'],
    ['a**', 'has "**" at its character 2: a repetition cannot be repeated'],
    ['a++', 'has "++" at its character 2: a repetition cannot be repeated'],
    ['a{2}{3}', 'has "{2}{3}" at its character 2: a repetition cannot be repeated'],
    ['a{3,2}', 'has "{3,2}" at its character 2: its bounds are not in order, or above 1000'],
    ['a{1001}', 'has "{1001}" at its character 2: its bounds are not in order, or above 1000'],
    ['(a', 'has "(" at its character 1: it has no ")"'],
    ['a)', 'has ")" at its character 2: it closes no group'],
    ['[a', 'has "[" at its character 1: it has no "]"'],
    ['[z-a]', 'has "z-a" at its character 2: the range ends before it begins'],
    ['[[:letter:]]', 'has "[:letter:]" at its character 2: there is no class with this name'],
    ['\\x{110000}', 'has "\\x" at its character 1: this escape is not supported'],
    ['('.repeat(101), 'has groups nested deeper than 100 levels'],
    ['a'.repeat(4_097), 'is longer than 4096 characters'],
    ['((a{100}){100}){100}', 'is too large when its repetitions are written out'],
    ['((((){1000}){1000}){1000}){1000}', 'is too large when its repetitions are written out'],
  ])('refuses %j', (pattern, message) => {
    expect(refusalOf(pattern)).toBe(message);
  });

  it.each(['(a+)+$', '(a|aa)+$', '(a|a?)+$', '(.*)(.*)(.*)b$', '([a-zA-Z]+)*$', '(a*)*b'])(
    'looks at a few states per character for %j, whatever follows 100,000 times a',
    (pattern) => {
      expect(statesOf(pattern, `${'a'.repeat(100_000)}!`)).toBeLessThan(100_001 * 20);
    },
  );

  it('ends as soon as the one who counts its work throws', () => {
    const regexp = new LinearRegexp('(a?){1000}b');
    let seen = 0;
    const spend = (states: number): void => {
      seen += states;
      if (seen > 50_000) throw new RangeError('enough');
    };
    expect(() => regexp.test('a'.repeat(1_000_000), spend)).toThrow('enough');
    expect(seen).toBeLessThan(60_000);
  });

  it('agrees with the regular expressions of JavaScript where both mean the same', () => {
    // Few groups and short texts: the other side goes back and forth, and would take minutes for some patterns.
    // Without \B, which JavaScript finds inside of a surrogate pair as well.
    const character = fc.constantFrom('a', 'b', 'A', '_', '-', ' ', '\n', 'é', '😀', 'ς', 'Σ');
    const atom = fc.constantFrom(...String.raw`a b A _ é 😀 Σ . ^ $ \b \d \w \W [ab] [^a] [a-zé]`.split(' '));
    const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,2}?', '+?');
    const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
      part: fc.oneof(
        { maxDepth: 2, withCrossShrink: true },
        fc.tuple(atom, quantifier).map(([one, times]) => (/^(?:[$^]|\\b)$/.test(one) ? one : one + times)),
        fc.tuple(tie('pattern'), quantifier).map(([inner, times]) => `(?:${inner})${times}`),
      ),
      pattern: fc
        .array(fc.array(tie('part'), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
        .map((choices) => choices.map((parts) => parts.join('')).join('|')),
    }));
    fc.assert(
      fc.property(
        pattern,
        fc.subarray(['i', 'm', 's']).map((flags) => flags.join('')),
        fc.array(character, { maxLength: 6 }).map((characters) => characters.join('')),
        (source, flags, text) => {
          // With "iu" JavaScript's \w and \b take two letters more, which the texts do not have.
          const expected = new RegExp(source, `u${flags}`).test(text);
          expect(matches(flags === '' ? source : `(?${flags})${source}`, text)).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never fails in another way than by a RegexpError, whatever the pattern', () => {
    const piece = fc.constantFrom(
      '\ud83d',
      ...String.raw`( ) [ ] { } ? * + | \ ^ $ . - : a 1 , (?i) (?P< > [:alpha:] \Q \E \x {2,3} 😀`.split(' '),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        fc.string({ unit: 'binary' }),
        (pattern, text) => {
          if (refusalOf(pattern) === undefined) expect(typeof matches(pattern, text)).toBe('boolean');
        },
      ),
      { numRuns: 500 },
    );
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FailureExcerptFinder } from './failure-excerpt.ts';

const folder = 'test/vectors/failing-logs';

/** What a person would point at, in each of the recorded logs. */
const right: Record<string, RegExp> = {
  apt: /^E: Unable to locate package libfoo-dev$/,
  biome: /format|unused|Some errors|ci ━/,
  'cargo-build': /mismatched types/,
  'cargo-test': /panicked at src\/main|assertion `left == right` failed/,
  curl: /^curl: \(7\) Failed to connect/,
  'docker-build': /Cannot find module|failed to solve/,
  dotnet: /error CS0103/,
  eslint: /'totl' is not defined/,
  'git-clone': /^fatal: unable to access/,
  'go-build': /undefined: (c|undefinedFn)/,
  'go-panic': /^panic: assignment to entry in nil map/,
  'go-test': /want 3|--- FAIL: TestAdd/,
  gradle: /cannot find symbol/,
  java: /NullPointerException/,
  javac: /error: incompatible types/,
  jest: /sums the prices|expect\(received\)/,
  kubectl: /^Error from server \(Forbidden\)/,
  linker: /undefined reference to `helper'|ld returned 1/,
  'make-gcc': /error: expected/,
  'marker-azure': /##\[error\]Cannot upload/,
  'marker-buildkite': /1 example failed/,
  'marker-github': /::error .*left-pad/,
  mvn: /requires a project to execute/,
  'node-crash': /^TypeError: Cannot read properties/,
  'node-import': /Cannot find module/,
  'node-test': /AssertionError/,
  'npm-ci': /The `npm ci` command can only install/,
  'npm-missing-script': /Missing script: "nope"/,
  'npm-script': /^RangeError: Cannot bundle/,
  'out-of-memory': /heap out of memory/,
  oxlint: /x eslint\(/,
  perl: /Cannot open config.ini/,
  pytest: /E {3}assert 3 == 4|FAILED test_sum.py/,
  'pytest-long': /E {3}assert 3 == 4|FAILED test_sum.py/,
  python: /^KeyError: 'name'/,
  'python-syntax': /^SyntaxError/,
  quiet: /^three$/,
  'rm-disk': /No space left on device/,
  segfault: /Segmentation fault/,
  'shell-not-found': /command not found$/,
  'shell-permission': /Permission denied/,
  tar: /missing.tar.gz: Cannot open/,
  terraform: /Reference to undeclared input variable/,
  tsc: /error TS2\d\d\d/,
  vitest: /expected 2 to be 3/,
};

function excerptOf(bytes: Buffer, pieceBytes = 65_536) {
  const finder = new FailureExcerptFinder();
  for (let from = 0; from < bytes.length; from += pieceBytes) finder.write(bytes.subarray(from, from + pieceBytes));
  return finder.find();
}

const lineAt = (excerpt: ReturnType<typeof excerptOf>): string =>
  excerpt?.lines.find(({ number }) => number === excerpt.line)?.text ?? '';

describe('FailureExcerptFinder', () => {
  const names = readdirSync(folder).map((name) => name.replace('.txt', ''));

  it('finds the right line in at least 27 of 30 recorded logs', () => {
    expect(names.length).toBeGreaterThanOrEqual(30);
    const wrong = names
      .map((name) => ({ name, found: lineAt(excerptOf(readFileSync(join(folder, `${name}.txt`)))) }))
      .filter(({ name, found }) => !right[name]?.test(found));
    expect(wrong.length / names.length, JSON.stringify(wrong, undefined, 1)).toBeLessThanOrEqual(0.1);
  });

  it.each(names)('shows 3 to 8 lines that follow each other, the line among them: %s', (name) => {
    const bytes = readFileSync(join(folder, `${name}.txt`));
    const excerpt = excerptOf(bytes)!;
    const total = bytes.toString().split('\n').length - 1;
    expect(excerpt.lines.length).toBeLessThanOrEqual(8);
    expect(excerpt.lines.length).toBeGreaterThanOrEqual(Math.min(total, 3));
    const numbers = excerpt.lines.map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
    expect(numbers).toContain(excerpt.line);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none
    expect(JSON.stringify(excerpt)).not.toMatch(/\\u001b/);
  });

  it.each(names)('finds the same however the log is cut: %s', (name) => {
    const bytes = readFileSync(join(folder, `${name}.txt`));
    expect(excerptOf(bytes, 1)).toEqual(excerptOf(bytes));
    expect(excerptOf(bytes, 7)).toEqual(excerptOf(bytes));
  });

  it('counts lines as they stand in the log, also where it did not look at them', () => {
    const quiet = Buffer.from('all is well\n'.repeat(10_000));
    const finder = new FailureExcerptFinder();
    finder.write(quiet);
    finder.write(Buffer.from('AssertionError: expected 1 to be 2\n'));
    finder.write(quiet);
    expect(finder.find()).toMatchObject({ line: 10_001 });
    expect(finder.find()!.lines.map(({ number }) => number)).toEqual([
      9_998, 9_999, 10_000, 10_001, 10_002, 10_003, 10_004, 10_005,
    ]);
  });

  it('answers the last eight lines of a log that names no error', () => {
    const text = Array.from({ length: 50 }, (_, i) => `line ${i + 1}\n`).join('');
    expect(excerptOf(Buffer.from(text))).toMatchObject({ line: 50, lines: { length: 8 } });
    expect(excerptOf(Buffer.from('one\ntwo'))).toEqual({
      line: 2,
      lines: [
        { number: 1, text: 'one' },
        { number: 2, text: 'two' },
      ],
    });
    expect(excerptOf(Buffer.alloc(0))).toBeUndefined();
  });

  it('prefers the step’s own marker, and takes no diff for one', () => {
    expect(lineAt(excerptOf(Buffer.from('::error::mine\nError: theirs\n')))).toBe('::error::mine');
    expect(lineAt(excerptOf(Buffer.from('--- a/x\n+++ b/x\nError: mine\nend\n')))).toBe('Error: mine');
    expect(lineAt(excerptOf(Buffer.from('--- x.orig\n+++ x.new\nError: mine\nend\n')))).toBe('Error: mine');
  });

  it('stays small and quick with a line that never ends', () => {
    const finder = new FailureExcerptFinder();
    const block = Buffer.alloc(65_536, 'Error ');
    for (let round = 0; round < 500; round += 1) finder.write(block);
    const excerpt = finder.find()!;
    expect(excerpt.line).toBe(1);
    expect(excerpt.lines[0]!.text.length).toBeLessThan(600);
  });
});

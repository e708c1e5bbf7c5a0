import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { Evaluation } from './evaluation.ts';
import { maxSteps } from './evaluation-budget.ts';
import { compileExpression, ExpressionError, evaluateExpression } from './expression.ts';

const variables = {
  CI_COMMIT_AUTHOR: 'mona',
  CI_COMMIT_BRANCH: 'release/1.2',
  CI_COMMIT_MESSAGE: 'feat(ui): Größe 😀\n\nplease run',
  CI_PIPELINE_EVENT: 'push',
  CI_PIPELINE_NUMBER: '12',
  CI_PIPELINE_FILES: '["docs/a.md","src/b.ts"]',
  LABELS: 'deploy,urgent',
  EMPTY: '',
};

const holds = (source: string): boolean => evaluateExpression(compileExpression(source), variables);

function errorOf(work: () => unknown): { message: string; column: number } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { message: error.message, column: error.column };
  }
}

describe('evaluateExpression', () => {
  it.each([
    // what people write
    'CI_COMMIT_AUTHOR == "mona"',
    'CI_PIPELINE_EVENT == "push" && CI_COMMIT_BRANCH != "main"',
    'CI_COMMIT_MESSAGE contains "please run"',
    'not (CI_COMMIT_MESSAGE contains "please ignore")',
    'CI_COMMIT_BRANCH startsWith "release/"',
    'CI_COMMIT_BRANCH matches "^release/[0-9]+\\\\.[0-9]+$"',
    'CI_COMMIT_BRANCH matches `^release/\\d+\\.\\d+$`',
    'CI_PIPELINE_EVENT in ["push", "manual"]',
    'CI_PIPELINE_EVENT not in ["tag", "cron"]',
    '"deploy" in split(LABELS, ",")',
    'LABELS | split(",") | any(# == "urgent")',
    'int(CI_PIPELINE_NUMBER) % 4 == 0',
    'any(fromJSON(CI_PIPELINE_FILES), # startsWith "docs/")',
    'not all(fromJSON(CI_PIPELINE_FILES), {# endsWith ".md"})',
    // variables
    'NEVER_SET == ""',
    '$env.NEVER_SET == "" and $env["NEVER_SET"] == ""',
    '"EMPTY" in $env and "NEVER_SET" not in $env',
    '$env["CI_PIPELINE_EVENT"] == CI_PIPELINE_EVENT and $env.LABELS == LABELS',
    '"__proto__" not in $env and $env["constructor"] == "" and toString == ""',
    'len($env) == 8',
    '$env?.EMPTY == ""',
    'CI_COMMIT_AUTHOR ?? "x" == "mona"',
    // literals
    'true and not false and nil == nil',
    '0x2A == 42 and 1_000 == 1e3 and .5 == 1 / 2',
    '"a\\tb" == `a\tb` and \'it\' == "it"',
    // numbers
    '1 == 1.0 and 7 / 2 == 3.5 and 7 % 4 == 3 and -7 % 4 == -3',
    '2 ** 10 == 1024 and 2 + 3 * 4 == 14 and 5 - 3 - 1 == 1',
    '1 + 2.5 == 3.5 and 2 * 0.5 == 1 and 3.5 - 1 == 2.5',
    '9223372036854775807 + 1 < 0',
    '9007199254740993 != 9007199254740992',
    '1 < 2 and 2 <= 2 and 3 > 2.5 and 2.5 >= 2.5 and not (2 < 1)',
    '1 / 0 > 1e300',
    'float("nan") != float("nan") and not (float("nan") <= 1)',
    '1..3 == [1, 2, 3] and 3..1 == [] and 2 in 1..3',
    // texts
    '"a" + "b" == "ab" and "a" < "b" and "Z" < "a" and "" < "a" and "ab" > "a"',
    '"\uffee" < "😀"', // by code points
    '"abc" contains "b" and "abc" not contains "d" and "abc" contains ""',
    '"abc" endsWith "bc" and "abc" not endsWith "ab" and "abc" not startsWith "b"',
    '"abc" not matches "^b"',
    '"hello"[1:3] == "el" and "hello"[:-1] == "hell" and "hello"[-3:] == "llo" and "hello"[:] == "hello"',
    '"Größe 😀!"[3:5] == "ße" and "Größe 😀!"[6:7] == "😀" and "ab"[5:9] == "" and "ab"[-9:1] == "a" and "ab"[1:0] == ""',
    // lists and maps
    '[1, 2, 3][0] == 1 and [1, 2, 3][-1] == 3',
    '[1, 2, 3, 4, 5][1:4] == [2, 3, 4] and [1, 2, 3][:-1] == [1, 2] and [1, 2, 3][2:] == [3]',
    '{a: 1, "b": 2}.b == 2 and {a: 1}["a"] == 1 and {a: 1}.b == nil and {a: 1, a: 2}.a == 2',
    '"a" in {a: nil} and "b" not in {a: nil}',
    '[1, [2, {a: "x"}]] == [1.0, [2, {a: "x"}]] and [1] != [2] and [1] != [1, 1]',
    '{a: 1, b: 2} == {b: 2, a: 1} and {a: 1} != {b: 1} and {a: nil} != {b: nil} and {} == {}',
    'nil != "" and "" != nil and [] != nil',
    '{}.a?.b.c[0] == nil and {}.a?.["b"] == nil',
    '{a: {b: {c: 1}}}?.a?.b.c == 1',
    '{}.a ?? "x" == "x" and {a: false}.a ?? true == false',
    // branches, and what is not looked at
    'true ? true : 1 / 0 == 1',
    'false ? fromJSON("{") : true',
    'true or [][0]',
    'not (false and [][0])',
    'nil ?? true',
    'true ?? [][0]',
    // functions with a predicate
    'all([], false) and not any([], true) and none([], true) and not one([], true)',
    'all([1, 2], # > 0) and not all([1, 2], # > 1)',
    'one([1, 2, 3], # == 2) and not one([1, 2, 2], # == 2)',
    'none([1, 2], # > 2) and not none([1, 2], # > 1)',
    'filter(1..9, {# % 2 == 0}) == [2, 4, 6, 8]',
    'map(1..3, # * #) == [1, 4, 9]',
    'count([1, 2, 3], # > 1) == 2 and count([true, false, true]) == 2',
    'map([{name: "a"}, {name: "b"}], .name) == ["a", "b"]',
    'filter([{n: {m: 1}}, {n: {m: 2}}], .n.m > 1)[0].n.m == 2',
    'map([{a: [1, 2]}], map(.a, # + 1)) == [[2, 3]]',
    'map([1, 2], {{v: #}}) == [{v: 1}, {v: 2}]',
    'filter(["a", ""], # != EMPTY) | len() == 1',
  ])('says yes to %s', (source) => {
    expect(holds(source)).toBe(true);
  });

  it.each([
    'false',
    'CI_COMMIT_AUTHOR == "hubot"',
    '"NEVER_SET" in $env',
    '1 == 2',
    'fromJSON("1") == "1"',
    'nil == false',
  ])('says no to %s', (source) => {
    expect(holds(source)).toBe(false);
  });

  it('can be asked again with other variables', () => {
    const expression = compileExpression('A matches "^[0-9]+$"');
    expect(['1', 'x', '22'].map((value) => evaluateExpression(expression, { A: value }))).toEqual([true, false, true]);
  });

  it.each([
    ['fromJSON("1")', 1, 'the result must be a bool, and it is a float'],
    ['fromJSON("true") and fromJSON("[]")', 18, 'the operator "and" takes a bool, not a list'],
    ['fromJSON("null") or true', 18, 'the operator "or" takes a bool, not nil'],
    ['not fromJSON("0")', 1, 'the operator "not" takes a bool, not a float'],
    ['-fromJSON("true") == 1', 1, 'the operator "-" takes an int or a float, not a bool'],
    ['fromJSON("1") + fromJSON("true") == 2', 15, 'the operator "+" does not take a float and a bool'],
    ['fromJSON("[]") contains "a"', 16, 'the operator "contains" does not take a list and a string'],
    ['fromJSON("1.5") % 2 == 1', 17, 'the operator "%" does not take a float and an int'],
    ['1 in fromJSON("{}")', 3, 'the operator "in" does not take an int and a map'],
    ['lower(fromJSON("1")) == "1"', 7, 'the argument of the function "lower" must be a string, not a float'],
    ['split("a", fromJSON("1")) == []', 12, 'argument 2 of the function "split" must be a string, not a float'],
    ['all(fromJSON("{}"), true)', 5, 'argument 1 of the function "all" must be a list, not a map'],
    ['all([1], #)', 10, 'the predicate of "all" must be a bool, not an int'],
    ['count([1]) == 1', 7, 'the predicate of "count" must be a bool, not an int'],
    ['join([1]) == "1"', 1, 'the function "join" takes a list of strings only'],
    ['fromJSON("1") ? true : false', 1, 'the condition before "?" must be a bool, not a float'],
    ['[1, 2][2] == 1', 7, 'the list has no item 2: it has 2 items'],
    ['[1][-2] == 1', 4, 'the list has no item -2: it has 1 item'],
    ['fromJSON("null").a == 1', 17, 'members and items are read of a map or a list, not nil'],
    ['{}.a.b == 1', 5, 'members and items are read of a map or a list, not nil'],
    ['fromJSON(`"abc"`)[0] == "a"', 18, 'a string has no members or items'],
    ['fromJSON("[1]").a == 1', 16, 'a list is read by an int, not a string'],
    ['fromJSON("[1]")[0.5] == 1', 16, 'a list is read by an int, not a float'],
    ['{a: 1}[fromJSON("1")] == 1', 7, 'a map is read by a string, not a float'],
    ['fromJSON("{}")[1:] == 1', 15, '[:] cuts a string or a list, not a map'],
    ['"abc"[fromJSON("1"):] == "bc"', 7, 'a slice takes an int, not a float'],
    ['7 % (1 - 1) == 0', 3, 'an int cannot be divided by zero'],
    ['int(CI_COMMIT_AUTHOR) == 1', 1, 'the function "int" cannot read "mona"'],
    ['"a" matches CI_COMMIT_BRANCH + "("', 13, 'the regular expression has "(" at its character 12: it has no ")"'],
  ])('has no answer to %j, at column %i', (source, column, message) => {
    const expression = compileExpression(source);
    const error = errorOf(() => evaluateExpression(expression, variables));
    expect(error?.message).toContain(message);
    expect(error?.column).toBe(column);
  });

  it.each([
    ['steps of predicates', 'all(1..400, all(1..400, # > 0))', 'more than 100,000 steps'],
    ['nested predicates', 'any(1..10000, any(1..10000, any(1..10000, # < 0)))', 'more than 100,000 steps'],
    [
      'a long string',
      `len(${Array.from({ length: 12 }, () => 'A').join(' + ')}) > 0`,
      'more than 1,048,576 characters',
    ],
    ['replacing', 'replace(A, "", A) == ""', 'more than 1,048,576 characters'],
    ['joining', 'join(map(1..100, A), A) == ""', 'more than 1,048,576 characters'],
    ['strings one after the other', 'all(1..10000, len(A + A) > 1)', 'more than 100,000 steps'],
    ['searching long strings', 'all(1..10000, A not contains "b")', 'more than 100,000 steps'],
    ['a long range', '1..10001 == []', 'more than 10,000 items'],
    ['a range without end', '-9223372036854775807..9223372036854775807 == []', 'more than 10,000 items'],
    ['splitting', 'split(A, "") == []', 'more than 10,000 items'],
    ['a JSON text', 'fromJSON("[" + replace(A, "a", "1,")[:20002] + "1]") == []', 'more than 10,000 items'],
    ['a deep JSON text', 'fromJSON(replace(A[:100000], "a", "[")) == []', 'it is not JSON'],
    ['a deep list', `fromJSON("${'['.repeat(51)}${']'.repeat(51)}") == []`, 'nested deeper than 50 levels'],
    ['a regular expression', 'A matches "(a?){900}(a?){900}b"', 'more than 100,000 steps'],
    ['many regular expressions', 'any(1..10000, "a" matches A[:4000] + string(#))', 'more than 100,000 steps'],
    ['a regular expression built too long', '"a" matches A', 'is longer than 4096 characters'],
  ])('bounds %s', (_what, source, message) => {
    const expression = compileExpression(source);
    const error = errorOf(() => evaluateExpression(expression, { A: 'a'.repeat(100_000) }));
    expect(error?.message).toContain(message);
  });

  it('walks over lists that contain one another many times over within its steps', () => {
    // The list is small, and its tree has 2^40 leaves.
    const doubled = `[1]${'|map([#,#])'.repeat(40)}`;
    const compared = compileExpression(`any([${doubled}], # == #)`);
    expect(errorOf(() => evaluateExpression(compared, {}))?.message).toContain('more than 100,000 steps');
    const written = compileExpression(`string(${doubled}) == ""`);
    expect(errorOf(() => evaluateExpression(written, {}))?.message).toContain('more than 100,000 steps');
  });

  it('searches 100,000 characters for "(a+)+$" with a small part of its steps', () => {
    const { root } = compileExpression('A matches "(a+)+$" or A + "!" matches "(a+)+$"');
    const evaluation = new Evaluation({ A: `${'a'.repeat(100_000)}!` });
    expect(evaluation.valueOf(root)).toBe(false);
    // 50 states of the regular expression cost one step; to look at the 5 million of a whole budget takes well below 100 ms.
    expect(evaluation.budget.spentSteps).toBeLessThan(maxSteps / 2);
  });

  it('answers thousands of operators in a row', () => {
    expect(holds(`false${' or false'.repeat(450)} or true`)).toBe(true);
    expect(holds(`${'1+'.repeat(2_000)}0 == 2000`)).toBe(true);
  });

  it('fails by an ExpressionError or not at all, whatever it is given', () => {
    const { bool } = fc.letrec<Record<'text' | 'int' | 'bool' | 'list' | 'open' | 'any', string>>((tie) => {
      const [text, int, list, any] = [tie('text'), tie('int'), tie('list'), tie('any')];
      const made = (parts: fc.Arbitrary<string>[], write: (...parts: string[]) => string): fc.Arbitrary<string> =>
        fc.tuple(...parts).map((written) => write(...written));
      const oneOf = (leaves: string[], ...deeper: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
        fc.oneof({ maxDepth: 4, withCrossShrink: true }, fc.constantFrom(...leaves), ...deeper, ...deeper, tie('open'));
      const predicate = fc.oneof(
        tie('bool'),
        fc.constantFrom('# == a', '# != #', '# in [#]', '{# > 1}', '.x == nil', '#'),
      );
      const order = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
      return {
        text: oneOf(
          ['a', 'B', 'NEVER', '$env.a', '"x"', '"[a-z]+"', '`1`', '"😀é"', '""', '"$&"', '"[1,{}]"'],
          made([text, text], (left, right) => `(${left} + ${right})`),
          made([fc.constantFrom('lower', 'upper', 'trim', 'string'), text], (name, value) => `${name}(${value})`),
          made(
            [fc.constantFrom('trim', 'trimPrefix', 'trimSuffix'), text, text],
            (name, one, two) => `${name}(${one}, ${two})`,
          ),
          made([text, text, text], (...three) => `replace(${three.join(', ')})`),
          made([text, int, int], (value, from, to) => `(${value})[${from}:${to}]`),
          made([list, text], (value, by) => `join(map(${value}, string(#)), ${by})`),
          made([any], (value) => `string(${value})`),
          made([tie('bool'), text, text], (condition, then, otherwise) => `(${condition} ? ${then} : ${otherwise})`),
        ),
        int: oneOf(
          ['0', '1', '-1', '0x1f', '9223372036854775807', '2.5', 'int(B)', 'float(B)'],
          made(
            [int, fc.constantFrom('+', '-', '*', '/', '%', '**'), int],
            (left, sign, right) => `(${left} ${sign} ${right})`,
          ),
          made([text], (value) => `len(${value})`),
          made([text, text], (one, two) => `indexOf(${one}, ${two})`),
          made([list, predicate], (value, asked) => `count(${value}, ${asked})`),
          made([int], (value) => `-${value}`),
        ),
        list: oneOf(
          ['[]', '[1, "a"]', '1..3', '[[1], {x: 2}]', '[nil, a]'],
          made([any, any], (one, two) => `[${one}, ${two}]`),
          made([text, text], (one, two) => `split(${one}, ${two})`),
          made([list, predicate], (value, asked) => `filter(${value}, ${asked})`),
          made([list, any], (value, mapped) => `(${value} | map(${mapped}))`),
          made([list, int], (value, from) => `(${value})[${from}:]`),
        ),
        bool: oneOf(
          ['true', 'false', '"a" in $env', 'a == B'],
          made([text, order, text], (left, sign, right) => `${left} ${sign} ${right}`),
          made([int, order, int], (left, sign, right) => `${left} ${sign} ${right}`),
          made(
            [text, fc.constantFrom('contains', 'startsWith', 'not endsWith', 'matches'), text],
            (left, sign, right) => `(${left} ${sign} ${right})`,
          ),
          made(
            [tie('bool'), fc.constantFrom('and', '||'), tie('bool')],
            (left, sign, right) => `(${left} ${sign} ${right})`,
          ),
          made([tie('bool')], (value) => `not (${value})`),
          made([any, list], (value, container) => `(${value} not in ${container})`),
          made([list, list], (left, right) => `(${left} == ${right})`),
          made(
            [fc.constantFrom('all', 'any', 'none', 'one'), list, predicate],
            (name, value, asked) => `${name}(${value}, ${asked})`,
          ),
        ),
        // Its kind is known only when it is evaluated.
        open: fc.oneof(
          { maxDepth: 4 },
          fc.constantFrom('fromJSON(a)', 'fromJSON("[1,null]")', '{x: a}.x', 'nil ?? a', '{}?.x?.y'),
          made([list, int], (value, index) => `(${value})[${index}]`),
          made([any, any], (one, two) => `(${one} ?? ${two})`),
          made([any], (value) => `{x: ${value}}.x`),
        ),
        any: fc.oneof({ maxDepth: 4 }, text, int, tie('bool'), list, tie('open')),
      };
    });
    const counts = { answered: 0, refused: 0 };
    fc.assert(
      fc.property(bool, fc.string({ unit: 'binary' }), (source, value) => {
        const error = errorOf(() => evaluateExpression(compileExpression(source), { a: value, B: '7' }));
        if (error) expect(error.column).toBeGreaterThan(0);
        counts[error ? 'refused' : 'answered'] += 1;
      }),
      { numRuns: 1_000 },
    );
    // Otherwise it tries one half of the evaluator only.
    expect(Math.min(counts.answered, counts.refused)).toBeGreaterThan(50);
  });

  it('fails by an ExpressionError or not at all for any text', () => {
    const piece = fc.constantFrom(
      ' ',
      '\n',
      '`',
      '\ud83d',
      ...String.raw`a " ' ( ) [ ] { } # . ? : | ! 1 .. not in \ all( map( , == /* */ // $env 😀 0x 1e _`.split(' '),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        ),
        (source) => {
          errorOf(() => evaluateExpression(compileExpression(source), { a: '1' }));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('compileExpression', () => {
  it.each([
    ['CI_COMMIT_BRANCH', 1, 'the result must be a bool, and it is a string'],
    ['1 + 2', 1, 'the result must be a bool, and it is an int'],
    ['[true]', 1, 'the result must be a bool, and it is a list'],
    ['$env', 1, 'the result must be a bool, and it is a map'],
    ['nil', 1, 'the result must be a bool, and it is nil'],
    ['true ? "a" : "b"', 1, 'the result must be a bool, and it is a string'],
    ['$env.A', 1, 'the result must be a bool, and it is a string'],
    ['len(A)', 1, 'the result must be a bool, and it is an int'],
    ['CI_PIPELINE_NUMBER == 12', 20, 'the operator "==" does not take a string and an int'],
    ['CI_PIPELINE_NUMBER > 12', 20, 'the operator ">" does not take a string and an int'],
    ['A && B', 3, 'the operator "&&" does not take a string and a string'],
    ['A or true', 3, 'the operator "or" does not take a string and a bool'],
    ['1 < 2 < 3', 7, 'the operator "<" does not take a bool and an int'],
    ['not A == "x"', 1, 'the operator "not" takes a bool, not a string'],
    ['!A', 1, 'the operator "not" takes a bool, not a string'],
    ['-A == 1', 1, 'the operator "-" takes an int or a float, not a string'],
    ['"a" in "abc"', 5, 'the operator "in" does not take a string and a string'],
    ['1 in $env', 3, 'the operator "in" does not take an int and a map'],
    ['A matches 1', 3, 'the operator "matches" does not take a string and an int'],
    ['A + 1 == "a1"', 3, 'the operator "+" does not take a string and an int'],
    ['[1][0] + true == 1', 8, 'the operator "+" does not take a bool'],
    ['1.5 % 2 == 1', 5, 'the operator "%" does not take a float and an int'],
    ['1.5..2 == []', 4, 'the operator ".." does not take a float and an int'],
    ['A ? true : false', 1, 'the condition before "?" must be a bool, not a string'],
    ['lower(1) == ""', 7, 'the argument of the function "lower" must be a string, not an int'],
    ['split(A, 1) == []', 10, 'argument 2 of the function "split" must be a string, not an int'],
    ['A | join() == ""', 1, 'argument 1 of the function "join" must be a list, not a string'],
    ['all(A, true)', 5, 'argument 1 of the function "all" must be a list, not a string'],
    ['all([A], "x")', 10, 'the predicate of "all" must be a bool, not a string'],
    ['A.b == ""', 2, 'a string has no members or items; a slice such as [0:1] reads a part of it'],
    ['A[0] == ""', 2, 'a string has no members or items; a slice such as [0:1] reads a part of it'],
    ['[1].a == 1', 4, 'a list is read by an int, not a string'],
    ['$env[1] == ""', 5, 'a map is read by a string, not an int'],
    ['{a: 1}[1:] == nil', 7, '[:] cuts a string or a list, not a map'],
    ['A["a":] == ""', 3, 'a slice takes an int, not a string'],
    ['nil.a == nil', 4, 'members and items are read of a map or a list, not nil'],
    ['true or now() > 1', 9, 'the function "now" is not supported'],
    [
      'false and "a" matches "a**"',
      23,
      'the regular expression has "**" at its character 2: a repetition cannot be repeated',
    ],
  ])('refuses %j at column %i', (source, column, message) => {
    const error = errorOf(() => compileExpression(source));
    expect(error?.message).toBe(message);
    expect(error?.column).toBe(column);
  });
});

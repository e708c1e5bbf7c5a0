import { describe, expect, it } from 'vitest';
import { ExpressionError } from './expression-error.ts';
import { parseExpression } from './parse-expression.ts';
import type { AccessLink, ExpressionNode } from './syntax-tree.ts';

/** The expression again, with brackets around everything that belongs together. */
function written(node: ExpressionNode): string {
  switch (node.kind) {
    case 'literal':
      return typeof node.value === 'string' ? JSON.stringify(node.value) : String(node.value);
    case 'variable':
      return node.name;
    case 'environment':
      return '$env';
    case 'item':
      return '#';
    case 'list':
      return `[${node.items.map(written).join(', ')}]`;
    case 'map':
      return `{${node.entries.map(([key, value]) => `${key}: ${written(value)}`).join(', ')}}`;
    case 'not':
      return `(not ${written(node.operand)})`;
    case 'minus':
      return `(-${written(node.operand)})`;
    case 'operations':
      return node.rest.reduce((left, { text, right }) => `(${left} ${text} ${written(right)})`, written(node.first));
    case 'conditional':
      return `(${written(node.condition)} ? ${written(node.then)} : ${written(node.otherwise)})`;
    case 'access':
      return written(node.target) + node.links.map(writtenLink).join('');
    case 'call':
      return `${node.name}(${node.values.map(written).join(', ')})`;
    case 'predicate-call':
      return `${node.name}(${written(node.list)}${node.predicate ? `, {${written(node.predicate)}}` : ''})`;
  }
}

function writtenLink(link: AccessLink): string {
  if (link.kind === 'key') return `${link.isOptional ? '?.' : ''}[${written(link.key)}]`;
  return `[${link.from ? written(link.from) : ''}:${link.to ? written(link.to) : ''}]`;
}

function refusalOf(source: string): { message: string; column: number } | undefined {
  try {
    parseExpression(source);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { message: error.message, column: error.column };
  }
}

describe('parseExpression', () => {
  it.each([
    ['a or b and c', '(a or (b and c))'],
    ['a || b && c || d', '((a || (b && c)) || d)'],
    ['a == b and c != d', '((a == b) and (c != d))'],
    ['a + b == c - d', '((a + b) == (c - d))'],
    ['a + b * c % d', '(a + ((b * c) % d))'],
    ['a * b ** c ** d', '(a * (b ** (c ** d)))'],
    ['-a ** b', '(-(a ** b))'],
    ['-a * b', '((-a) * b)'],
    ['a - -b', '(a - (-b))'],
    ['not a == b', '((not a) == b)'],
    ['!a and b', '((not a) and b)'],
    ['not (a == b)', '(not (a == b))'],
    ['not a * b', '(not (a * b))'],
    ['not not a', '(not (not a))'],
    ['a not in b', '(a not in b)'],
    ['-1 not in b', '((-1) not in b)'],
    ['"foo" + "bar" not matches "x"', '(("foo" + "bar") not matches "x")'],
    ['a not contains b and c not startsWith d', '((a not contains b) and (c not startsWith d))'],
    ['a endsWith b or c', '((a endsWith b) or c)'],
    ['a in 1..3 + 1', '(a in (1 .. (3 + 1)))'],
    ['a ?? b ?? c', '((a ?? b) ?? c)'],
    ['a == b ?? c', '(a == (b ?? c))'],
    ['a ?? b == c', '((a ?? b) == c)'],
    ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
    ['a ? b ? c : d : e', '(a ? (b ? c : d) : e)'],
    ['a or b ? c : d', '((a or b) ? c : d)'],
    ['a | lower() | split(" ")', 'split(lower(a), " ")'],
    ['a | lower() == b', '(lower(a) == b)'],
    ['a == b | string()', 'string((a == b))'],
    ['a | split(",")[0]', 'split(a, ",")[0]'],
    ['a ? b : c | lower()', '(a ? b : lower(c))'],
    ['a.b["c"][0]?.d?.[1][1:][:-1][:]', 'a["b"]["c"][0]?.["d"]?.[1][1:][:(-1)][:]'],
    ['$env["a"] == $env.in', '($env["a"] == $env["in"])'],
    ['all(a, {# > 1})', 'all(a, {(# > 1)})'],
    ['all(a, # > 1)', 'all(a, {(# > 1)})'],
    ['filter(a, .name startsWith "J") | len()', 'len(filter(a, {(#["name"] startsWith "J")}))'],
    ['map(a, {{b: #.c}})', 'map(a, {{b: #["c"]}})'],
    ['a | any(any(#, # == b))', 'any(a, {any(#, {(# == b)})})'],
    ['count(a)', 'count(a)'],
    ['{a: 1, "b c": [2, 3,], not: nil,}', '{a: 1, b c: [2, 3], not: null}'],
    ['[] == {}', '([] == {})'],
    ['trim(a, "x",)', 'trim(a, "x")'],
    ['let', 'let'],
    ['lower', 'lower'],
  ])('reads %s as %s', (source, expected) => {
    expect(written(parseExpression(source))).toBe(expected);
  });

  it.each([
    ['', 1, 'the expression is empty'],
    ['  // nothing', 1, 'the expression is empty'],
    ['a ==', 5, 'the expression ends too early'],
    ['(a', 3, 'the expression ends too early; ")" is missing'],
    ['a b', 3, 'the token "b" is not expected here'],
    ['a == == b', 6, 'the token "==" is not expected here'],
    ['a)', 2, 'the token ")" is not expected here'],
    ['[1 2]', 4, 'the token "2" is not expected here; "," is missing'],
    ['a ? b', 6, 'the expression ends too early; ":" is missing'],
    ['a = b', 3, 'the token "=" is not supported; "==" compares'],
    ['a == b; c', 7, 'the token ";" is not supported'],
    ['a ^ b', 3, 'the token "^" is not supported'],
    ['a & b', 3, 'the token "&" is not supported'],
    ['+a', 1, 'the token "+" is not expected here'],
    ['a not b', 3, 'the token "not" is not expected here'],
    ['a not == b', 3, 'the token "not" is not expected here'],
    ['let x = 1; x == 1', 1, 'the keyword "let" is not supported'],
    ['if a { b } else { c }', 1, 'the keyword "if" is not supported'],
    ['now() == a', 1, 'the function "now" is not supported'],
    ['a == toJSON(b)', 6, 'the function "toJSON" is not supported'],
    ['a | find(# == 1)', 5, 'the function "find" is not supported'],
    ['reduce(a, #acc + #)', 1, 'the function "reduce" is not supported'],
    ['map(a, #index)', 8, 'the token "#index" is not supported'],
    ['constructor(a)', 1, 'the function "constructor" is not supported'],
    ['__proto__(a)', 1, 'the function "__proto__" is not supported'],
    ['a.b()', 3, 'the function "b" is not supported'],
    ['a.toString().c', 3, 'the function "toString" is not supported'],
    ['(a)(b)', 4, 'the token "(" is not expected here'],
    ['a[0](b)', 5, 'the token "(" is not expected here'],
    ['a | lower', 5, 'after "|" there must be a function with its arguments in brackets'],
    ['a | "x"', 5, 'after "|" there must be a function with its arguments in brackets'],
    ['$foo == a', 1, 'the name "$foo" is not supported'],
    ['# == 1', 1, '"#" reads the item of a predicate, and there is no predicate here'],
    ['a == .b', 6, '".b" reads the item of a predicate, and there is no predicate here'],
    ['all(#, true)', 5, '"#" reads the item of a predicate, and there is no predicate here'],
    ['all(a, {#)', 10, 'the token ")" is not expected here; "}" is missing'],
    ['lower()', 1, 'the function "lower" takes 1 argument, and 0 are given'],
    ['a | lower(b)', 5, 'the function "lower" takes 1 argument, and 2 are given'],
    ['trim(a, b, c)', 1, 'the function "trim" takes 1 to 2 arguments, and 3 are given'],
    ['split(a)', 1, 'the function "split" takes 2 to 3 arguments, and 1 is given'],
    ['filter(a)', 1, 'the function "filter" takes 2 arguments, and 1 is given'],
    ['all(a, true, true)', 1, 'the function "all" takes 2 arguments, and 3 are given'],
    ['{1: 2}', 2, 'the token "1" is not expected here'],
    ['{a}', 3, 'the token "}" is not expected here; ":" is missing'],
    ['a[]', 3, 'the token "]" is not expected here'],
    ['a.', 3, 'the expression ends too early'],
    ['a."b"', 3, 'the token ""b"" is not expected here'],
    ['a?.[1:2]', 6, 'the token ":" is not expected here; "]" is missing'],
    ['a[1:2:3]', 6, 'the token ":" is not expected here; "]" is missing'],
    ['a matches "(?=b)"', 11, 'the regular expression has "(?=" at its character 1: look-around is not supported'],
    [`"${'x'.repeat(4_096)}"`, 1, 'the expression is longer than 4096 characters'],
    [`a b${'c'.repeat(100)}`, 3, `the token "b${'c'.repeat(39)}…" is not expected here`],
  ])('refuses %j at column %i', (source, column, message) => {
    expect(refusalOf(source)).toEqual({ column, message });
  });

  it.each([
    ['brackets', '(', 'a', ')'],
    ['lists', '[', '', ']'],
    ['maps', '{a: ', '1', '}'],
    ['calls', 'lower(', 'a', ')'],
    ['predicates', 'any(a, ', 'b', ')'],
    ['items', 'a[', '0', ']'],
    ['negations', 'not ', 'a', ''],
    ['signs', '-', '1', ''],
    ['powers', '2 ** ', '1', ''],
    ['branches', 'a ? b : ', 'c', ''],
    ['inner branches', 'a ? ', 'b', ' : c'],
  ])('takes 50 levels of %s and refuses the next', (_what, before, middle, after) => {
    expect(refusalOf(before.repeat(50) + middle + after.repeat(50))).toBeUndefined();
    expect(refusalOf(before.repeat(51) + middle + after.repeat(51))?.message).toBe(
      'the expression is nested deeper than 50 levels',
    );
  });

  it('refuses more than 50 pipes, which are calls inside one another', () => {
    expect(refusalOf(`a${'|lower()'.repeat(50)}`)).toBeUndefined();
    expect(refusalOf(`a${'|lower()'.repeat(51)}`)?.message).toBe('the expression has more than 50 pipes');
  });

  it('takes any number of operators and members one after the other', () => {
    expect(refusalOf(`a${'||a'.repeat(1_300)}`)).toBeUndefined();
    expect(refusalOf(`a${'.b'.repeat(2_000)}`)).toBeUndefined();
  });
});

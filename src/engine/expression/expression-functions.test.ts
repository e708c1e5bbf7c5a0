import { describe, expect, it } from 'vitest';
import { compileExpression, ExpressionError, evaluateExpression } from './expression.ts';

const holds = (source: string): boolean => evaluateExpression(compileExpression(source), {});

describe('the functions of expressions', () => {
  it.each([
    'len("") == 0 and len("héllo 😀") == 7 and len([1, 2]) == 2 and len({a: 1}) == 1',
    'lower("HÉLLO") == "héllo" and upper("héllo") == "HÉLLO"',
    'upper("ß") == "ß" and lower("ΌΣΟΣ") == "όσοσ" and lower("İ") == "i"',
    'trim("  \\t\\n\u00a0x y\u3000 ") == "x y" and trim("   ") == "" and trim("") == ""',
    'trim("__x_", "_") == "x" and trim("-_x-_", "_-") == "x" and trim("😀x😀", "😀") == "x" and trim(" x ", "") == " x "',
    'trimPrefix("refs/heads/x", "refs/heads/") == "x" and trimPrefix("x", "y") == "x" and trimPrefix("aab", "a") == "ab"',
    'trimSuffix("a.md", ".md") == "a" and trimSuffix("a", "") == "a" and trimSuffix("a", "b") == "a"',
    'split("a,b,,c", ",") == ["a", "b", "", "c"] and split("", ",") == [""] and split("", "") == []',
    'split("a😀b", "") == ["a", "😀", "b"] and split("a,b,c", ",", 2) == ["a", "b,c"]',
    'split("abc", "", 2) == ["a", "bc"] and split("a,b", ",", 0) == [] and split("a,b", ",", -1) == ["a", "b"]',
    'split("a,b", ",", 1) == ["a,b"] and split("a,b", ",", 9) == ["a", "b"]',
    'join(["a", "b"], "-") == "a-b" and join(["a", "b"]) == "ab" and join([]) == "" and join(split("a b", " "), ",") == "a,b"',
    'replace("a-b-c", "-", "$&") == "a$&b$&c" and replace("ab", "", "-") == "-a-b-" and replace("", "", "x") == "x"',
    'replace("aaa", "aa", "b") == "ba" and replace("abc", "x", "y") == "abc"',
    'hasPrefix("abc", "ab") and not hasPrefix("abc", "b") and hasSuffix("abc", "bc") and hasSuffix("abc", "")',
    'indexOf("apple pie", "pie") == 6 and indexOf("a", "b") == -1 and indexOf("😀x", "x") == 1',
    'int("42") == 42 and int("-7") == -7 and int("+7") == 7 and int("007") == 7 and int(1.9) == 1 and int(-1.9) == -1',
    'int("9223372036854775807") == 9223372036854775807 and int(3) == 3',
    'float("1.5") == 1.5 and float("-1e3") == -1000 and float(".5") == 0.5 and float("5.") == 5 and float(2) == 2.0',
    'float("inf") > 1e300 and float("-Infinity") < -1e300',
    'string(12) == "12" and string(1.5) == "1.5" and string(true) == "true" and string("a") == "a" and string(nil) == "<nil>"',
    'string(1.0) == "1" and string(1e21) == "1e+21" and string(0.00001) == "1e-05" and string(1e20) == "100000000000000000000"',
    'string(0.0001) == "0.0001" and string(-1.5e-10) == "-1.5e-10" and string(1 / 0) == "+Inf" and string(0.0) == "0"',
    'string([1, "a", [nil]]) == "[1 a [<nil>]]" and string({b: 1, a: [2]}) == "map[a:[2] b:1]"',
    'fromJSON(`{"a": [1, 2.5, "x", true, null]}`) == {a: [1, 2.5, "x", true, nil]}',
    'fromJSON(`{"__proto__": 1}`)["__proto__"] == 1 and fromJSON("{}")["__proto__"] == nil',
  ])('hold for %s', (source) => {
    expect(holds(source)).toBe(true);
  });

  it.each([
    ['int("")', 'the function "int" cannot read ""'],
    ['int("1.5")', 'the function "int" cannot read "1.5"'],
    ['int("0x10")', 'the function "int" cannot read "0x10"'],
    ['int(" 1")', 'the function "int" cannot read " 1"'],
    ['int("9223372036854775808")', 'the function "int" cannot read "9223372036854775808"'],
    ['int(1e19)', 'the function "int" cannot read "10000000000000000000"'],
    ['int(float("nan"))', 'the function "int" cannot read "NaN"'],
    [`int("${'x'.repeat(99)}")`, `the function "int" cannot read "${'x'.repeat(40)}…"`],
    ['float("1,5")', 'the function "float" cannot read "1,5"'],
    ['float("1e999")', 'the function "float" cannot read "1e999"'],
    ['float("0x1p4")', 'the function "float" cannot read "0x1p4"'],
    ['fromJSON("{")', 'the function "fromJSON" cannot read its text: it is not JSON'],
    ['fromJSON("")', 'the function "fromJSON" cannot read its text: it is not JSON'],
  ])('have no value for %s', (call, message) => {
    const expression = compileExpression(`"x" != "" and ${call} != nil`);
    expect(() => evaluateExpression(expression, {})).toThrow(new ExpressionError(message, 15));
  });
});

import { describe, expect, it } from 'vitest';
import { converterPath, whyNoConverter } from '../../../test/support/converter.ts';
import { sampleFacts } from '../sample-facts.ts';
import { ProgramConverter } from './program-converter.ts';

const facts = {
  ...sampleFacts,
  event: { ...sampleFacts.event, branch: 'release/1', message: 'Ship <it>\n\nNow', parameters: { SPEED: 'fast' } },
};

describe(`a program converter${whyNoConverter ? ` (left out: ${whyNoConverter})` : ''}`, {
  skip: !!whyNoConverter,
}, () => {
  const converter = new ProgramConverter({ wasmPath: converterPath, cpuSeconds: 20 });
  const convert = (path: string, ...lines: string[]) => converter.convert(path, lines.join('\n'), facts);
  const starlark = (...body: string[]) => convert('.drone.star', 'def main(ctx):', ...body.map((line) => `  ${line}`));
  const jsonnet = (...lines: string[]) => convert('.drone.jsonnet', ...lines);

  it('writes one document of an object, with what it knows of the event', async () => {
    const { text = '' } = await jsonnet(
      '{ kind: "pipeline", name: std.extVar("build.branch"), title: std.extVar("build.title"),',
      '  of: std.extVar("repo.slug"), speed: std.extVar("build.params.SPEED"), private: std.extVar("repo.private") }',
    );
    expect(JSON.parse(text.replace('---', ''))).toEqual({
      kind: 'pipeline',
      name: 'release/1',
      of: 'example/example',
      private: 'true',
      speed: 'fast',
      title: 'Ship <it>',
    });
  });

  it('writes a document for each element of an array', async () => {
    expect((await jsonnet('[{a: x} for x in [1, 2]]')).text).toBe('---\n{\n "a": 1\n}\n---\n{\n "a": 2\n}\n');
    expect((await starlark('return [{"b": 1, "a": None}, {"c": (True, 2.5)}]')).text).toBe(
      '---\n{\n "b": 1,\n "a": null\n}\n---\n{\n "c": [\n  true,\n  2.5\n ]\n}\n',
    );
  });

  it('gives a Starlark program the event and the project as it knows them from Drone', async () => {
    const { text = '' } = await starlark(
      'return {"a": ctx.build.branch, "b": ctx.repo.private, "c": ctx.build.params["SPEED"], "d": 2 << 70}',
    );
    expect(text).toBe('---\n{\n "a": "release/1",\n "b": true,\n "c": "fast",\n "d": 2361183241434822606848\n}\n');
  });

  it.each([
    ['.drone.jsonnet', '{a: 1', 1, 6, 'Expected a comma'],
    ['.drone.jsonnet', 'local x = 1;\nx + y', 2, 5, 'Unknown variable: y'],
    ['.drone.jsonnet', '{a: error "no image"}', 1, 5, 'no image'],
    ['.drone.jsonnet', 'import "/etc/passwd"', 1, 1, 'imports nothing'],
    ['.drone.jsonnet', 'importstr "/etc/passwd"', 1, 1, 'imports nothing'],
    ['.drone.jsonnet', '{a: std.extVar("env.HOME")}', 1, 5, 'env.HOME'],
    ['.drone.star', 'def main(ctx)\n  return 1', 2, 1, "want ':'"],
    ['.drone.star', 'def main(ctx):\n  return nope', 2, 10, 'undefined: nope'],
    ['.drone.star', 'def main(ctx):\n  x = 1\n  return x.y', 3, 11, 'no .y'],
    ['.drone.star', 'load("//a.star", "b")\ndef main(ctx):\n  return b', 1, 1, 'loads nothing'],
    ['.drone.star', 'x = 1', 0, 0, 'no function main(ctx)'],
    ['.drone.star', 'def main(ctx):\n  return 7', 0, 0, 'main returns a int'],
    ['.drone.star', 'def main(ctx):\n  return {1: 2}', 0, 0, 'keys are strings'],
    ['.drone.star', 'def main(ctx):\n  l = []\n  l.append(l)\n  return l', 0, 0, 'nested too deep'],
    ['.drone.star', 'def main(ctx):\n  return {"a": ctx.env}', 2, 19, 'no .env'],
  ])('says where %s is wrong: %j', async (path, program, line, column, words) => {
    const { failure } = await converter.convert(path, program, facts);
    expect(failure).toMatchObject({ line, column });
    expect(failure?.message).toContain(words);
  });

  it.each([
    ['a loop', '.drone.star', 'def main(ctx):\n  for i in range(1000000000):\n    pass', 'too many steps'],
    ['recursion', '.drone.star', 'def f(x):\n  return f(x)\ndef main(ctx):\n  return f(1)', 'called recursively'],
    ['recursion', '.drone.jsonnet', 'local f(x) = f(x + 1) + 1; f(1)', 'max stack frames'],
    ['recursion without frames', '.drone.jsonnet', 'local f(x) = f(x + 1) tailstrict; f(1)', 'calls within each other'],
    ['a long text', '.drone.star', 'def main(ctx):\n  return {"a": "x" * 3000000}', 'more than 1048576 bytes'],
    [
      'a long text',
      '.drone.jsonnet',
      'local d(s, n) = if n == 0 then s else d(s + s, n - 1); {a: d("x", 21)}',
      'more than 1048576 bytes',
    ],
    ['memory', '.drone.star', 'def main(ctx):\n  return {"a": ["x" * 1000000 + str(i) for i in range(1000)]}', 'MiB'],
  ])('stops %s in %s', async (_, path, program, words) => {
    expect((await converter.convert(path, program, facts)).failure?.message).toContain(words);
  });

  it('stops what takes too long', async () => {
    const impatient = new ProgramConverter({ wasmPath: converterPath, cpuSeconds: 1 });
    const endless = 'std.foldl(function(a, i) a + std.length(std.range(0, 100000)), std.range(0, 100000), 0)';
    const { failure } = await impatient.convert('.drone.jsonnet', endless, facts);
    expect(failure?.message).toContain('more than 1 s of processor time');
  });

  it('answers many at once, and the same program at once again', async () => {
    const texts = await Promise.all(
      [1, 2, 3, 4, 5].map((number) => converter.convert('.drone.jsonnet', `{a: ${number}}`, facts)),
    );
    expect(texts.map(({ text }) => text)).toEqual([1, 2, 3, 4, 5].map((number) => `---\n{\n "a": ${number}\n}\n`));
    expect(await converter.convert('.drone.jsonnet', '{a: 1}', facts)).toBe(texts[0]);
  });
});

describe('a program converter that was not built', () => {
  it('says what builds it, and what to commit instead', async () => {
    const converter = new ProgramConverter({ wasmPath: '/nowhere/convert.wasm' });
    const { failure } = await converter.convert('.drone.star', 'def main(ctx):\n  return {}', facts);
    expect(failure?.message).toContain('npm run build:convert');
    expect(failure?.message).toContain('drone starlark --stdout > .drone.yml');
  });
});

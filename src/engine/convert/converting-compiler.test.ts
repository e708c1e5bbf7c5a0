import { afterAll, describe, expect, it } from 'vitest';
import { compileInputOf } from '../../../test/support/compile-input.ts';
import { converterPath, whyNoConverter } from '../../../test/support/converter.ts';
import { CompileProcess } from '../compile-process.ts';
import { sampleFacts } from '../sample-facts.ts';
import { ConvertingCompiler } from './converting-compiler.ts';
import { ProgramConverter } from './program-converter.ts';

describe(`a compiler of programs${whyNoConverter ? ` (left out: ${whyNoConverter})` : ''}`, {
  skip: !!whyNoConverter,
}, () => {
  const reader = new CompileProcess({ deadlineMs: 20_000 });
  const converter = new ProgramConverter({ wasmPath: converterPath, cpuSeconds: 20 });
  const compiler = new ConvertingCompiler(reader, converter, sampleFacts);
  afterAll(() => reader.close());

  const program = `def main(ctx):
  return [pipeline(name, ctx.build.branch) for name in ["test", "docs"]]

def pipeline(name, branch):
  return {"kind": "pipeline", "name": name, "steps": [
    {"name": "say", "image": "base/busybox", "commands": ["echo " + branch + " $\${DRONE_BUILD_NUMBER}"]},
  ]}
`;

  it('plans what a program writes, as if it stood there', async () => {
    const result = await compiler.compile(compileInputOf('.drone.star', program));
    expect(result).toMatchObject({
      kind: 'planned',
      plan: {
        dialect: 'drone1',
        path: '.drone.star',
        workflows: [
          { name: 'test', steps: [{ name: 'clone' }, { commands: ['echo main ${DRONE_BUILD_NUMBER}'] }] },
          { name: 'docs' },
        ],
      },
    });
  });

  it('says in whose documents a mistake is', async () => {
    const result = await compiler.compile(compileInputOf('.drone.jsonnet', '{kind: "pipeline", steps: [{name: "a"}]}'));
    expect(result).toMatchObject({ kind: 'failed', path: '.drone.jsonnet' });
  });

  it('fails a pipeline whose program fails, at its line', async () => {
    const result = await compiler.compile(compileInputOf('.drone.star', 'def main(ctx):\n  return missing\n'));
    expect(result).toMatchObject({
      kind: 'failed',
      error: { message: 'Cannot run .drone.star: undefined: missing', line: 2, column: 10 },
      trace: [{ rule: 'file.chosen' }, { rule: 'file.invalid', verdict: 'failed' }],
    });
  });

  it('refuses a program of more than 256 KiB before it runs', async () => {
    const result = await compiler.compile(compileInputOf('.drone.jsonnet', `{}//${'x'.repeat(262_144)}`));
    expect(result).toMatchObject({ kind: 'failed', trace: [{ rule: 'file.too-large' }] });
  });

  it('reads documents of up to 1 MiB that a program wrote', async () => {
    const long = `
def main(ctx):
  steps = [{"name": "s%d" % i, "image": "x", "commands": ["echo " + "y" * 4500]} for i in range(200)]
  return {"kind": "pipeline", "steps": steps}
`;
    const result = await compiler.compile(compileInputOf('.drone.star', long));
    expect(result).toMatchObject({ kind: 'planned' });
  });

  it('lints programs, and what they write', async () => {
    expect(await compiler.lint('.drone.star', program)).toMatchObject({
      isValid: true,
      workflows: [{ name: 'test' }, { name: 'docs' }],
    });
    expect(await compiler.lint('.drone.jsonnet', '{a: b}')).toMatchObject({
      isValid: false,
      findings: [{ code: 'file.program', line: 1, column: 5 }],
    });
  });
});

import { describe, expect, it } from 'vitest';
import { compileInputOf } from '../../test/support/compile-input.ts';
import { CachedCompiler, type CacheLimits } from './cached-compiler.ts';
import { compilePipeline } from './compile.ts';
import type { CompileInput } from './compile-input.ts';
import { lintPipelineFile } from './lint.ts';

const file = (name: string): string => `kind: pipeline\nname: ${name}\nsteps:\n- {name: s, image: x, commands: [ls]}\n`;

function countingCompiler(limits?: CacheLimits): {
  readonly compiler: CachedCompiler;
  readonly compiled: () => number;
} {
  let count = 0;
  const compiler = new CachedCompiler(
    {
      compile: async (input) => {
        count += 1;
        return compilePipeline(input);
      },
      lint: async (path, text, facts) => lintPipelineFile(path, text, facts),
      resolve: async () => ({ files: [] }),
    },
    limits,
  );
  return { compiler, compiled: () => count };
}

describe('CachedCompiler', () => {
  it('answers the same input with the plan that it has', async () => {
    const { compiler, compiled } = countingCompiler();
    const input = compileInputOf('.gantry.yml', file('a'));
    const first = await compiler.compile(input);
    expect(await compiler.compile(structuredClone(input))).toBe(first);
    expect(compiled()).toBe(1);
  });

  it('compiles anew when anything is different that a plan depends on', async () => {
    const { compiler, compiled } = countingCompiler();
    const input = compileInputOf('.gantry.yml', file('a'));
    const others: CompileInput[] = [
      input,
      { ...input, event: { ...input.event, commit: '0'.repeat(40) } },
      { ...input, event: { ...input.event, branch: 'next' } },
      { ...input, secretNames: ['token'] },
      { ...input, rules: { evaluatesDronePaths: true } },
      { ...input, variables: { A: 'b' } },
      compileInputOf('.drone.yml', file('a')),
      compileInputOf('.gantry.yml', file('b')),
      { ...input, files: [...input.files, { path: '.drone.yml', text: '' }] },
      { ...input, files: [{ ...input.files[0]!, isConverted: true }] },
    ];
    for (const other of others) expect(await compiler.compile(other)).toEqual(compilePipeline(other));
    expect(compiled()).toBe(others.length);
  });

  it('does not keep what failed', async () => {
    const { compiler, compiled } = countingCompiler();
    const input = compileInputOf('.gantry.yml', 'kind: wrong\n');
    await compiler.compile(input);
    await compiler.compile(input);
    expect([compiled(), compiler.size]).toEqual([2, 0]);
  });

  it('keeps as much as its limits allow, and drops what was unused for longest', async () => {
    const { compiler, compiled } = countingCompiler({ plans: 2, characters: 100_000 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => compileInputOf('.gantry.yml', file(name))) as [
      CompileInput,
      CompileInput,
      CompileInput,
    ];
    for (const input of [a, b, a, c, a]) await compiler.compile(input);
    expect([compiled(), compiler.size]).toEqual([3, 2]);
    await compiler.compile(b);
    expect(compiled()).toBe(4);

    const small = countingCompiler({ plans: 100, characters: 1_600 });
    for (const input of [a, b, c]) await small.compiler.compile(input);
    expect(small.compiler.size).toBeLessThan(3);
    const tiny = countingCompiler({ plans: 100, characters: 10 });
    await tiny.compiler.compile(a);
    expect(tiny.compiler.size).toBe(0);
  });
});

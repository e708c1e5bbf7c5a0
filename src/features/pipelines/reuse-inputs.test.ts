import { describe, expect, it } from 'vitest';
import type { GitEntry } from '../../core/repository.ts';
import { reuseInputs } from './reuse-inputs.ts';

type Tree = { readonly [name: string]: string | Tree };

/** A tree whose ids are what is in it. */
function repositoryWith(tree: Tree) {
  const asked: string[] = [];
  const idOf = (node: string | Tree): string => JSON.stringify(node);
  return {
    asked,
    listFolder: async (_: number, _commit: string, path: string): Promise<readonly GitEntry[] | undefined> => {
      asked.push(path);
      let node: string | Tree | undefined = tree;
      for (const name of path === '' ? [] : path.split('/')) node = typeof node === 'object' ? node[name] : undefined;
      if (typeof node !== 'object') return undefined;
      return Object.entries(node).map(([name, child]) => ({
        name,
        kind: typeof child === 'string' ? ('file' as const) : ('folder' as const),
        mode: typeof child === 'string' ? '100644' : '40000',
        object: idOf(child),
      }));
    },
  };
}

const commit = { id: 1, commit: 'c1', ref: 'refs/heads/main' };
const tree = {
  'a.json': 'a',
  src: { 'x.ts': 'x', 'y.md': 'y', deep: { 'z.ts': 'z' } },
  test: { 'one.test.ts': '1' },
};

async function idsAfter(change: Tree, inputs: readonly string[]): Promise<boolean> {
  const before = await reuseInputs(repositoryWith(tree), commit, inputs);
  const after = await reuseInputs(repositoryWith({ ...tree, ...change }), commit, inputs);
  return JSON.stringify(before) === JSON.stringify(after);
}

describe('inputs of a step at a commit', () => {
  it('are what git has for their paths: one look where a path says it all', async () => {
    const repository = repositoryWith(tree);
    const found = await reuseInputs(repository, commit, ['src', 'a.json', 'none', 'test/**']);
    expect(found['src']).toBe(`40000 ${JSON.stringify(tree.src)}`);
    expect(found['test/**']).toBe(`40000 ${JSON.stringify(tree.test)}`);
    expect(found['a.json']).toBe('100644 "a"');
    expect(found['none']).toBe('absent');
    expect(new Set(repository.asked)).toEqual(new Set(['', 'test']));
  });

  it.each([
    ['a file below an input', { src: { ...tree.src, 'x.ts': 'other' } }, ['src'], false],
    ['a file that no pattern matches', { src: { ...tree.src, 'y.md': 'other' } }, ['src/**/*.ts'], true],
    ['a deep file that a pattern matches', { src: { ...tree.src, deep: { 'z.ts': 'other' } } }, ['src/**/*.ts'], false],
    ['a new file that a pattern matches', { src: { ...tree.src, 'new.ts': 'n' } }, ['src/*.ts'], false],
    ['another folder', { docs: { 'a.md': 'a' } }, ['src', 'test/**'], true],
    ['anything, for the whole', { docs: { 'a.md': 'a' } }, ['.'], false],
    ['how git writes files', { '.gitattributes': '* text' }, ['src'], false],
    [
      'how git writes files next to the input',
      { src: { ...tree.src, '.gitattributes': '* text' } },
      ['src/x.ts'],
      false,
    ],
  ] as const)('tell of a change of %s', async (_what, change, inputs, isSame) => {
    expect(await idsAfter(change, inputs)).toBe(isSame);
  });

  it('are the commit and its reference where a step reads the history', async () => {
    const other = { ...commit, commit: 'c2' };
    const [one, two] = await Promise.all(
      [commit, other].map((each) => reuseInputs(repositoryWith(tree), each, ['.git'])),
    );
    expect(one).not.toEqual(two);
  });

  it('are a whole folder where a pattern would look through too many', async () => {
    const many = Object.fromEntries(Array.from({ length: 2_100 }, (_, index) => [`f${index}`, { a: 'a' }]));
    const repository = repositoryWith({ wide: many });
    const found = await reuseInputs(repository, commit, ['wide/*/*.ts']);
    expect(found['wide/*/*.ts']).toBe(`40000 ${JSON.stringify(many)}`);
  });
});

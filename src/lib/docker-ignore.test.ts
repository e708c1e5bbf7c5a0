import { describe, expect, it } from 'vitest';
import { readDockerIgnore } from './docker-ignore.ts';

describe('readDockerIgnore', () => {
  it.each([
    ['node_modules', 'node_modules/a/b.js', true],
    ['node_modules', 'web/node_modules/a', false],
    ['**/node_modules', 'web/node_modules/a', true],
    ['**/node_modules', 'node_modules', true],
    ['/dist/', 'dist/x', true],
    ['./dist', 'dist', true],
    ['*.md', 'README.md', true],
    ['*.md', 'docs/README.md', false],
    ['**/*.md', 'docs/README.md', true],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['file?', 'file1', true],
    ['file[0-9]', 'filex', false],
    ['# comment', '# comment', false],
    ['*', 'anything/below', true],
    ['a.b', 'axb', false],
    ['docs/../src', 'src/x', true],
    ['', 'x', false],
  ])('%j decides about %j: %s', (pattern, path, isExcluded) => {
    expect(readDockerIgnore(pattern).excludes(path)).toBe(isExcluded);
  });

  it('lets the last pattern that matches count', () => {
    const { excludes, wholeFolders } = readDockerIgnore('*\n!src\nsrc/secret\n');
    expect(['a', 'src', 'src/x', 'src/secret/y'].map(excludes)).toEqual([true, false, false, true]);
    expect(wholeFolders).toEqual([]);
  });

  it('names folders that need not be read, unless something could be taken back', () => {
    expect(readDockerIgnore('node_modules\n.git/\n*.md\na/b\n').wholeFolders).toEqual(['node_modules', '.git']);
  });
});

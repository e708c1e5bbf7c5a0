import { describe, expect, it } from 'vitest';
import { substitute } from './substitute.ts';
import { substituteTree } from './substitute-tree.ts';
import { readYaml } from './yaml/read-yaml.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const variables = new Map(
  Object.entries({ SHA: '0a1b2c3d', NUMBER: '7', BRANCH: 'feature/a-b', WORDS: 'two words', EMPTY: '', COLON: 'a: b' }),
);

/** Kinds, texts and tags of a tree, without places. */
function shapeOf(node: YamlNode | undefined): unknown {
  if (!node) return undefined;
  const { kind, tag } = node;
  if (kind === 'scalar') return { kind, tag, text: node.text, isPlain: node.isPlain };
  if (kind === 'list') return { kind, tag, items: node.items.map(shapeOf) };
  return { kind, tag, entries: node.entries.map(({ key, value }) => [shapeOf(key), shapeOf(value)]) };
}

function substitutedTree(text: string, root = readYaml(text)): YamlNode | undefined {
  if (!root) throw new Error(`Cannot read ${text}`);
  return substituteTree({ text, root }, substitute(text, variables, { quotesNewlines: true }).replacements);
}

describe('a tree with replaced texts', () => {
  it.each([
    ['a plain text', 'a: ${SHA}'],
    ['a part of a text', 'a: x-${SHA:0:4}.${NUMBER} # why'],
    ['a text in quotes', `a: ["\${SHA}", 'v\${NUMBER}', "\${BRANCH}"]`],
    ['an escape', 'a:\n  - echo $${SHA:0:8} $$HOME'],
    ['a block of lines', 'a: |\n  one ${SHA}\n\n  two \\\n  $$three\nb: >\n  folded\n  ${BRANCH}\n'],
    ['lines of a plain text', 'a: one\n  ${SHA}\n  two'],
    ['a number, which it becomes', 'a: ${NUMBER}'],
    ['a text with a tag', 'a: !!str ${NUMBER}'],
    ['what an alias names', 'a: &x ["${SHA}", {b: "$$"}]\nc: *x\nd: [*x, *x]'],
  ])('is the tree of the replaced text: %s', (_, text) => {
    const replaced = substitute(text, variables, { quotesNewlines: true }).text;
    expect(replaced).not.toBe(text);
    expect(shapeOf(substitutedTree(text))).toEqual(shapeOf(readYaml(replaced)));
  });

  it.each([
    ['an empty value, which may be nothing', 'a: ${EMPTY}'],
    ['a value that means something to YAML', 'a: ${COLON}'],
    ['a value with a space, at which lines may end', 'a: ${WORDS}'],
    ['an expression in a comment', 'a: b # ${SHA}'],
    ['an expression in a key', '"${SHA}": a'],
    ['an escape in the name of an anchor', 'a: &x$$ b\nc: d'],
    ['an expression within another one', 'a: ${EMPTY:-${SHA}}'],
    ['an escape of a slash', 'a: b\\/c'],
    ['one that only an escape of YAML makes', 'a: "\\x24{SHA}" # ${SHA}'],
    ['one that only the end of a line makes', 'a: "$\\\n  {SHA}" # ${SHA}'],
  ])('is left to the reader: %s', (_, text) => {
    expect(substitutedTree(text)).toBeUndefined();
  });

  it('has the very nodes in which nothing was replaced, and the places of the others', () => {
    const text = 'a: {b: c}\nd: $${SHA} and ${SHA}\n';
    const root = readYaml(text);
    const tree = substitutedTree(text, root);
    if (root?.kind !== 'map' || tree?.kind !== 'map') throw new Error('Both are maps');
    expect(tree.entries[0]).toBe(root.entries[0]);
    expect(tree.entries[1]?.value).toMatchObject({ text: '${SHA} and 0a1b2c3d', offset: text.indexOf('$$') });
  });
});

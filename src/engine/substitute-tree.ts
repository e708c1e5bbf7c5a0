import type { Replacement } from './substitute.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** What YAML reads as part of a text wherever it stands in one, with nothing in it that an expression may nest. */
const plainSource = /\$\$|\$\{\w+(?::\d+){0,2}\}/g;
const isPlainSource = /^(?:\$\$|\$\{\w+(?::\d+){0,2}\})$/;
/** What makes one of these of other characters, between double quotes. */
const hiddenSource = /\\[xuU]|\$\\[\r\n]/;
/** What means nothing to YAML, whatever stands before or behind it. */
const plainValue = /^[A-Za-z0-9](?:[\w./-]*[A-Za-z0-9])?$/;

/**
 * The tree of a text in which `${…}` was replaced, made of the text before and its tree: reading it once more would be as
 * much work again. Nodes keep the places that they had. `undefined` where it is not certain to be the same tree: a value
 * that means something to YAML, or one that does not stand in a text.
 */
export function substituteTree(
  { text, root }: { readonly text: string; readonly root: YamlNode },
  replacements: readonly Replacement[],
): YamlNode | undefined {
  if (hiddenSource.test(text)) return undefined;
  const values = new Map<string, string>();
  for (const { source, value } of replacements) {
    if (!isPlainSource.test(source) || (source !== '$$' && !plainValue.test(value))) return undefined;
    values.set(source, value);
  }
  const tree = new SubstitutedTree(values);
  const substituted = tree.nodeOf(root);
  return tree.replaced === replacements.length && !tree.hasReplacedKey ? substituted : undefined;
}

class SubstitutedTree {
  readonly #values: ReadonlyMap<string, string>;
  /** What an alias names is met more than once, and is the same node every time. */
  readonly #done = new Map<YamlNode, YamlNode>();
  replaced = 0;
  /** A key has its limits of length, and two keys may become one. */
  hasReplacedKey = false;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  nodeOf(node: YamlNode): YamlNode {
    if (node.kind === 'scalar' && !node.text.includes('$')) return node;
    let done = this.#done.get(node);
    if (!done) {
      done = this.#substituted(node);
      this.#done.set(node, done);
    }
    return done;
  }

  #substituted(node: YamlNode): YamlNode {
    if (node.kind === 'scalar') {
      const text = node.text.replaceAll(plainSource, (source) => {
        const value = this.#values.get(source);
        if (value !== undefined) this.replaced += 1;
        return value ?? source;
      });
      return text === node.text ? node : { ...node, text };
    }
    if (node.kind === 'list') {
      const items = node.items.map((item) => this.nodeOf(item));
      return items.every((item, i) => item === node.items[i]) ? node : { ...node, items };
    }
    const entries = node.entries.map((entry) => this.#entryOf(entry));
    return entries.every((entry, i) => entry === node.entries[i]) ? node : { ...node, entries };
  }

  #entryOf(entry: YamlEntry): YamlEntry {
    if (this.nodeOf(entry.key) !== entry.key) this.hasReplacedKey = true;
    const value = this.nodeOf(entry.value);
    return value === entry.value ? entry : { key: entry.key, value };
  }
}

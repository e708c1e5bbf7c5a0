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
  const tree = new SubstitutedTree(values, replacements, text.includes('*'));
  const substituted = tree.nodeOf(root, text.length);
  return tree.replaced === replacements.length && !tree.hasReplacedKey ? substituted : undefined;
}

class SubstitutedTree {
  readonly #values: ReadonlyMap<string, string>;
  readonly #replacements: readonly Replacement[];
  /** What an alias names is met more than once, and is the same node every time; absent where none can be. */
  readonly #done: Map<YamlNode, YamlNode> | undefined;
  replaced = 0;
  /** A key has its limits of length, and two keys may become one. */
  hasReplacedKey = false;

  constructor(values: ReadonlyMap<string, string>, replacements: readonly Replacement[], hasAliases: boolean) {
    this.#values = values;
    this.#replacements = replacements;
    this.#done = hasAliases ? new Map() : undefined;
  }

  /** @param end - Where its text ends at the latest. */
  nodeOf(node: YamlNode, end: number): YamlNode {
    if (node.kind === 'scalar' && !node.text.includes('$')) return node;
    // Without aliases what stands behind a node in the text is no part of it.
    if (!this.#done) return this.#hasReplacement(node.offset, end) ? this.#substituted(node, end) : node;
    let done = this.#done.get(node);
    if (!done) {
      done = this.#substituted(node, end);
      this.#done.set(node, done);
    }
    return done;
  }

  #hasReplacement(from: number, to: number): boolean {
    let low = 0;
    let high = this.#replacements.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#replacements[middle]!.offset < from) low = middle + 1;
      else high = middle;
    }
    return low < this.#replacements.length && this.#replacements[low]!.offset < to;
  }

  #substituted(node: YamlNode, end: number): YamlNode {
    if (node.kind === 'scalar') {
      const text = node.text.replaceAll(plainSource, (source) => {
        const value = this.#values.get(source);
        if (value !== undefined) this.replaced += 1;
        return value ?? source;
      });
      return text === node.text ? node : { ...node, text };
    }
    if (node.kind === 'list') {
      const { items: given } = node;
      const items = changed(given, (item, i) => this.nodeOf(item, given[i + 1]?.offset ?? end));
      return items ? { ...node, items } : node;
    }
    const { entries: given } = node;
    const entries = changed(given, (entry, i) => this.#entryOf(entry, given[i + 1]?.key.offset ?? end));
    return entries ? { ...node, entries } : node;
  }

  #entryOf(entry: YamlEntry, end: number): YamlEntry {
    if (this.nodeOf(entry.key, entry.value.offset) !== entry.key) this.hasReplacedKey = true;
    const value = this.nodeOf(entry.value, end);
    return value === entry.value ? entry : { key: entry.key, value };
  }
}

/** The same list with each item replaced; `undefined` when all stay what they were. */
function changed<Item>(
  items: readonly Item[],
  replace: (item: Item, index: number) => Item,
): readonly Item[] | undefined {
  let replaced: Item[] | undefined;
  for (let i = 0; i < items.length; i += 1) {
    const other = replace(items[i]!, i);
    if (other === items[i]) continue;
    replaced ??= [...items];
    replaced[i] = other;
  }
  return replaced;
}

import { maxYamlDepth, maxYamlVisits, type YamlEntry, YamlError, type YamlNode } from './yaml-node.ts';

interface Measure {
  /** Nodes below and with this one, aliases followed. */
  readonly visits: number;
  readonly depth: number;
}

/**
 * Builds nodes and refuses those that are too deep or too many once aliases are followed. An alias is the very node it
 * names, so a bomb costs nothing to build; its measure grows all the same, and that is what is limited.
 */
export class YamlTree {
  readonly #measures = new WeakMap<YamlNode, Measure>();
  readonly #anchors = new Map<string, YamlNode>();
  readonly #splicesLists: boolean;

  /** `splicesLists`: the item `- <<: *list` stands for the items of that list, as Woodpecker has it (pipelines.md 4). */
  constructor(splicesLists: boolean) {
    this.#splicesLists = splicesLists;
  }

  scalar(text: string, isPlain: boolean, tag: string | undefined, offset: number): YamlNode {
    const node: YamlNode = { kind: 'scalar', text, isPlain, tag: shortTag(tag), offset };
    this.#measures.set(node, { visits: 1, depth: 0 });
    return node;
  }

  list(written: readonly YamlNode[], tag: string | undefined, offset: number): YamlNode {
    const items = this.#splicesLists ? spliced(written) : written;
    return this.#measured({ kind: 'list', items, tag: shortTag(tag), offset }, items);
  }

  map(entries: readonly YamlEntry[], tag: string | undefined, offset: number): YamlNode {
    return this.#measured(
      { kind: 'map', entries, tag: shortTag(tag), offset },
      entries.flatMap((entry) => [entry.key, entry.value]),
    );
  }

  anchor(name: string, node: YamlNode): void {
    this.#anchors.set(name, node);
  }

  /** The node that an anchor named before; a node cannot hold itself, since its anchor is known only when it ends. */
  alias(name: string, offset: number): YamlNode {
    const node = this.#anchors.get(name);
    if (!node) throw new YamlError(`the alias *${name} names no anchor before it`, offset);
    return node;
  }

  #measured(node: YamlNode, children: readonly YamlNode[]): YamlNode {
    let visits = 1;
    let depth = 0;
    for (const child of children) {
      const measure = this.#measures.get(child);
      visits += measure?.visits ?? 1;
      depth = Math.max(depth, (measure?.depth ?? 0) + 1);
    }
    refuseMeasure(visits, depth, node.offset);
    this.#measures.set(node, { visits, depth });
    return node;
  }
}

/** Throws `YamlError` for a list or map that is too deep, or too much, once aliases are followed. */
export function refuseMeasure(visits: number, depth: number, offset: number): void {
  if (visits > maxYamlVisits)
    throw new YamlError(`more than ${maxYamlVisits} values once aliases are followed`, offset);
  if (depth > maxYamlDepth) throw new YamlError(`nested deeper than ${maxYamlDepth} levels`, offset);
}

/** Items of a list, with those of another where `- <<: *list` stands (pipelines.md 4). */
export function spliced(items: readonly YamlNode[]): readonly YamlNode[] {
  return items.some((item) => mergedItems(item)) ? items.flatMap((item) => mergedItems(item) ?? [item]) : items;
}

/** What `<<: [a, b]`, alone in an item of a list, merges into it. */
function mergedItems(item: YamlNode): readonly YamlNode[] | undefined {
  if (item.kind !== 'map' || item.entries.length !== 1) return undefined;
  const [entry] = item.entries;
  const isMerge = entry?.key.kind === 'scalar' && entry.key.isPlain && entry.key.text === '<<';
  return isMerge && entry.value.kind === 'list' ? entry.value.items : undefined;
}

/** `!!str` for each way to write it. */
export function shortTag(tag: string | undefined): string | undefined {
  const found = tag === undefined ? null : /^(?:!<)?tag:yaml\.org,2002:(\w+)>?$/.exec(tag);
  return found ? `!!${found[1]}` : tag;
}

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
    const items = this.#splicesLists ? written.flatMap((item) => mergedItems(item) ?? [item]) : written;
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
    if (visits > maxYamlVisits) {
      throw new YamlError(`more than ${maxYamlVisits} values once aliases are followed`, node.offset);
    }
    if (depth > maxYamlDepth) throw new YamlError(`nested deeper than ${maxYamlDepth} levels`, node.offset);
    this.#measures.set(node, { visits, depth });
    return node;
  }
}

/** What `<<: [a, b]`, alone in an item of a list, merges into it. */
function mergedItems(item: YamlNode): readonly YamlNode[] | undefined {
  const [entry, ...others] = item.kind === 'map' ? item.entries : [];
  const isMerge = entry?.key.kind === 'scalar' && entry.key.isPlain && entry.key.text === '<<' && others.length === 0;
  return isMerge && entry.value.kind === 'list' ? entry.value.items : undefined;
}

/** `!!str` for each way to write it. */
function shortTag(tag: string | undefined): string | undefined {
  const found = tag === undefined ? null : /^(?:!<)?tag:yaml\.org,2002:(\w+)>?$/.exec(tag);
  return found ? `!!${found[1]}` : tag;
}

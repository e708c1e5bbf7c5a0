import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { readLenientYaml } from './read-lenient-yaml.ts';
import { maxYamlDepth, type YamlEntry, YamlError, type YamlNode } from './yaml-node.ts';
import { refuseMeasure, shortTag, spliced } from './yaml-tree.ts';

/**
 * Reads one YAML document; `undefined` when it holds nothing but comments. Throws `YamlError`.
 * js-yaml reads it; what that refuses is tried once more with `yaml`, which is as lenient as the systems whose files we
 * run about a closing bracket at its parent's indentation and about tabs (pipelines.md 4).
 */
export function readYaml(
  text: string,
  { splicesLists = false }: { readonly splicesLists?: boolean } = {},
): YamlNode | undefined {
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: maxYamlDepth });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const offset = error.mark?.position ?? 0;
    if (error.reason.startsWith('nesting exceeded')) {
      throw new YamlError(`nested deeper than ${maxYamlDepth} levels`, offset);
    }
    return readLenientYaml(text, new YamlError(error.reason, offset), splicesLists);
  }
  return new TreeOfEvents(text, splicesLists).build(events);
}

/** A list or map that has not ended, and what stands in it so far. */
interface OpenNode {
  readonly isMap: boolean;
  readonly items: YamlNode[];
  readonly entries: YamlEntry[];
  /** Of a map: what waits for its value. */
  key: YamlNode | undefined;
  readonly tag: string | undefined;
  readonly anchor: string | undefined;
  readonly offset: number;
  visits: number;
  depth: number;
}

/** A node that an alias may name, with its measure. */
interface Anchored {
  readonly node: YamlNode;
  readonly visits: number;
  readonly depth: number;
}

/**
 * Builds the tree and refuses what is too deep or too much once aliases are followed (`YamlTree` does the same for
 * another reader). An alias is the very node that it names, so a bomb costs nothing to build; measures go up with the
 * nodes and are kept for those with an anchor alone.
 */
class TreeOfEvents {
  readonly #text: string;
  readonly #splicesLists: boolean;
  readonly #open: OpenNode[] = [];
  readonly #anchors = new Map<string, Anchored>();
  #root: YamlNode | undefined;

  constructor(text: string, splicesLists: boolean) {
    this.#text = text;
    this.#splicesLists = splicesLists;
  }

  build(events: readonly Event[]): YamlNode | undefined {
    const text = this.#text;
    let lastOffset = 0;
    let documents = 0;
    for (const event of events) {
      switch (event.type) {
        case EVENT_ID.DOCUMENT:
          documents += 1;
          if (documents > 1) throw new YamlError('a second document begins here', lastOffset);
          break;
        case EVENT_ID.SCALAR: {
          if (event.valueStart >= 0) lastOffset = event.valueStart;
          const node: YamlNode = {
            kind: 'scalar',
            text: event.valueStart < 0 ? '' : getScalarValue(text, event),
            isPlain: event.style === SCALAR_STYLE.PLAIN,
            tag: this.#tag(event),
            offset: lastOffset,
          };
          this.#place(node, 1, 0, this.#anchorName(event));
          break;
        }
        case EVENT_ID.ALIAS: {
          lastOffset = event.anchorStart;
          const name = text.slice(event.anchorStart, event.anchorEnd);
          // A node cannot hold itself: its anchor is known only when it ends.
          const named = this.#anchors.get(name);
          if (!named) throw new YamlError(`the alias *${name} names no anchor before it`, lastOffset);
          this.#place(named.node, named.visits, named.depth, undefined);
          break;
        }
        case EVENT_ID.SEQUENCE:
        case EVENT_ID.MAPPING:
          lastOffset = Math.max(event.start, 0);
          this.#open.push({
            isMap: event.type === EVENT_ID.MAPPING,
            items: [],
            entries: [],
            key: undefined,
            tag: this.#tag(event),
            anchor: this.#anchorName(event),
            offset: lastOffset,
            visits: 1,
            depth: 0,
          });
          break;
        case EVENT_ID.POP: {
          const closed = this.#open.pop();
          if (closed) this.#close(closed);
          break;
        }
      }
    }
    return this.#root;
  }

  #tag({ tagStart, tagEnd }: { readonly tagStart: number; readonly tagEnd: number }): string | undefined {
    return tagStart < 0 ? undefined : shortTag(this.#text.slice(tagStart, tagEnd));
  }

  #anchorName({
    anchorStart,
    anchorEnd,
  }: {
    readonly anchorStart: number;
    readonly anchorEnd: number;
  }): string | undefined {
    return anchorStart < 0 ? undefined : this.#text.slice(anchorStart, anchorEnd);
  }

  #close({ isMap, items, entries, tag, anchor, offset, visits, depth }: OpenNode): void {
    refuseMeasure(visits, depth, offset);
    const node: YamlNode = isMap
      ? { kind: 'map', entries, tag, offset }
      : { kind: 'list', items: this.#splicesLists ? spliced(items) : items, tag, offset };
    this.#place(node, visits, depth, anchor);
  }

  #place(node: YamlNode, visits: number, depth: number, anchor: string | undefined): void {
    if (anchor !== undefined) this.#anchors.set(anchor, { node, visits, depth });
    const parent = this.#open.at(-1);
    if (!parent) {
      this.#root = node;
      return;
    }
    if (!parent.isMap) parent.items.push(node);
    else if (parent.key === undefined) parent.key = node;
    else {
      parent.entries.push({ key: parent.key, value: node });
      parent.key = undefined;
    }
    parent.visits += visits;
    if (depth >= parent.depth) parent.depth = depth + 1;
  }
}

import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { readLenientYaml } from './read-lenient-yaml.ts';
import { maxYamlDepth, type YamlEntry, YamlError, type YamlNode } from './yaml-node.ts';
import { YamlTree } from './yaml-tree.ts';

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
  return treeOf(text, events, splicesLists);
}

interface OpenNode {
  readonly isMap: boolean;
  readonly nodes: YamlNode[];
  readonly tag: string | undefined;
  readonly anchor: string | undefined;
  readonly offset: number;
}

function treeOf(text: string, events: readonly Event[], splicesLists: boolean): YamlNode | undefined {
  const tree = new YamlTree(splicesLists);
  const open: OpenNode[] = [];
  let root: YamlNode | undefined;
  let lastOffset = 0;
  const slice = (start: number, end: number): string | undefined => (start < 0 ? undefined : text.slice(start, end));
  const place = (node: YamlNode, anchor: string | undefined): void => {
    if (anchor !== undefined) tree.anchor(anchor, node);
    const parent = open.at(-1);
    if (parent) parent.nodes.push(node);
    else root = node;
  };

  let documents = 0;
  for (const event of events) {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        documents += 1;
        if (documents > 1) throw new YamlError('a second document begins here', lastOffset);
        break;
      case EVENT_ID.SCALAR: {
        if (event.valueStart >= 0) lastOffset = event.valueStart;
        place(
          tree.scalar(
            event.valueStart < 0 ? '' : getScalarValue(text, event),
            event.style === SCALAR_STYLE.PLAIN,
            slice(event.tagStart, event.tagEnd),
            lastOffset,
          ),
          slice(event.anchorStart, event.anchorEnd),
        );
        break;
      }
      case EVENT_ID.ALIAS: {
        const name = text.slice(event.anchorStart, event.anchorEnd);
        lastOffset = event.anchorStart;
        place(tree.alias(name, event.anchorStart), undefined);
        break;
      }
      case EVENT_ID.SEQUENCE:
      case EVENT_ID.MAPPING:
        lastOffset = Math.max(event.start, 0);
        open.push({
          isMap: event.type === EVENT_ID.MAPPING,
          nodes: [],
          tag: slice(event.tagStart, event.tagEnd),
          anchor: slice(event.anchorStart, event.anchorEnd),
          offset: lastOffset,
        });
        break;
      case EVENT_ID.POP: {
        const closed = open.pop();
        if (!closed) break; // the document itself
        const { tag, offset } = closed;
        place(
          closed.isMap ? tree.map(entriesOf(closed.nodes), tag, offset) : tree.list(closed.nodes, tag, offset),
          closed.anchor,
        );
        break;
      }
    }
  }
  return root;
}

function entriesOf(nodes: readonly YamlNode[]): YamlEntry[] {
  const entries: YamlEntry[] = [];
  for (let i = 0; i + 1 < nodes.length; i += 2) {
    const [key, value] = [nodes[i], nodes[i + 1]];
    if (key && value) entries.push({ key, value });
  }
  return entries;
}

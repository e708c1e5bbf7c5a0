import { booleanOf, isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Nothing, an empty text, list or map, or `false`: a key with such a value asks for what we do anyway. */
export function asksForNothing(node: YamlNode): boolean {
  if (node.kind === 'list') return node.items.length === 0;
  if (node.kind === 'map') return node.entries.length === 0;
  return isNull(node) || node.text === '' || booleanOf(node, 'yaml-1.1') === false;
}

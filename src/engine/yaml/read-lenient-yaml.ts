import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { maxYamlDepth, type YamlEntry, YamlError, type YamlNode } from './yaml-node.ts';
import { YamlTree } from './yaml-tree.ts';

/**
 * Reads what the first reader refused. Only the tree of `yaml` is used, never its values: it would check keys pairwise
 * and expand aliases. Throws `YamlError`; when this reader refuses too, its word counts, else that of the first.
 */
export function readLenientYaml(text: string, refusal: YamlError, splicesLists: boolean): YamlNode | undefined {
  if (nestsDeeply(text)) throw refusal;
  // Loaded only here: nearly every file never needs it, and compilation stays synchronous.
  const yaml = createRequire(import.meta.url)('yaml') as typeof Yaml;
  let document: Yaml.Document.Parsed;
  try {
    document = yaml.parseDocument(text, { schema: 'failsafe', merge: false, uniqueKeys: false, strict: false });
  } catch (cause) {
    if (cause instanceof Error) throw refusal;
    throw cause;
  }
  const [error] = document.errors;
  if (error) throw new YamlError(firstLine(error.message), error.pos[0]);
  if (document.contents === null) return undefined;

  const tree = new YamlTree(splicesLists);
  const convert = (node: unknown, near: number, depth: number): YamlNode => {
    if (depth > maxYamlDepth) throw new YamlError(`nested deeper than ${maxYamlDepth} levels`, near);
    if (!yaml.isNode(node)) return tree.scalar('', true, undefined, near);
    const offset = node.range?.[0] ?? near;
    if (yaml.isAlias(node)) return tree.alias(node.source, offset);
    const tag = node.tag;
    let converted: YamlNode;
    if (yaml.isMap(node)) {
      const entries = node.items.map((pair): YamlEntry => {
        const key = convert(pair.key, offset, depth + 1);
        return { key, value: convert(pair.value, key.offset, depth + 1) };
      });
      converted = tree.map(entries, tag, offset);
    } else if (yaml.isSeq(node)) {
      converted = tree.list(
        node.items.map((item) => convert(item, offset, depth + 1)),
        tag,
        offset,
      );
    } else {
      const isPlain = node.type === undefined || node.type === 'PLAIN';
      converted = tree.scalar(isPlain ? (node.source ?? '') : String(node.value), isPlain, tag, offset);
    }
    if (node.anchor !== undefined) tree.anchor(node.anchor, converted);
    return converted;
  };
  return convert(document.contents, 0, 0);
}

/** `yaml` descends by recursion; what could exhaust the stack is not shown to it. */
function nestsDeeply(text: string): boolean {
  let depth = 0;
  for (const line of text.split('\n')) {
    if (/^ *(- +){50,}/.test(line) || /^ {400,}/.test(line)) return true;
    for (const character of line) {
      if (character === '[' || character === '{') depth += 1;
      else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
      if (depth > maxYamlDepth) return true;
    }
  }
  return false;
}

/** Its first line without the place, as the end of a sentence. */
function firstLine(message: string): string {
  const line = (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
  return /^[A-Z][a-z]/.test(line) ? line.charAt(0).toLowerCase() + line.slice(1) : line;
}

import type { DialectRules } from './dialect-rules.ts';
import { didYouMean } from './did-you-mean.ts';
import type { LintReport } from './lint-report.ts';
import type { LintCode } from './lint-rules.ts';
import { lineText, type Position } from './source-position.ts';
import { resolveScalar } from './yaml/resolve-scalar.ts';
import { booleanOf, isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlMap, YamlNode } from './yaml/yaml-node.ts';

/** A map as a dialect reads it: merged, and each key once. */
export type Fields = ReadonlyMap<string, YamlEntry>;

/**
 * Reads typed values from the nodes of one document. Whatever has the wrong type becomes a finding at its place and
 * reads as absent, so that one run finds all of them.
 */
export class DocumentReader {
  readonly rules: DialectRules;
  readonly report: LintReport;
  readonly #locate: (offset: number) => Position;

  constructor(rules: DialectRules, report: LintReport, locate: (offset: number) => Position) {
    this.rules = rules;
    this.report = report;
    this.#locate = locate;
  }

  positionOf(node: YamlNode): Position {
    return this.#locate(node.offset);
  }

  /** The same without its column. */
  lineOf(node: YamlNode): Pick<Position, 'line' | 'within'> {
    const { line, within } = this.positionOf(node);
    return within ? { line, within } : { line };
  }

  add(code: LintCode, node: YamlNode, message: string): void {
    this.report.add(code, this.positionOf(node), message);
  }

  /** Finds a key that the dialect does not know at its place; `known` are those that it does, for "did you mean". */
  unknownKey(key: YamlNode, what: string, known: Iterable<string>, tail = ''): void {
    const name = key.kind === 'scalar' ? key.text : '';
    const meant = tail === '' && !this.report.isFull ? didYouMean(name, known) : undefined;
    const message = `${what} has no key "${name}"${tail}`;
    this.report.add('key.unknown', this.positionOf(key), message, meant && `did you mean "${meant}"?`);
  }

  /** The fields of a map; `undefined` when it is absent, or is no map (which is found). */
  fields(node: YamlNode | undefined, what: string): Fields | undefined {
    if (!node || isNull(node)) return undefined;
    if (node.kind !== 'map') {
      this.add('value.type', node, `${what} must be a map, and is ${nounOf(node)}`);
      return undefined;
    }
    this.#checkTag(node);
    const fields = new Map<string, YamlEntry>();
    let merges = false;
    for (const entry of node.entries) {
      if (isMergeKey(entry)) {
        merges = true;
        continue;
      }
      const name = this.#keyText(entry.key);
      if (name === undefined) continue;
      const before = fields.get(name);
      if (before) {
        this.add(
          'yaml.duplicate-key',
          entry.key,
          `the key "${name}" stands here and in ${lineText(this.positionOf(before.key))}${
            this.rules.dialect === 'drone1' ? ': this one, the last, counts' : ''
          }`,
        );
        fields.delete(name);
      }
      fields.set(name, entry);
    }
    if (merges) this.#merge(node, fields, 0);
    return fields;
  }

  /** Explicit keys win over merged ones; of several maps the first wins (YAML 1.1 merge type). */
  #merge(map: YamlMap, fields: Map<string, YamlEntry>, depth: number): void {
    for (const entry of map.entries) {
      if (!isMergeKey(entry)) continue;
      const sources = entry.value.kind === 'list' ? entry.value.items : [entry.value];
      for (const source of sources) {
        if (source.kind !== 'map') {
          this.add('yaml.merge', source, '"<<" merges a map or a list of maps, and this is neither');
          continue;
        }
        for (const merged of source.entries) {
          if (isMergeKey(merged)) continue;
          const name = this.#keyText(merged.key);
          if (name !== undefined && !fields.has(name)) fields.set(name, merged);
        }
        this.#merge(source, fields, depth + 1);
      }
    }
  }

  #keyText(key: YamlNode): string | undefined {
    if (key.kind === 'scalar') return key.text;
    this.add('yaml.key', key, `a key must be a text, and this is ${nounOf(key)}`);
    return undefined;
  }

  /** A text as it stands in the source: `1.10` stays `1.10`. */
  text(node: YamlNode | undefined, what: string): string | undefined {
    if (!node || isNull(node)) return undefined;
    this.#checkTag(node);
    if (node.kind === 'scalar') {
      // `!!binary` is the one tag that changes the text of a string.
      const text = node.tag === '!!binary' ? Buffer.from(node.text, 'base64').toString() : node.text;
      if (!text.includes('\0')) return text;
      this.add('value.type', node, `${what} holds a NUL character, which no program can be given`);
      return undefined;
    }
    this.add('value.type', node, `${what} must be a text, and is ${nounOf(node)}`);
    return undefined;
  }

  /** A tag that no YAML schema has is read as if it were not there, and told. */
  #checkTag(node: YamlNode): void {
    if (node.tag === undefined || knownTags.has(node.tag)) return;
    this.add('yaml.tag', node, `the tag "${node.tag.slice(0, 40)}" means nothing here`);
  }

  boolean(node: YamlNode | undefined, what: string): boolean | undefined {
    if (!node || isNull(node)) return undefined;
    const value = node.kind === 'scalar' ? booleanOf(node, this.rules.scalars.booleans) : undefined;
    if (value === undefined) this.add('value.type', node, `${what} must be true or false`);
    return value;
  }

  integer(node: YamlNode | undefined, what: string): number | undefined {
    if (!node || isNull(node)) return undefined;
    const value = node.kind === 'scalar' ? resolveScalar(node, this.rules.scalars) : undefined;
    if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
    this.add('value.type', node, `${what} must be a whole number`);
    return undefined;
  }

  /** Items of a list; a single value counts as a list of one, and is told where the dialect refuses it. */
  items(node: YamlNode | undefined, what: string): readonly YamlNode[] {
    if (!node || isNull(node)) return [];
    if (node.kind === 'list') return node.items;
    if (node.kind === 'map') {
      this.add('value.type', node, `${what} must be a list, and is a map`);
      return [];
    }
    if (this.rules.demandsLists) {
      this.add(
        'value.scalar-for-list',
        node,
        `${what} is a single value, where Drone demands a list: write "- " before it`,
      );
    }
    return [node];
  }

  /** A list of texts, each with its node for later findings. */
  texts(node: YamlNode | undefined, what: string): { readonly text: string; readonly node: YamlNode }[] {
    const texts: { readonly text: string; readonly node: YamlNode }[] = [];
    for (const item of this.items(node, what)) {
      const text = this.text(item, `each item of ${what}`);
      if (text !== undefined) texts.push({ text, node: item });
    }
    return texts;
  }
}

const knownTags: ReadonlySet<string> = new Set([
  '!',
  ...['binary', 'bool', 'float', 'int', 'map', 'merge', 'null', 'seq', 'str', 'timestamp'].map((name) => `!!${name}`),
]);

function isMergeKey({ key }: YamlEntry): boolean {
  return (
    key.kind === 'scalar' && key.text === '<<' && ((key.isPlain && key.tag === undefined) || key.tag === '!!merge')
  );
}

/** `a map`, `a list`, `the text "x"`. */
export function nounOf(node: YamlNode): string {
  if (node.kind !== 'scalar') return node.kind === 'map' ? 'a map' : 'a list';
  return `the text "${node.text.length > 40 ? `${node.text.slice(0, 40)}…` : node.text}"`;
}

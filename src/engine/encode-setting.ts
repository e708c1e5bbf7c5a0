import type { DialectRules } from './dialect-rules.ts';
import { resolveScalar, type ScalarValue } from './yaml/resolve-scalar.ts';
import type { YamlMap, YamlNode } from './yaml/yaml-node.ts';

/** How a plugin sees one of its settings: as an environment variable, which holds nothing but text. */
export type EncodedSetting =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'unset' }
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'error'; readonly message: string };

/**
 * Encodes a value of `settings` as Drone 1.x does (pipelines.md 4): scalars by their type, a list of scalars joined by
 * commas, everything deeper as JSON.
 */
export function encodeSetting(node: YamlNode, rules: DialectRules): EncodedSetting {
  if (node.kind === 'scalar') {
    const value = resolveScalar(node, rules.booleans);
    return value === null ? { kind: 'unset' } : { kind: 'value', text: scalarText(value) };
  }
  if (node.kind === 'map') {
    const secret = secretOf(node);
    if (secret !== undefined) return { kind: 'secret', name: secret };
  } else if (node.items.every((item) => item.kind === 'scalar')) {
    const values = node.items.map((item) => (item.kind === 'scalar' ? resolveScalar(item, rules.booleans) : null));
    return { kind: 'value', text: values.map((value) => (value === null ? '' : scalarText(value))).join(',') };
  }
  const json = jsonOf(node, rules);
  return json === undefined
    ? { kind: 'error', message: 'a number in it has no form in JSON' }
    : { kind: 'value', text: json };
}

function secretOf(map: YamlMap): string | undefined {
  const [entry] = map.entries;
  const isReference = map.entries.length === 1 && entry?.key.kind === 'scalar' && entry.key.text === 'from_secret';
  return isReference && entry.value.kind === 'scalar' ? entry.value.text.toLowerCase() : undefined;
}

function scalarText(value: Exclude<ScalarValue, null>): string {
  return typeof value === 'number' ? floatText(value) : String(value);
}

/** A float as Go's shortest `%g` prints it: with an exponent below 1e-4 and from 1e6 on, of at least two digits. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  // Plain notation of a double within these bounds never has an exponent in JavaScript.
  if (power >= -4 && power < 6) return String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** JSON as Go writes it: keys sorted, `<`, `>`, `&` and the two line separators escaped. `undefined` = impossible. */
function jsonOf(node: YamlNode, rules: DialectRules): string | undefined {
  if (node.kind === 'scalar') return jsonScalar(resolveScalar(node, rules.booleans));
  if (node.kind === 'list') {
    const items = node.items.map((item) => jsonOf(item, rules));
    return items.includes(undefined) ? undefined : `[${items.join(',')}]`;
  }
  const entries = new Map<string, string>();
  for (const { key, value } of node.entries) {
    const name = key.kind === 'scalar' ? resolveScalar(key, rules.booleans) : undefined;
    const json = jsonOf(value, rules);
    if (name === undefined || json === undefined) return undefined;
    entries.set(name === null ? 'null' : scalarText(name), json);
  }
  const sorted = [...entries].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${sorted.map(([name, json]) => `${jsonText(name)}:${json}`).join(',')}}`;
}

function jsonScalar(value: ScalarValue): string | undefined {
  if (typeof value === 'string') return jsonText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  return String(value);
}

function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

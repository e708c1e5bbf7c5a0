import type { DialectRules } from './dialect-rules.ts';
import { resolveScalar, type ScalarValue, YamlTime } from './yaml/resolve-scalar.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlMap, YamlNode } from './yaml/yaml-node.ts';

type SettingRules = Pick<DialectRules, 'scalars' | 'settingSecrets' | 'settingKeys'>;

/** How a plugin sees one of its settings: as an environment variable, which holds nothing but text. */
export type EncodedSetting =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'unset' }
  | { readonly kind: 'secret'; readonly name: string }
  /** JSON with secrets in it: each stands for its value as JSON writes a text, without the quotes. */
  | { readonly kind: 'composed'; readonly parts: readonly SettingPart[] }
  | { readonly kind: 'error'; readonly message: string };

export type SettingPart = string | { readonly secret: string };

/** A value that JSON cannot hold. */
class NoJson extends Error {
  override readonly name = 'NoJson';
}

/**
 * Encodes a value of `settings` as its dialect does (pipelines.md 4): scalars by their type, a list of scalars joined by
 * commas, everything deeper as JSON.
 */
export function encodeSetting(node: YamlNode, rules: SettingRules): EncodedSetting {
  if (node.kind === 'scalar') {
    const value = resolveScalar(node, rules.scalars);
    if (value === null) return { kind: 'unset' };
    return { kind: 'value', text: value instanceof YamlTime ? jsonText(value.text) : scalarText(value) };
  }
  if (node.kind === 'map') {
    const secret = rules.settingSecrets === 'literal' ? undefined : secretOf(node);
    if (secret !== undefined) return { kind: 'secret', name: secret };
  } else {
    const values = node.items.map((item) => (item.kind === 'scalar' ? resolveScalar(item, rules.scalars) : undefined));
    if (!values.some((value) => value === undefined || value instanceof YamlTime))
      return { kind: 'value', text: values.map((value) => (value === null ? '' : scalarText(value!))).join(',') };
  }
  try {
    const parts = joined(jsonParts(node, rules));
    const [first = ''] = parts;
    return parts.length <= 1 && typeof first === 'string'
      ? { kind: 'value', text: first }
      : { kind: 'composed', parts };
  } catch (error) {
    if (error instanceof NoJson) return { kind: 'error', message: error.message };
    throw error;
  }
}

/** Neighbouring texts as one. */
function joined(parts: readonly SettingPart[]): SettingPart[] {
  const result: SettingPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (typeof part === 'string' && typeof last === 'string') result[result.length - 1] = last + part;
    else result.push(part);
  }
  return result;
}

function secretOf(map: YamlMap): string | undefined {
  const [entry] = map.entries;
  const isReference = map.entries.length === 1 && entry?.key.kind === 'scalar' && entry.key.text === 'from_secret';
  if (!isReference || entry.value.kind !== 'scalar') return undefined;
  return isNull(entry.value) ? '' : entry.value.text.toLowerCase();
}

function scalarText(value: Exclude<ScalarValue, null>): string {
  if (value instanceof YamlTime) return value.text;
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

/** JSON as Go writes it: keys sorted, `<`, `>`, `&` and the two line separators escaped. */
function jsonParts(node: YamlNode, rules: SettingRules): SettingPart[] {
  if (node.kind === 'scalar') return [jsonScalar(resolveScalar(node, rules.scalars))];
  if (node.kind === 'list')
    return ['[', ...node.items.flatMap((item, i) => [i === 0 ? '' : ',', ...jsonParts(item, rules)]), ']'];
  const secret = rules.settingSecrets === 'nested' ? secretOf(node) : undefined;
  if (secret !== undefined) return ['"', { secret }, '"'];
  const entries = new Map<string, SettingPart[]>();
  for (const { key, value } of node.entries) entries.set(keyText(key, rules), jsonParts(value, rules));
  const sorted = [...entries].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return ['{', ...sorted.flatMap(([name, json], i) => [i === 0 ? '' : ',', `${jsonText(name)}:`, ...json]), '}'];
}

function keyText(key: YamlNode, rules: SettingRules): string {
  const value = key.kind === 'scalar' ? resolveScalar(key, rules.scalars) : undefined;
  if (value === undefined) throw new NoJson('a key of a map in it is no text');
  if (typeof value !== 'string' && rules.settingKeys === 'texts')
    throw new NoJson(`the key "${key.kind === 'scalar' ? key.text : ''}" of a map in it is no text: put it in quotes`);
  return value === null ? 'null' : scalarText(value);
}

function jsonScalar(value: ScalarValue): string {
  if (typeof value === 'string') return jsonText(value);
  if (value instanceof YamlTime) return jsonText(value.text);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new NoJson('a number in it has no form in JSON');
  return String(value);
}

/** A text as JSON writes it inside a setting; the value of a secret stands there in the same way. */
export function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

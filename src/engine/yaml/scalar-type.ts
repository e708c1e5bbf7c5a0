import type { YamlNode, YamlScalar } from './yaml-node.ts';

/** Which words are booleans: those of YAML 1.1 (Drone) or of YAML 1.2 (`.gantry.yml`). */
export type BooleanWords = 'yaml-1.1' | 'yaml-1.2';

const nullWords = new Set(['', '~', 'null', 'Null', 'NULL']);
/** Whoever is longer need not be looked up. */
const longestNull = 4;
const trueWords = new Set(['true', 'True', 'TRUE']);
const falseWords = new Set(['false', 'False', 'FALSE']);
const oldTrueWords = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const oldFalseWords = new Set(['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);

/** Whether a value is absent: nothing, `~` or `null`, plain. */
export function isNull(node: YamlNode): boolean {
  if (node.kind !== 'scalar') return false;
  if (node.tag !== undefined) return node.tag === '!!null';
  return node.isPlain && node.text.length <= longestNull && nullWords.has(node.text);
}

/** The boolean that a plain scalar is, or `undefined` when it is none. */
export function booleanOf(scalar: YamlScalar, words: BooleanWords): boolean | undefined {
  if (!scalar.isPlain || (scalar.tag !== undefined && scalar.tag !== '!!bool')) return undefined;
  if (trueWords.has(scalar.text)) return true;
  if (falseWords.has(scalar.text)) return false;
  if (words === 'yaml-1.2') return undefined;
  if (oldTrueWords.has(scalar.text)) return true;
  return oldFalseWords.has(scalar.text) ? false : undefined;
}

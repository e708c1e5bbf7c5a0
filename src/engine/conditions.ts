import { type DialectRules } from './dialect-rules.ts';
import type { DocumentReader } from './document-reader.ts';
import { findGlobFault, matchGlob } from './glob.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Keys of `when` and `trigger`, in the order in which they are judged (pipelines.md 10.4). */
export const conditionKeys = ['branch', 'event', 'action', 'ref', 'repo', 'instance', 'target', 'cron'] as const;
export type ConditionKey = (typeof conditionKeys)[number];

/** Globs: a value that one of `exclude` matches is out; one of `include` must match, when there are any. */
export interface Constraint {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Conditions {
  readonly constraints: ReadonlyMap<ConditionKey, Constraint>;
  readonly status: Constraint | undefined;
}

export const noConditions: Conditions = { constraints: new Map(), status: undefined };

/** What a condition is judged by; each key may have several words for the same value. */
export type ConditionFacts = Readonly<Record<ConditionKey, readonly [string, ...string[]]>>;

/** The first constraint that did not match. */
export interface Mismatch {
  readonly key: ConditionKey;
  readonly pattern: string;
  readonly value: string;
}

/** Judges all constraints; `undefined` = they match. */
export function findMismatch(conditions: Conditions, facts: ConditionFacts, rules: DialectRules): Mismatch | undefined {
  for (const key of conditionKeys) {
    const constraint = conditions.constraints.get(key);
    if (!constraint) continue;
    const values = facts[key];
    const excluding = constraint.exclude.find((pattern) =>
      values.some((value) => matchGlob(pattern, value, rules.glob)),
    );
    if (excluding !== undefined) return { key, pattern: `not ${excluding}`, value: values[0] };
    const isIncluded =
      constraint.include.length === 0 ||
      constraint.include.some((pattern) => values.some((value) => matchGlob(pattern, value, rules.glob)));
    if (!isIncluded) return { key, pattern: constraint.include.join(', '), value: values[0] };
  }
  return undefined;
}

/** When it runs, by `status`: both words → always; only failure → after one; else → while all is well. */
export function runOnOf(
  conditions: Conditions,
  rules: DialectRules,
): { readonly success: boolean; readonly failure: boolean } {
  const { status } = conditions;
  if (!status) return { success: true, failure: false };
  const matches = (value: string): boolean =>
    !status.exclude.some((pattern) => matchGlob(pattern, value, rules.glob)) &&
    (status.include.length === 0 || status.include.some((pattern) => matchGlob(pattern, value, rules.glob)));
  const failure = matches('failure');
  return { success: !failure || matches('success'), failure };
}

/** Reads `when` or `trigger` (`where` says which, for messages). */
export function readConditions(
  reader: DocumentReader,
  node: YamlNode | undefined,
  where: 'when' | 'trigger',
): Conditions {
  const fields = reader.fields(node, `"${where}"`);
  if (!fields) return noConditions;
  const constraints = new Map<ConditionKey, Constraint>();
  let status: Constraint | undefined;
  for (const [name, { key, value }] of fields) {
    if (name === 'paths') {
      reader.add('key.unsupported', key, `Gantry does not support "${where}.paths": it would run where it should not`);
    } else if (name === 'status') {
      status = readConstraint(reader, value, `"${where}.status"`);
      const unsupported = status?.include.find((word) => word === 'cancelled');
      if (unsupported !== undefined && reader.rules.dialect === 'gantry') {
        reader.add('key.unsupported', value, `Gantry does not support "${where}.status: cancelled"`);
      }
    } else if (isConditionKey(name)) {
      const constraint = readConstraint(reader, value, `"${where}.${name}"`);
      if (name === 'instance' && where === 'trigger' && reader.rules.dialect === 'drone1') {
        reader.add('condition.not-evaluated', key, 'Drone does not look at "trigger.instance", so it decides nothing');
      } else if (constraint) {
        constraints.set(name, constraint);
      }
    } else {
      reader.add('key.unknown', key, `"${where}" has no key "${name}"`);
    }
  }
  return { constraints, status };
}

function isConditionKey(name: string): name is ConditionKey {
  return (conditionKeys as readonly string[]).includes(name);
}

function readConstraint(reader: DocumentReader, node: YamlNode, what: string): Constraint | undefined {
  if (isNull(node)) return undefined;
  if (node.kind !== 'map') return { include: readPatterns(reader, node, what), exclude: [] };
  let include: readonly string[] = [];
  let exclude: readonly string[] = [];
  for (const [name, { key, value }] of reader.fields(node, what) ?? []) {
    if (name !== 'include' && name !== 'exclude') {
      reader.add('key.unknown', key, `${what} has no key "${name}"`);
      continue;
    }
    if (value.kind === 'scalar' && !isNull(value) && reader.rules.dialect === 'drone1') {
      reader.add(
        'condition.bare-value',
        value,
        `Drone ignores a single value below "${name}", so that ${name === 'include' ? 'everything matches' : 'nothing is excluded'}: write a list`,
      );
    }
    const patterns = readPatterns(reader, value, `"${name}" of ${what}`);
    if (name === 'include') include = patterns;
    else exclude = patterns;
  }
  return include.length + exclude.length === 0 ? undefined : { include, exclude };
}

function readPatterns(reader: DocumentReader, node: YamlNode, what: string): string[] {
  if (isNull(node)) return [];
  if (node.kind === 'map') {
    reader.add('value.type', node, `${what} must be a text or a list of texts, and is a map`);
    return [];
  }
  return (node.kind === 'list' ? node.items : [node]).flatMap((item) => {
    const pattern =
      item.kind === 'scalar' ? (isNull(item) ? '' : item.text) : reader.text(item, `each item of ${what}`);
    if (pattern === undefined) return [];
    const fault = findGlobFault(pattern, reader.rules.glob);
    if (fault !== undefined) reader.add('condition.glob', item, `the pattern "${pattern}" never matches: ${fault}`);
    return [pattern];
  });
}

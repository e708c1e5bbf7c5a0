import type { Dialect } from '../core/plan.ts';
import {
  type ConditionKey,
  type ConditionSet,
  type Conditions,
  type Constraint,
  cancelledStatus,
  type MatrixConstraint,
  noConditions,
  type PathConstraint,
} from './conditions.ts';
import type { DocumentReader } from './document-reader.ts';
import { compileExpression, ExpressionError } from './expression/expression.ts';
import { findGlobFault } from './glob.ts';
import { booleanOf, isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** How a dialect names what can be compared with globs (pipelines.md 9.3, 10.4, 11.4). */
const names: Readonly<Record<Dialect, ReadonlyMap<string, ConditionKey>>> = {
  drone08: namesOf('repo', 'ref', 'branch', 'event', 'instance', 'platform').set('environment', 'target'),
  drone1: namesOf('action', 'cron', 'ref', 'repo', 'instance', 'target', 'event', 'branch'),
  woodpecker: namesOf('ref', 'repo', 'instance', 'platform', 'branch', 'cron', 'event').set('environment', 'target'),
  gantry: namesOf('action', 'cron', 'ref', 'repo', 'instance', 'target', 'event', 'branch'),
};

/** What else it can look at. */
const otherKeys: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  drone08: new Set(['status', 'matrix', 'local', 'changed']),
  drone1: new Set(['status', 'paths']),
  woodpecker: new Set(['status', 'path', 'matrix', 'local', 'evaluate']),
  gantry: new Set(['status', 'paths', 'matrix']),
};
const ofStepsOnly: ReadonlySet<string> = new Set(['matrix', 'local']);

function namesOf(...keys: ConditionKey[]): Map<string, ConditionKey> {
  return new Map(keys.map((key) => [key, key]));
}

/** Where conditions stand: of a step, of a whole workflow, or of an included part of either. */
export type ConditionPlace = 'when' | 'trigger';

/** Reads the conditions of a step or workflow; Woodpecker's may be a list of alternatives. */
export function readConditions(
  reader: DocumentReader,
  node: YamlNode | undefined,
  where: ConditionPlace,
  isOfStep = where === 'when',
): Conditions {
  if (!node || isNull(node)) return noConditions;
  if (node.kind === 'list' && reader.rules.dialect === 'woodpecker')
    return {
      // An empty alternative asks for nothing, so it holds always.
      alternatives: node.items.flatMap((item) =>
        isNull(item) ? emptySet : (readSet(reader, item, where, isOfStep) ?? []),
      ),
    };
  const set = readSet(reader, node, where, isOfStep);
  return set ? { alternatives: [set] } : noConditions;
}

const emptySet: ConditionSet = { constraints: new Map(), status: undefined };

function readSet(
  reader: DocumentReader,
  node: YamlNode,
  where: ConditionPlace,
  isOfStep: boolean,
): ConditionSet | undefined {
  const fields = reader.fields(node, `"${where}"`);
  if (!fields) return undefined;
  const { dialect } = reader.rules;
  const constraints = new Map<ConditionKey, Constraint>();
  const set: { -readonly [Key in keyof ConditionSet]: ConditionSet[Key] } = { constraints, status: undefined };
  for (const [name, { key, value }] of fields) {
    const what = `"${where}.${name}"`;
    const conditionKey = names[dialect].get(name);
    if (conditionKey) {
      const constraint = readConstraint(reader, value, what);
      if (name === 'instance' && where === 'trigger' && dialect === 'drone1')
        reader.add('condition.not-evaluated', key, 'Drone does not look at "trigger.instance", so it decides nothing');
      else if (constraint) constraints.set(conditionKey, constraint);
      continue;
    }
    if (!otherKeys[dialect].has(name) || (ofStepsOnly.has(name) && !isOfStep && dialect !== 'gantry')) {
      const known = [...names[dialect].keys(), ...otherKeys[dialect]].filter(
        (other) => isOfStep || !ofStepsOnly.has(other),
      );
      reader.unknownKey(key, `"${where}"`, known);
      continue;
    }
    switch (name) {
      case 'status':
        set.status = readStatus(reader, value, what, isOfStep);
        break;
      case 'paths':
      case 'path':
        set.paths = readPaths(reader, key, value, what);
        break;
      case 'matrix':
        set.matrix = readMatrixCondition(reader, value, what);
        break;
      case 'local':
        set.local = reader.boolean(value, what);
        break;
      case 'evaluate':
        set.evaluate = readExpression(reader, value, what);
        break;
      case 'changed':
        reader.add('key.no-effect', key, `${what} has no effect, as in Drone`);
    }
  }
  return set;
}

function readStatus(reader: DocumentReader, node: YamlNode, what: string, isOfStep: boolean): Constraint | undefined {
  const status = readConstraint(reader, node, what);
  const asksForCancel = reader.rules.dialect === 'gantry' && status?.include.includes(cancelledStatus);
  if (asksForCancel && !isOfStep)
    reader.add(
      'key.unsupported',
      node,
      `Gantry does not support ${what.slice(0, -1)}: ${cancelledStatus}": no workflow starts after a cancel; write it in "when" of a step`,
    );
  return status;
}

/** A text, a list, or a map of `include` and `exclude`; `undefined` when it asks for nothing. */
export function readConstraint(reader: DocumentReader, node: YamlNode, what: string): Constraint | undefined {
  if (isNull(node)) return undefined;
  if (node.kind !== 'map') return { include: readPatterns(reader, node, what), exclude: [] };
  let include: readonly string[] = [];
  let exclude: readonly string[] = [];
  for (const [name, { key, value }] of reader.fields(node, what) ?? []) {
    if (name !== 'include' && name !== 'exclude') {
      reader.unknownKey(key, what, formKeys);
      continue;
    }
    warnOfBareValue(reader, name, value);
    const patterns = readPatterns(reader, value, `"${name}" of ${what}`);
    if (name === 'include') include = patterns;
    else exclude = patterns;
  }
  return include.length + exclude.length === 0 ? undefined : { include, exclude };
}

function warnOfBareValue(reader: DocumentReader, name: string, value: YamlNode): void {
  if (value.kind !== 'scalar' || isNull(value) || reader.rules.dialect !== 'drone1') return;
  reader.add(
    'condition.bare-value',
    value,
    `Drone ignores a single value below "${name}", so that ${name === 'include' ? 'everything matches' : 'nothing is excluded'}: write a list`,
  );
}

function readPaths(reader: DocumentReader, key: YamlNode, node: YamlNode, what: string): PathConstraint | undefined {
  // In .gantry.yml nothing changed means that the last green pipeline saw all that there is.
  const onEmpty = reader.rules.dialect !== 'gantry';
  if (reader.rules.dialect === 'drone1')
    reader.add('condition.paths', key, `Drone does not look at ${what}, so it decides nothing: in .gantry.yml it does`);
  if (node.kind !== 'map') {
    const include = readPatterns(reader, node, what);
    return { include, exclude: [], ignoreMessage: '', onEmpty };
  }
  const found = {
    include: [] as readonly string[],
    exclude: [] as readonly string[],
    ignoreMessage: '',
    onEmpty,
  };
  for (const [name, { key: nameNode, value }] of reader.fields(node, what) ?? []) {
    const isWoodpecker = reader.rules.dialect === 'woodpecker';
    if (name === 'include' || name === 'exclude') {
      warnOfBareValue(reader, name, value);
      found[name] = readPatterns(reader, value, `"${name}" of ${what}`);
    } else if (name === 'ignore_message' && isWoodpecker)
      found.ignoreMessage = reader.text(value, `"${name}" of ${what}`) ?? '';
    else if (name === 'on_empty' && isWoodpecker) found.onEmpty = reader.boolean(value, `"${name}" of ${what}`) ?? true;
    else reader.unknownKey(nameNode, what, isWoodpecker ? [...formKeys, 'ignore_message', 'on_empty'] : formKeys);
  }
  return found;
}

function readMatrixCondition(reader: DocumentReader, node: YamlNode, what: string): MatrixConstraint | undefined {
  const fields = reader.fields(node, what);
  if (!fields) return undefined;
  const sets = (value: YamlNode, name: string): Record<string, string>[] => {
    if (isNull(value)) return [];
    return (value.kind === 'list' ? value.items : [value]).map((item) =>
      readAxes(reader, item, `"${name}" of ${what}`),
    );
  };
  const hasForm = [...fields].some(([name, { value }]) => isFormKey(name) && value.kind !== 'scalar');
  if (!hasForm) return { include: [readAxes(reader, node, what)], exclude: [] };
  const [include, exclude] = [fields.get('include')?.value, fields.get('exclude')?.value];
  for (const [name, { key }] of fields)
    if (!isFormKey(name)) reader.add('key.unknown', key, `${what} has no key "${name}" beside "include" and "exclude"`);
  return { include: include ? sets(include, 'include') : [], exclude: exclude ? sets(exclude, 'exclude') : [] };
}

const formKeys = ['include', 'exclude'];

function isFormKey(name: string): boolean {
  return name === 'include' || name === 'exclude';
}

function readAxes(reader: DocumentReader, node: YamlNode, what: string): Record<string, string> {
  const axes: [string, string][] = [];
  for (const [name, { value }] of reader.fields(node, what) ?? [])
    axes.push([name, isNull(value) ? '' : (reader.text(value, `"${name}" of ${what}`) ?? '')]);
  return Object.fromEntries(axes);
}

function readExpression(reader: DocumentReader, node: YamlNode, what: string): ConditionSet['evaluate'] {
  // A bare `true` or `false` is an expression as well.
  const source =
    node.kind === 'scalar' && booleanOf(node, 'yaml-1.2') !== undefined ? node.text : reader.text(node, what);
  if (source === undefined || source.trim() === '') return undefined;
  try {
    return { source, expression: compileExpression(source) };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reader.add('condition.expression', node, `${what} cannot be read: ${error.message} (column ${error.column} of it)`);
    return undefined;
  }
}

function readPatterns(reader: DocumentReader, node: YamlNode, what: string): string[] {
  if (isNull(node)) return [];
  if (node.kind === 'map') {
    reader.add('value.type', node, `${what} must be a text or a list of texts, and is a map`);
    return [];
  }
  const patterns: string[] = [];
  for (const item of node.kind === 'list' ? node.items : [node]) {
    const pattern =
      item.kind === 'scalar' ? (isNull(item) ? '' : item.text) : reader.text(item, `each item of ${what}`);
    if (pattern === undefined) continue;
    const fault = findGlobFault(pattern, reader.rules.glob);
    if (fault !== undefined) reader.add('condition.glob', item, `the pattern "${pattern}" never matches: ${fault}`);
    patterns.push(pattern);
  }
  return patterns;
}

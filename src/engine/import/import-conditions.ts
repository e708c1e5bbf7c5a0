import type { Dialect } from '../../core/plan.ts';
import type { ConditionKey, ConditionSet, Conditions, Constraint, MatrixConstraint } from '../conditions.ts';
import type { ImportValue } from './import-yaml.ts';

/** Conditions in the form of `.gantry.yml`: one map for each alternative, of which at most one holds at an event. */
export interface ImportedConditions {
  /** Empty = nothing is asked for. */
  readonly alternatives: readonly Readonly<Record<string, ImportValue>>[];
  /** What is not quite the same. */
  readonly remarks: readonly string[];
  /** What could not be said: then it never runs, and somebody has to write it. */
  readonly lost: readonly string[];
}

const nothing: ImportedConditions = { alternatives: [], remarks: [], lost: [] };
/** A condition that no event has. */
const never = { event: 'none' };

const keyNames: Readonly<Partial<Record<ConditionKey, string>>> = {
  branch: 'branch',
  event: 'event',
  action: 'action',
  ref: 'ref',
  repo: 'repo',
  instance: 'instance',
  target: 'target',
  cron: 'cron',
};

/** `hasMatrix`: the pipeline keeps its matrix, so that conditions on it can stand. */
export function importConditions(conditions: Conditions, dialect: Dialect, hasMatrix: boolean): ImportedConditions {
  const sets = conditions.alternatives;
  if (sets.length === 0) return nothing;
  const found = sets.map((set) => importSet(set, dialect, hasMatrix));
  const remarks = found.flatMap((each) => each.remarks);
  const lost = found.flatMap((each) => each.lost);
  if (lost.length > 0) return { alternatives: [never], remarks, lost };
  if (found.some(({ map }) => Object.keys(map).length === 0)) return { alternatives: [], remarks, lost };
  if (found.length === 1) return { alternatives: [found[0]!.map], remarks, lost };
  const events = found.map(({ events: each }) => each);
  const isApart = events.every(
    (each, index) =>
      each && events.slice(index + 1).every((other) => other && !each.some((event) => other.includes(event))),
  );
  if (!isApart) {
    const why = 'alternatives that may hold together: write them as one condition, or as steps of their own';
    return { alternatives: [never], remarks, lost: [why] };
  }
  const others = found.map(({ map: { event: _event, ...rest } }) => JSON.stringify(rest));
  if (others.every((rest) => rest === others[0])) {
    const event = events.flatMap((each) => each ?? []);
    return { alternatives: [{ ...found[0]!.map, event }], remarks, lost };
  }
  return { alternatives: found.map(({ map }) => map), remarks, lost };
}

interface ImportedSet {
  readonly map: Readonly<Record<string, ImportValue>>;
  /** Events it is for; `undefined` = it does not say. */
  readonly events: readonly string[] | undefined;
  readonly remarks: readonly string[];
  readonly lost: readonly string[];
}

function importSet(set: ConditionSet, dialect: Dialect, hasMatrix: boolean): ImportedSet {
  const map: Record<string, ImportValue> = {};
  const remarks: string[] = [];
  const lost: string[] = [];
  const event = set.constraints.get('event');
  const words = event && importEvents(event, dialect);
  if (words === 'patterns') lost.push('patterns as events: name the events');
  const events = typeof words === 'object' && words.exclude.length === 0 ? words.include : undefined;
  for (const [key, constraint] of set.constraints) {
    const name = keyNames[key];
    if (name === undefined) {
      lost.push(`"${key}": there is no such condition, since all steps run on the host's platform`);
      continue;
    }
    if (key === 'event') {
      if (typeof words === 'object') map[name] = constraintOf(words);
      continue;
    }
    if (differsByGlob(constraint, dialect))
      remarks.push(
        `the pattern of "${name}" is read by the rules of .gantry.yml, where "**", braces and brackets mean a little more`,
      );
    if (dialect === 'woodpecker' && key === 'branch' && (events === undefined || events.includes('tag')))
      remarks.push('"branch" is compared for tags too, with the name of the tag');
    if (dialect === 'woodpecker' && key === 'cron' && events?.every((each) => each === 'cron') !== true)
      remarks.push('"cron" is compared for every event');
    map[name] = constraintOf(constraint);
  }
  if (set.paths && dialect === 'woodpecker') {
    if (set.paths.ignoreMessage !== '' || !set.paths.onEmpty) lost.push('"ignore_message" and "on_empty" of "path"');
    else map['paths'] = constraintOf(set.paths);
    if (events?.every((each) => each === 'push' || each === 'pull_request') !== true)
      remarks.push('"paths" counts at every event of which the change is known');
  } else if (set.paths && dialect === 'drone1')
    remarks.push('"paths" is left out, since Drone does not look at it: add it where it is meant');
  if (set.matrix && hasMatrix) map['matrix'] = matrixOf(set.matrix);
  else if (set.matrix) lost.push('"matrix": write the condition out for each of the pipelines that came of the matrix');
  if (set.evaluate) lost.push(`"evaluate: ${set.evaluate.source}"`);
  if (set.local !== undefined) lost.push('"local"');
  if (set.status) map['status'] = constraintOf(set.status);
  return { map, events, remarks, lost };
}

function constraintOf({ include, exclude }: Constraint): ImportValue {
  if (exclude.length > 0)
    return { ...(include.length > 0 && { include: oneOrList(include) }), exclude: oneOrList(exclude) };
  return oneOrList(include);
}

function matrixOf({ include, exclude }: MatrixConstraint): ImportValue {
  const [first] = include;
  if (first && include.length === 1 && exclude.length === 0) return { ...first };
  return {
    ...(include.length > 0 && { include: include.map((set) => ({ ...set })) }),
    ...(exclude.length > 0 && { exclude: exclude.map((set) => ({ ...set })) }),
  };
}

function oneOrList(values: readonly string[]): ImportValue {
  return values.length === 1 ? values[0]! : values;
}

/** Each dialect's words for events, in those of `.gantry.yml`. */
function importEvents({ include, exclude }: Constraint, dialect: Dialect): Constraint | 'patterns' {
  if ([...include, ...exclude].some((word) => /[*?[{\\]/.test(word))) return 'patterns';
  const translate = (words: readonly string[]): string[] => [
    ...new Set(words.flatMap((word) => eventsOf(word, dialect))),
  ];
  return { include: translate(include), exclude: translate(exclude) };
}

function eventsOf(word: string, dialect: Dialect): readonly string[] {
  if (word === 'deployment' && dialect !== 'drone1') return ['promote', 'rollback'];
  if (word === 'custom' && dialect === 'drone1') return ['manual'];
  // A restart in Drone 0.8, which counts as the push that it repeats.
  if (word === 'push' && dialect === 'drone08') return ['push', 'manual'];
  return [word];
}

function differsByGlob({ include, exclude }: Constraint, dialect: Dialect): boolean {
  return dialect !== 'woodpecker' && [...include, ...exclude].some((pattern) => /\*\*|[[{\\]|\/$/.test(pattern));
}

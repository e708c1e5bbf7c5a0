import type { RunOn } from '../core/plan.ts';
import type { DialectRules } from './dialect-rules.ts';
import { type Expression, evaluateExpression } from './expression/expression.ts';
import { matchGlob } from './glob.ts';

/** Keys that compare a fact of the event with globs, in the order in which they are judged (pipelines.md 10.4). */
export const conditionKeys = [
  'branch',
  'event',
  'action',
  'ref',
  'repo',
  'instance',
  'platform',
  'target',
  'cron',
] as const;
export type ConditionKey = (typeof conditionKeys)[number];

/** Globs: a value that one of `exclude` matches is out; one of `include` must match, when there are any. */
export interface Constraint {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Compares the paths that a change touched (pipelines.md 11.4). */
export interface PathConstraint extends Constraint {
  /** A commit message that contains it runs whatever was touched. Empty = none does. */
  readonly ignoreMessage: string;
  /** What an empty list of paths means. */
  readonly onEmpty: boolean;
}

/** Sets of axis values: one of `exclude` that matches whole is out; one of `include` must, when there are any. */
export interface MatrixConstraint {
  readonly include: readonly Readonly<Record<string, string>>[];
  readonly exclude: readonly Readonly<Record<string, string>>[];
}

/** Conditions that must hold together. */
export interface ConditionSet {
  readonly constraints: ReadonlyMap<ConditionKey, Constraint>;
  readonly status: Constraint | undefined;
  readonly paths?: PathConstraint | undefined;
  readonly matrix?: MatrixConstraint | undefined;
  /** Whether it holds for runs of a working copy only, or never for them. */
  readonly local?: boolean | undefined;
  readonly evaluate?: { readonly source: string; readonly expression: Expression } | undefined;
}

/** One of the alternatives must hold; when there are none, nothing is asked for. */
export interface Conditions {
  readonly alternatives: readonly ConditionSet[];
}

export const noConditions: Conditions = { alternatives: [] };

/** What conditions are judged by. */
export interface ConditionFacts {
  /** Each key may have several words for the same value; a key that is absent is not judged at this event. */
  readonly values: Readonly<Partial<Record<ConditionKey, readonly [string, ...string[]]>>>;
  /** Paths that the change touched; `undefined` = not judged at this event, or not known. */
  readonly changedPaths: readonly string[] | undefined;
  readonly message: string;
  readonly matrix: Readonly<Record<string, string>>;
  readonly isLocal: boolean;
  /** What an expression can name. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The first constraint that did not match. */
export interface Mismatch {
  readonly key: ConditionKey | 'paths' | 'matrix' | 'local' | 'evaluate';
  readonly pattern: string;
  readonly value: string;
}

/**
 * Judges conditions; `undefined` = they match. Of several alternatives the first is told, since it is what a reader looks
 * at first. Throws `ExpressionError` for an expression that has no answer.
 */
export function findMismatch(conditions: Conditions, facts: ConditionFacts, rules: DialectRules): Mismatch | undefined {
  let first: Mismatch | undefined;
  for (const set of conditions.alternatives) {
    const mismatch = findMismatchOfSet(set, facts, rules);
    if (!mismatch) return undefined;
    first ??= mismatch;
  }
  return first;
}

function findMismatchOfSet(set: ConditionSet, facts: ConditionFacts, rules: DialectRules): Mismatch | undefined {
  for (const key of conditionKeys) {
    const constraint = set.constraints.get(key);
    const values = facts.values[key];
    if (!constraint || !values) continue;
    const matches = (pattern: string): boolean => values.some((value) => matchGlob(pattern, value, rules.glob));
    const excluding = constraint.exclude.find(matches);
    if (excluding !== undefined) return { key, pattern: `not ${excluding}`, value: values[0] };
    if (constraint.include.length > 0 && !constraint.include.some(matches))
      return { key, pattern: constraint.include.join(', '), value: values[0] };
  }
  if (set.local !== undefined && set.local !== facts.isLocal)
    return { key: 'local', pattern: String(set.local), value: String(facts.isLocal) };
  return (
    (set.matrix && findMatrixMismatch(set.matrix, facts.matrix, rules)) ??
    (set.paths && findPathMismatch(set.paths, facts, rules)) ??
    (set.evaluate && !evaluateExpression(set.evaluate.expression, facts.variables)
      ? { key: 'evaluate', pattern: set.evaluate.source, value: 'false' }
      : undefined)
  );
}

function findMatrixMismatch(
  { include, exclude }: MatrixConstraint,
  axes: Readonly<Record<string, string>>,
  rules: DialectRules,
): Mismatch | undefined {
  // Drone 0.8 compares whole values, Woodpecker globs.
  const isEqual = (wanted: string, value: string): boolean =>
    rules.dialect === 'drone08' ? wanted === value : matchGlob(wanted, value, rules.glob);
  const matches = (set: Readonly<Record<string, string>>): boolean =>
    Object.entries(set).every(([name, wanted]) => isEqual(wanted, Object.hasOwn(axes, name) ? axes[name]! : ''));
  const value = axisText(axes);
  const excluding = exclude.find((set) => Object.keys(set).length > 0 && matches(set));
  if (excluding) return { key: 'matrix', pattern: `not ${axisText(excluding)}`, value };
  if (include.length === 0 || include.some(matches)) return undefined;
  return { key: 'matrix', pattern: include.map(axisText).join(', '), value };
}

/** `GO=1.21 DB=pg`. */
export function axisText(axes: Readonly<Record<string, string>>): string {
  return Object.entries(axes)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function findPathMismatch(
  { include, exclude, ignoreMessage, onEmpty }: PathConstraint,
  facts: ConditionFacts,
  rules: DialectRules,
): Mismatch | undefined {
  const { changedPaths } = facts;
  if (!changedPaths) return undefined;
  // Asked for only here: a plan that does not depend on the message is the same at the next push.
  if (ignoreMessage !== '' && facts.message.toLowerCase().includes(ignoreMessage.toLowerCase())) return undefined;
  if (changedPaths.length === 0) return onEmpty ? undefined : { key: 'paths', pattern: 'a change', value: 'none' };
  const [first = ''] = changedPaths;
  const value = changedPaths.length === 1 ? first : `${first} (+${changedPaths.length - 1})`;
  const matchesAny = (path: string, patterns: readonly string[]): boolean =>
    patterns.some((pattern) => matchGlob(pattern, path, rules.glob));
  if (exclude.length > 0 && changedPaths.every((path) => matchesAny(path, exclude)))
    return { key: 'paths', pattern: `not ${exclude.join(', ')}`, value };
  if (include.length > 0 && !changedPaths.some((path) => matchesAny(path, include)))
    return { key: 'paths', pattern: include.join(', '), value };
  return undefined;
}

/** Those alternatives that ask for the end of a pull request by its name: nothing else is run by it (pipelines.md 7). */
export function namingClosing({ alternatives }: Conditions): Conditions {
  const names = (set: ConditionSet, key: ConditionKey, word: string): boolean =>
    set.constraints.get(key)?.include.includes(word) === true;
  return {
    alternatives: alternatives.filter(
      (set) => names(set, 'event', 'pull_request_closed') || names(set, 'action', 'closed'),
    ),
  };
}

/** When something runs, by the `status` of its conditions. */
export function runOnOf(conditions: Conditions, facts: ConditionFacts, rules: DialectRules): RunOn {
  const onlySuccess = { success: true, failure: false };
  if (conditions.alternatives.every(({ status }) => status === undefined)) return onlySuccess;
  if (rules.status === 'woodpecker') {
    const matching = conditions.alternatives.filter((set) => !findMismatchOfSet(set, facts, rules));
    const lists = (set: ConditionSet, word: string): boolean =>
      set.status !== undefined && hasStatus(set.status, word, rules);
    return {
      success: matching.some((set) => set.status === undefined || lists(set, 'success')),
      failure: matching.some((set) => lists(set, 'failure')),
    };
  }
  const status = conditions.alternatives[0]?.status;
  if (!status) return onlySuccess;
  const [success, failure] = [hasStatus(status, 'success', rules), hasStatus(status, 'failure', rules)];
  if (rules.dialect === 'gantry' && status.include.includes(cancelledStatus))
    return { success, failure, cancelled: true };
  // Drone 1.x: a word that is neither changes nothing.
  return { success: rules.status === 'drone1' ? !failure || success : success, failure };
}

/** Written out: no pattern means it, so that nothing runs after a cancel that does not ask for it. */
export const cancelledStatus = 'cancelled';

function hasStatus({ include, exclude }: Constraint, word: string, rules: DialectRules): boolean {
  const matches = (pattern: string): boolean => matchGlob(pattern, word, rules.glob);
  return !exclude.some(matches) && (include.length === 0 || include.some(matches));
}

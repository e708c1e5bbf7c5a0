import { type EventKind, eventKinds } from '../core/event.ts';
import type { RetryPlan } from '../core/plan.ts';
import type { DocumentReader } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** `retry` as the file has it. */
export interface WrittenRetry extends RetryPlan {
  /** Events at which it counts. */
  readonly events: readonly string[];
}

const defaultRuns = 2;
const maxRuns = 5;

/** What reaches a target is not repeated unless the file says so. */
const deployments: readonly EventKind[] = ['promote', 'rollback'];
const defaultEvents = eventKinds.filter((kind) => !deployments.includes(kind));

/**
 * `retry` of a document or step of `.gantry.yml`: `infra`, or a map of `infra` (how many runs at most) and `event`.
 * `undefined` = it never runs again by itself.
 */
export function readRetry(
  reader: DocumentReader,
  node: YamlNode | undefined,
  step: string | undefined,
): WrittenRetry | undefined {
  if (!node || isNull(node)) return undefined;
  const what = step === undefined ? '"retry" of a pipeline' : `"retry" of step "${step}"`;
  if (node.kind === 'scalar') {
    if (node.text === 'infra') return { infrastructure: defaultRuns, events: defaultEvents };
    reader.add('value.unknown', node, `${what} is "${node.text}", and takes infra: a failure of its own is a result`);
    return undefined;
  }
  const fields = reader.fields(node, what);
  for (const [name, { key }] of fields ?? [])
    if (name !== 'infra' && name !== 'event') reader.unknownKey(key, what, ['infra', 'event']);
  const runsNode = fields?.get('infra')?.value;
  const infrastructure = reader.integer(runsNode, `"infra" of ${what}`) ?? defaultRuns;
  if (runsNode && (infrastructure < 1 || infrastructure > maxRuns)) {
    reader.add('value.type', runsNode, `"infra" of ${what} must be a number of runs from 1 to ${maxRuns}`);
    return undefined;
  }
  const eventNode = fields?.get('event')?.value;
  const events = reader.texts(eventNode, `"event" of ${what}`).map(({ text, node: item }) => {
    if (!(eventKinds as readonly string[]).includes(text))
      reader.add('value.unknown', item, `"event" of ${what} has "${text}", and takes ${eventKinds.join(', ')}`);
    return text;
  });
  return { infrastructure, events: events.length === 0 ? defaultEvents : events };
}

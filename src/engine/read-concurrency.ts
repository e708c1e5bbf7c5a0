import type { ConcurrencyPlan } from '../core/plan.ts';
import type { DocumentReader } from './document-reader.ts';
import { isGoodName } from './read-step.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const maxLimit = 10_000;

/**
 * `concurrency` of a document: how many of its group may run at once. Drone 1.x counts by the document's name; a `group`
 * is known to `.gantry.yml` alone (pipelines.md 10.2, 13.1).
 */
export function readConcurrency(
  reader: DocumentReader,
  node: YamlNode | undefined,
  workflow: string,
): ConcurrencyPlan | undefined {
  const fields = reader.fields(node, '"concurrency"');
  const known = reader.rules.dialect === 'gantry' ? ['limit', 'group'] : ['limit'];
  for (const [name, { key }] of fields ?? []) if (!known.includes(name)) reader.unknownKey(key, '"concurrency"', known);
  const limitNode = fields?.get('limit')?.value;
  const limit = reader.integer(limitNode, '"concurrency.limit"') ?? 0;
  if (limitNode && (limit < 0 || limit > maxLimit))
    reader.add('value.type', limitNode, `"concurrency.limit" must be a number from 0 to ${maxLimit}`);
  const groupNode = reader.rules.dialect === 'gantry' ? fields?.get('group')?.value : undefined;
  const group = reader.text(groupNode, '"concurrency.group"') || workflow;
  if (groupNode && !isGoodName(group))
    reader.add('value.type', groupNode, '"concurrency.group" has 1 to 100 printable characters');
  return limit > 0 ? { limit, group } : undefined;
}

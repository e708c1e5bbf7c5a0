import type { SecretReference, VolumeMountPlan } from '../core/plan.ts';
import type { ReusePlan } from '../core/step-reuse.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { keysAt } from './gantry-keys.ts';
import { findGlobFault } from './glob.ts';
import { isWithin } from './read-volumes.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const reuseKeys = keysAt('reuse');
const maxInputs = 64;
const maxOutputs = 16;
const maxPathLength = 500;

/** What of the step decides whether its result can stand for it. */
export interface ReusedStep {
  readonly name: string;
  readonly background: 'service' | 'detached' | undefined;
  readonly secrets: readonly SecretReference[];
  readonly volumes: readonly VolumeMountPlan[];
}

/** Reads `reuse` of a step of `.gantry.yml`; `undefined` when there is none, or it cannot be had. */
export function readReuse(reader: DocumentReader, fields: Fields, step: ReusedStep): ReusePlan | undefined {
  const written = reader.rules.dialect === 'gantry' ? fields.get('reuse') : undefined;
  if (!written || isNull(written.value)) return undefined;
  const { key, value } = written;
  const where = `step "${step.name}"`;
  const given = reader.fields(value, `"reuse" of ${where}`);
  if (!given) return undefined;
  for (const [name, { key: unknown }] of given)
    if (!reuseKeys.has(name)) reader.unknownKey(unknown, '"reuse"', reuseKeys, hintFor(name));
  const obstacle = findObstacle(step);
  if (obstacle) reader.add('reuse.not-possible', key, `${where} cannot be reused: ${obstacle}`);
  const inputs = readInputs(reader, given, key, where);
  const outputs = readOutputs(reader, given, where);
  const usesNetwork = reader.boolean(given.get('network')?.value, `"network" of "reuse" of ${where}`) ?? false;
  return obstacle || inputs.length === 0 ? undefined : { inputs, outputs, usesNetwork };
}

function hintFor(name: string): string {
  if (name === 'input' || name === 'paths') return ': it is "inputs"';
  return name === 'output' ? ': it is "outputs"' : '';
}

function findObstacle({ background, secrets, volumes }: ReusedStep): string | undefined {
  if (background) return 'it runs beside the steps and leaves no result';
  if (secrets.length > 0)
    return `it is given the secret "${secrets[0]!.secret}", and what a secret led to is not kept for others`;
  if (volumes.length > 0) return `what it leaves in the volume "${volumes[0]!.name}" is not kept`;
  return undefined;
}

function readInputs(reader: DocumentReader, fields: Fields, key: YamlNode, where: string): readonly string[] {
  const what = `"inputs" of ${where}`;
  const at = fields.get('inputs')?.value;
  const items = reader.texts(at, what);
  if (items.length === 0) reader.add('reuse.inputs', at ?? key, `${where} needs ${what}: all that it reads`);
  const surplus = items[maxInputs];
  if (surplus) reader.add('reuse.inputs', surplus.node, `${what} may have ${maxInputs} items`);
  const inputs: string[] = [];
  for (const { text, node } of items.slice(0, maxInputs)) {
    const path = plainPath(text);
    const fault = findPathFault(text, path) ?? findGlobFault(path, 'woodpecker');
    if (fault === undefined) inputs.push(path);
    else reader.add('reuse.inputs', node, `${what} cannot have "${text}": ${fault}`);
  }
  return [...new Set(inputs)];
}

function readOutputs(reader: DocumentReader, fields: Fields, where: string): readonly string[] {
  const what = `"outputs" of ${where}`;
  const items = reader.texts(fields.get('outputs')?.value, what);
  const surplus = items[maxOutputs];
  if (surplus) reader.add('reuse.outputs', surplus.node, `${what} may have ${maxOutputs} items`);
  const outputs: string[] = [];
  for (const { text, node } of items.slice(0, maxOutputs)) {
    const path = plainPath(text);
    const fault = findPathFault(text, path) ?? findOutputFault(path, outputs);
    if (fault === undefined) outputs.push(path);
    else reader.add('reuse.outputs', node, `${what} cannot have "${text}": ${fault}`);
  }
  return outputs;
}

function findOutputFault(path: string, others: readonly string[]): string | undefined {
  if (/[*?[\]{}]/.test(path)) return 'it is the path of a file or folder, not a pattern';
  if (path === '.') return 'it would be the whole workspace';
  if (isWithin(path, '.git')) return 'it belongs to the checkout';
  if (others.some((other) => isWithin(other, path) || isWithin(path, other))) return 'another of them is there';
  return undefined;
}

function findPathFault(written: string, path: string): string | undefined {
  if (written.startsWith('/') || written.startsWith('~')) return 'it is a path below the top of the repository';
  if (written.startsWith('!')) return 'what is left out cannot be said: name what is read';
  if (path === '') return 'it is empty';
  if (path.split('/').includes('..')) return 'it has ".." in it';
  return path.length > maxPathLength || /[\p{Cc}]/u.test(path) ? 'it is no good path' : undefined;
}

function plainPath(text: string): string {
  const parts = text.trim().split('/');
  const kept = parts.filter((part) => part !== '' && part !== '.');
  return kept.length === 0 && text.trim() !== '' ? '.' : kept.join('/');
}

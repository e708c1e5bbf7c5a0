import type { IncludedPlace } from '../core/included-place.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import type { Conditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import type { Workspace } from './environment.ts';
import { droneKeysAt, keysAt } from './gantry-keys.ts';
import { unsupportedKeys } from './known-keys.ts';
import { setVariable } from './layered-variables.ts';
import { orderSteps } from './order-steps.ts';
import type { PipelineParameter } from './pipeline-parameters.ts';
import { readUses } from './read-artifacts.ts';
import { readCache, refuseCachesAtVolumes } from './read-cache.ts';
import { type CheckoutDraft, isCheckoutSetting, readCheckout } from './read-checkout.ts';
import { readConcurrency } from './read-concurrency.ts';
import { readConditions } from './read-conditions.ts';
import { readGantryMatrix } from './read-gantry-matrix.ts';
import type { Axes } from './read-matrix.ts';
import { readParameters } from './read-parameters.ts';
import { readRetry } from './read-retry.ts';
import { readNodeRouting } from './read-routing.ts';
import { isGoodName, isVariableName, readStep, readVariable, type StepSurroundings } from './read-step.ts';
import { readVolumes, refuseMountsInWorkspace } from './read-volumes.ts';
import { isClonePlugin } from './well-known-plugins.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { isGoodWorkspace, plainFolder, wholeWorkspace } from './workspace-folder.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** What is read from the raw text of a document, before substitution (pipelines.md 2). */
export interface WorkflowHeader {
  readonly name: string;
  readonly type: string;
  readonly line: number;
  /** Its place in an included file. */
  readonly within?: IncludedPlace | undefined;
  readonly trigger: Conditions;
  readonly dependsOn: readonly { readonly name: string; readonly node: YamlNode }[];
  /** Sets of axis values, a workflow each; none = there is no matrix. */
  readonly matrix: readonly Axes[];
  readonly parameters: readonly PipelineParameter[];
}

/** What steps of `type: exec` run in, which name no image. */
const execImage = 'base/debian';

export const defaultWorkspace: Workspace = { base: '/drone/src', path: '' };

/** Pipelines that the runtimes of a runner take; any other type is blocked while the others run. */
export function hasRunner(type: string): boolean {
  return type === 'docker' || type === 'kubernetes' || type === 'exec';
}

const maxSteps = 1_000;

const gantryWorkflowKeys = keysAt('pipeline');
const droneWorkflowKeys = droneKeysAt('pipeline');

/** Reads the raw part of a document, and refuses keys of it that nobody or only others know. */
export function readWorkflowHeader(reader: DocumentReader, root: YamlNode, fields: Fields): WorkflowHeader {
  const known = unsupportedKeys[reader.rules.dialect];
  const isGantry = reader.rules.dialect === 'gantry';
  const workflowKeys = isGantry ? gantryWorkflowKeys : droneWorkflowKeys;
  for (const [name, { key, value }] of fields) {
    if (workflowKeys.has(name)) continue;
    if (known.withoutEffect.workflow.has(name)) {
      reader.add('key.no-effect', key, `"${name}" has no effect`);
    } else if (known.workflow.has(name)) {
      if (isNull(value) || (value.kind === 'list' && value.items.length === 0)) continue;
      reader.add('key.unsupported', key, `Gantry does not support "${name}" of a pipeline`);
    } else {
      const tail =
        name === 'when' || name === 'on'
          ? ': it is "trigger"'
          : name === 'include'
            ? ': it stands in a document of its own, between lines of "---"'
            : '';
      reader.unknownKey(key, 'a pipeline', workflowKeys, tail);
    }
  }

  const nameNode = fields.get('name')?.value;
  const name = reader.text(nameNode, '"name" of a pipeline') ?? '';
  if (nameNode && name.includes('${')) {
    reader.add('substitution.name', nameNode, 'the name of a pipeline is read before "${…}" is replaced: write it out');
  } else if (nameNode && name !== '' && !isGoodName(name)) {
    reader.add('workflow.name-invalid', nameNode, 'a name has 1 to 100 printable characters');
  }
  for (const key of ['type', 'trigger', 'depends_on']) warnOfSubstitution(reader, fields.get(key)?.value, key);
  const typeNode = fields.get('type')?.value;
  const type = reader.text(typeNode, '"type" of a pipeline') || 'docker';
  if (typeNode && !hasRunner(type)) {
    reader.add('workflow.type', typeNode, `no runner takes pipelines of the type "${type}": this one will be blocked`);
  } else if (typeNode && type === 'exec') {
    reader.add(
      'workflow.exec',
      typeNode,
      `"type: exec" runs in a container of ${execImage}, and not in a shell of the machine`,
    );
  }
  return {
    name: name === '' ? 'default' : name,
    type,
    ...reader.lineOf(root),
    trigger: readConditions(reader, fields.get('trigger')?.value, 'trigger'),
    dependsOn: reader
      .texts(fields.get('depends_on')?.value, '"depends_on" of a pipeline')
      .map((item) => ({ name: item.text, node: item.node })),
    matrix: isGantry ? readGantryMatrix(reader, fields.get('matrix')) : [],
    parameters: isGantry ? readParameters(reader, fields.get('parameters')) : [],
  };
}

function warnOfSubstitution(reader: DocumentReader, node: YamlNode | undefined, key: string): void {
  if (!node) return;
  if (node.kind === 'scalar') {
    if (node.text.includes('${')) {
      reader.add('substitution.no-effect', node, `"${key}" is read before "\${…}" is replaced, so it stays as it is`);
    }
  } else {
    const children = node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value);
    for (const child of children) warnOfSubstitution(reader, child, key);
  }
}

/** Reads what runs, from the substituted text. */
export function readWorkflowBody(
  reader: DocumentReader,
  fields: Fields,
  header: WorkflowHeader,
): Omit<WorkflowDraft, 'dependsOn' | 'matrix'> {
  const nodes = reader.items(fields.get('steps')?.value, '"steps"');
  const stepsKey = fields.get('steps')?.key;
  if (nodes.length === 0) {
    const [first] = fields.values();
    const at = stepsKey ?? first?.key;
    if (at) reader.add('workflow.no-steps', at, `the pipeline "${header.name}" has no steps`);
  }
  if (nodes.length > maxSteps && stepsKey) {
    reader.add(
      'workflow.too-many',
      stepsKey,
      `a pipeline may have ${maxSteps} steps, and this one has ${nodes.length}`,
    );
  }
  const { volumes, names, hostFolders } = readVolumes(reader, fields.get('volumes')?.value);
  const workspace = readWorkspace(reader, fields.get('workspace')?.value);
  const folder = wholeWorkspace(workspace);
  const clone = readClone(reader, fields, header.line, folder);
  const checkoutStep = readCheckoutStep(reader, clone, nodes[0], folder);
  const cacheNode = reader.rules.dialect === 'gantry' ? fields.get('cache')?.value : undefined;
  const cache = readCache(reader, cacheNode, 'the pipeline', folder);
  const retryNode = reader.rules.dialect === 'gantry' ? fields.get('retry')?.value : undefined;
  const retry = readRetry(reader, retryNode, undefined);
  const uses = reader.rules.dialect === 'gantry' ? readUses(reader, fields.get('use')?.value) : [];
  const services = reader.items(fields.get('services')?.value, '"services"');
  const surroundings: StepSurroundings = {
    needsImage: hasRunner(header.type),
    ...(header.type === 'exec' ? { image: execImage, namesHostVariables: true } : {}),
    volumes: { names, hostFolders },
    workspace: folder,
    cache,
    retry,
  };
  const written = [...services, ...nodes]
    .slice(0, maxSteps)
    .flatMap((node, i) => readStep(reader, node, surroundings, i < services.length) ?? []);
  const drafts = written.map(({ draft }) => draft);
  refuseMountsInWorkspace(reader.report, drafts, folder);
  refuseCachesAtVolumes(reader.report, drafts);
  const ordered = orderSteps(reader, written, !clone.isDisabled, uses.length > 0);
  return {
    name: header.name,
    type: header.type,
    line: header.line,
    trigger: header.trigger,
    workspace,
    clone: checkoutStep ?? clone,
    environment: readEnvironment(reader, fields.get('environment')?.value, header.type === 'exec'),
    steps: checkoutStep ? withCheckout(ordered) : ordered,
    uses: uses.length === 0 ? undefined : uses,
    volumes,
    concurrency: readConcurrency(reader, fields.get('concurrency')?.value, header.name),
    retry,
    order: 'graph',
    routing: readNodeRouting(reader, fields),
    blocked: hasRunner(header.type) ? undefined : `no runner takes pipelines of the type "${header.type}"`,
    runsOn: undefined,
  };
}

const gantryCloneKeys = keysAt('clone');
const droneCloneKeys = droneKeysAt('clone');
/** Of requests that a checkout of Drone alone never makes. */
const networkKeys: ReadonlySet<string> = new Set(['retries', 'trace']);
const droneNetworkKeys: ReadonlySet<string> = new Set([...networkKeys, 'skip_verify']);

function readClone(reader: DocumentReader, fields: Fields, documentLine: number, workspace: string): CheckoutDraft {
  const entry = fields.get('clone');
  const clone = reader.fields(entry?.value, '"clone"');
  const isGantry = reader.rules.dialect === 'gantry';
  const known = isGantry ? gantryCloneKeys : droneCloneKeys;
  const withoutEffect = isGantry ? networkKeys : droneNetworkKeys;
  let isDisabled = false;
  for (const [name, { key, value }] of clone ?? []) {
    if (name === 'disable') isDisabled = reader.boolean(value, '"clone.disable"') ?? false;
    else if (withoutEffect.has(name))
      reader.add('key.no-effect', key, `"clone.${name}" has no effect: the checkout uses no network`);
    else if (!known.has(name)) reader.unknownKey(key, '"clone"', known);
  }
  const settings = new Map([...(clone ?? [])].filter(([name]) => known.has(name) && !withoutEffect.has(name)));
  const line = entry ? reader.positionOf(entry.key).line : documentLine;
  return isDisabled ? { isDisabled, depth: 0, line } : readCheckout(reader, settings, { isDisabled, line }, workspace);
}

/**
 * Where the checkout is switched off, a first step of a well-known plugin makes it: natively, by its settings, and under
 * the name that it has (pipelines.md 8a).
 */
function readCheckoutStep(
  reader: DocumentReader,
  clone: CheckoutDraft,
  first: YamlNode | undefined,
  workspace: string,
): CheckoutDraft | undefined {
  if (!clone.isDisabled || first?.kind !== 'map') return undefined;
  const get = (key: string): YamlEntry | undefined => first.entries.find((entry) => isKey(entry, key));
  const image = get('image')?.value;
  if (image?.kind !== 'scalar' || !isClonePlugin(image.text)) return undefined;
  if (['commands', 'entrypoint', 'command', 'detach', 'depends_on'].some((key) => get(key))) return undefined;
  const settings = reader.fields(get('settings')?.value, '"settings" of the checkout');
  for (const [name, { key, value }] of settings ?? [])
    if (!isCheckoutSetting(name) && !asksForNothing(value))
      reader.add('key.unsupported', key, `Gantry does not support "${name}" of the checkout`);
  return readCheckout(
    reader,
    settings ?? new Map(),
    { isDisabled: true, line: reader.positionOf(first).line },
    workspace,
  );
}

function isKey({ key }: YamlEntry, name: string): boolean {
  return key.kind === 'scalar' && key.text === name;
}

/** The first of the steps, once they are in their order. */
function withCheckout(steps: readonly StepDraft[]): readonly StepDraft[] {
  const first = steps.find(({ background }) => background === undefined);
  return steps.map((step) => (step === first ? { ...step, isCheckout: true } : step));
}

function readWorkspace(reader: DocumentReader, node: YamlNode | undefined): Workspace {
  const fields = reader.fields(node, '"workspace"');
  if (!node || !fields) return defaultWorkspace;
  for (const [name, { key }] of fields) {
    if (name !== 'base' && name !== 'path') reader.unknownKey(key, '"workspace"', ['base', 'path']);
  }
  const given = {
    base: reader.text(fields.get('base')?.value, '"workspace.base"') ?? '',
    path: reader.text(fields.get('path')?.value, '"workspace.path"') ?? '',
  };
  // A path that begins with "/" is the whole folder.
  const isAbsolute = given.path.startsWith('/');
  const base = plainFolder(isAbsolute ? given.path : given.base || defaultWorkspace.base);
  const path = isAbsolute ? '' : plainFolder(given.path).replace(/^\//, '');
  const whole = plainFolder(`${base}/${path}`);
  if (!isGoodWorkspace(base) || !isGoodWorkspace(whole)) {
    reader.add(
      'workflow.workspace-reserved',
      node,
      `the workspace may not be "${whole}": "${defaultWorkspace.base}" is used`,
    );
    return defaultWorkspace;
  }
  return { base, path };
}

function readEnvironment(
  reader: DocumentReader,
  node: YamlNode | undefined,
  namesHostVariables: boolean,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, { key, value }] of reader.fields(node, '"environment" of a pipeline') ?? []) {
    if (!isVariableName(name)) {
      reader.add('environment.name', key, 'a variable of the pipeline has no usable name');
    } else if (value.kind === 'map') {
      reader.add(
        'value.type',
        value,
        `the variable "${name}" of a pipeline must be a text: secrets are given to steps`,
      );
    } else {
      const text = readVariable(reader, { key, value }, name, namesHostVariables);
      if (text !== undefined) setVariable(values, name, text);
    }
  }
  return values;
}

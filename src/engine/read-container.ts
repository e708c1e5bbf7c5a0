import type { SecretReference } from '../core/plan.ts';
import { type DocumentReader, type Fields, nounOf } from './document-reader.ts';
import { encodeSetting } from './encode-setting.ts';
import { readHostName } from './host-name.ts';
import { setVariable } from './layered-variables.ts';
import { readArguments } from './read-arguments.ts';
import { readCommands } from './read-commands.ts';
import { readConditions } from './read-conditions.ts';
import type { ContainerEntry } from './read-containers-file.ts';
import { readHostRights } from './read-host-rights.ts';
import { readLimits } from './read-limits.ts';
import { readPorts } from './read-ports.ts';
import { type Given, nothingGiven, readEncoded } from './read-settings.ts';
import { isGoodName, isVariableName } from './read-step.ts';
import { readContainerVolumes } from './read-volumes.ts';
import type { StepDraft } from './workflow-draft.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** A step as far as Drone 0.8 and Woodpecker agree on it, and its fields for what they do not. */
export interface ContainerStep {
  readonly fields: Fields;
  readonly draft: StepDraft;
}

/** Reads what steps of Drone 0.8 and Woodpecker have in common (pipelines.md 9.2, 11.3). */
export function readContainerStep(
  reader: DocumentReader,
  entry: ContainerEntry,
  isService: boolean,
): ContainerStep | undefined {
  const fields = reader.fields(entry.value, `the step "${entry.name}"`);
  if (!fields) {
    if (isNull(entry.value))
      reader.add('value.type', entry.key, `the step "${entry.name}" must be a map, and is empty`);
    return undefined;
  }
  const get = (key: string): YamlNode | undefined => fields.get(key)?.value;
  const name = readField(reader, get('name'), '"name" of a step') || entry.name;
  if (!isGoodName(name)) reader.add('step.name-invalid', entry.key, 'a name has 1 to 100 printable characters');
  const imageNode = get('image');
  const image = readField(reader, imageNode, `"image" of step "${name}"`)?.trim() ?? '';
  // One mistake, one finding: what has the wrong type is not missing as well.
  if (image === '' && (!imageNode || imageNode.kind === 'scalar'))
    reader.add('step.image-missing', entry.key, `step "${name}" needs an image`);

  const commands = readCommands(reader, get('commands'), name);
  const entrypoint = readArguments(reader, get('entrypoint'), `"entrypoint" of step "${name}"`);
  const environment = readContainerEnvironment(reader, get('environment'), name);
  const isDetached = reader.boolean(get('detach'), `"detach" of step "${name}"`) ?? false;
  const background = isService ? 'service' : isDetached ? 'detached' : undefined;
  const isAlwaysPulled = reader.boolean(get('pull'), `"pull" of step "${name}"`) ?? false;
  const { mounts, hostVolumes } = readContainerVolumes(reader, get('volumes'), name);
  const host = readHostRights(reader, fields, name, hostVolumes, new Map());
  const draft: StepDraft = {
    name,
    kind: commands.length > 0 ? 'commands' : 'image',
    image,
    pull: isAlwaysPulled ? 'always' : 'default',
    commands,
    entrypoint,
    command: undefined,
    environment: environment.values,
    settings: {},
    settingNodes: [],
    secrets: [...environment.secrets, ...readSecretList(reader, get('secrets'), name)],
    when: readConditions(reader, get('when'), 'when'),
    onFailure: 'fail',
    background,
    hostName: background && readHostName(reader, entry.key, name),
    ports: background ? readPorts(reader, get('ports'), name) : [],
    volumes: mounts,
    host: host.plan,
    hostRequests: host.requests,
    timeoutMs: undefined,
    limits: readLimits(reader, fields, name),
    user: undefined,
    workingDirectory: undefined,
    dependsOn: [],
    needs: undefined,
    group: readField(reader, get('group'), `"group" of step "${name}"`) ?? '',
    line: reader.positionOf(entry.key).line,
  };
  return { fields, draft };
}

/**
 * The text of a step's own field. Drone 0.8 reads a step twice, and the second time sees what YAML 1.1 made of a plain
 * scalar: `1.10` is `1.1`, and `y` is `true` (pipelines.md 4).
 */
function readField(reader: DocumentReader, node: YamlNode | undefined, what: string): string | undefined {
  if (reader.rules.dialect !== 'drone08' || node?.kind !== 'scalar' || !node.isPlain) return reader.text(node, what);
  const encoded = encodeSetting(node, reader.rules);
  return encoded.kind === 'value' && reader.text(node, what) !== undefined ? encoded.text : undefined;
}

/** `environment`: a map, or a list of `NAME=value`. Values are texts in Drone 0.8 and settings in Woodpecker. */
function readContainerEnvironment(reader: DocumentReader, node: YamlNode | undefined, step: string): Given {
  const given = nothingGiven();
  if (!node || isNull(node)) return given;
  if (node.kind === 'list') {
    for (const item of node.items) {
      const text = isNull(item) ? '' : (reader.text(item, `each variable of step "${step}"`) ?? '');
      const at = text.indexOf('=');
      const name = at < 0 ? text : text.slice(0, at);
      if (isVariableName(name)) setVariable(given.values, name, at < 0 ? '' : text.slice(at + 1));
      else if (item.kind === 'scalar')
        reader.add('environment.name', item, `a variable of step "${step}" has no usable name`);
    }
    return given;
  }
  for (const [name, { key, value }] of reader.fields(node, `"environment" of step "${step}"`) ?? []) {
    if (!isVariableName(name)) reader.add('environment.name', key, `a variable of step "${step}" has no usable name`);
    else if (reader.rules.dialect === 'woodpecker') readEncoded(reader, given, name, value, `the variable "${name}"`);
    else if (!isNull(value)) {
      const text = reader.text(value, `the variable "${name}"`);
      if (text !== undefined) setVariable(given.values, name, text);
    }
  }
  return given;
}

/**
 * `secrets`: names, or maps of `source` and `target`. The variable is the target in upper case; Woodpecker sets it as
 * written too.
 */
function readSecretList(reader: DocumentReader, node: YamlNode | undefined, step: string): SecretReference[] {
  const { requiresSecrets: isRequired, dialect } = reader.rules;
  if (!node) return [];
  return reader.items(node, `"secrets" of step "${step}"`).flatMap((item) => {
    const found = item.kind === 'map' ? readSourceAndTarget(reader, item, step) : nameOf(reader, item, step);
    if (!found) return [];
    const { source, target } = found;
    const variables = dialect === 'woodpecker' ? new Set([target, target.toUpperCase()]) : [target.toUpperCase()];
    return [...variables].map((variable) => ({ variable, secret: source.toLowerCase(), isRequired }));
  });
}

interface SourceAndTarget {
  readonly source: string;
  readonly target: string;
}

function nameOf(reader: DocumentReader, node: YamlNode, step: string): SourceAndTarget | undefined {
  const name = reader.text(node, `each of "secrets" of step "${step}"`)?.trim() ?? '';
  if (isVariableName(name)) return { source: name, target: name };
  if (node.kind === 'scalar') reader.add('secret.name', node, `${nounOf(node)} names no secret`);
  return undefined;
}

function readSourceAndTarget(reader: DocumentReader, node: YamlNode, step: string): SourceAndTarget | undefined {
  const fields = reader.fields(node, `each of "secrets" of step "${step}"`);
  for (const [name, { key }] of fields ?? [])
    if (name !== 'source' && name !== 'target') reader.add('key.unknown', key, `a secret has no key "${name}"`);
  const source = reader.text(fields?.get('source')?.value, '"source" of a secret')?.trim() ?? '';
  const target = reader.text(fields?.get('target')?.value, '"target" of a secret')?.trim() || source;
  if (source !== '' && isVariableName(target)) return { source, target };
  reader.add('secret.name', node, `a secret of step "${step}" needs a "source"`);
  return undefined;
}

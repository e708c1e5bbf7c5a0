import type { OnFailure, PullPolicy, SecretReference } from '../core/plan.ts';
import { parseDurationMs } from '../lib/duration.ts';
import { type Conditions, cancelledStatus } from './conditions.ts';
import { type DocumentReader, type Fields, nounOf } from './document-reader.ts';
import { expandHostVariables } from './expand-host-variables.ts';
import { droneKeysAt, keysAt } from './gantry-keys.ts';
import { readHostName } from './host-name.ts';
import { unsupportedKeys } from './known-keys.ts';
import { setVariable } from './layered-variables.ts';
import { readArguments } from './read-arguments.ts';
import { readArtifacts } from './read-artifacts.ts';
import { readBuild } from './read-build.ts';
import { readCache, type WrittenCache } from './read-cache.ts';
import { readCommands } from './read-commands.ts';
import { readConditions } from './read-conditions.ts';
import { readHostRights } from './read-host-rights.ts';
import { readLimits } from './read-limits.ts';
import { readPorts } from './read-ports.ts';
import { readRetry, type WrittenRetry } from './read-retry.ts';
import { readReuse } from './read-reuse.ts';
import { type Given, readSettings } from './read-settings.ts';
import { type ReadVolumes, readVolumeMounts } from './read-volumes.ts';
import type { StepDraft } from './workflow-draft.ts';
import { booleanOf, isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** A step as its document has it. */
export interface WrittenStep {
  readonly node: YamlNode;
  /** All but what it waits for. */
  readonly draft: StepDraft;
  readonly dependsOn: readonly { readonly name: string; readonly node: YamlNode }[];
}

/** Longest name of a step or workflow (pipelines.md 10.3). */
const maxNameLength = 100;

const maxTimeoutMs = 7 * 24 * 3_600_000;

const gantryStepKeys = keysAt('step');
const droneStepKeys = droneKeysAt('step');

/** What an item of `steps` or `services` is read as. */
export interface StepSurroundings {
  /** False for pipelines that no runner of ours takes. */
  readonly needsImage: boolean;
  /** Of steps that name none. */
  readonly image?: string;
  /** Values of variables may name those of the machine (`type: exec`). */
  readonly namesHostVariables?: boolean;
  /** The pipeline's volumes. */
  readonly volumes: Pick<ReadVolumes, 'names' | 'hostFolders'>;
  /** Mount point of the workspace. */
  readonly workspace: string;
  /** For steps that do not say. */
  readonly cache: WrittenCache | undefined;
  readonly retry: WrittenRetry | undefined;
}

/** Reads one item of `steps` or `services`. */
export function readStep(
  reader: DocumentReader,
  node: YamlNode,
  { needsImage, image: ownImage = '', namesHostVariables = false, volumes, workspace, cache, retry }: StepSurroundings,
  isService: boolean,
): WrittenStep | undefined {
  const fields = reader.fields(node, 'a step');
  if (!fields) {
    if (isNull(node)) reader.add('value.type', node, 'a step must be a map, and is empty');
    return undefined;
  }
  refuseKeys(reader, fields);
  const get = (key: string): YamlNode | undefined => fields.get(key)?.value;

  const name = reader.text(get('name'), '"name" of a step') ?? '';
  // One mistake, one finding: what has the wrong type is not missing as well.
  if (name === '' && isTextOrAbsent(get('name'))) reader.add('step.name-missing', node, 'a step needs a name');
  else if (name !== '' && !isGoodName(name)) {
    reader.add('step.name-invalid', get('name') ?? node, `a name has 1 to ${maxNameLength} printable characters`);
  }
  const image = reader.text(get('image'), `"image" of step "${name}"`)?.trim() || ownImage;
  const hasBuild = reader.rules.dialect === 'gantry' && fields.has('build');
  if (image === '' && needsImage && !hasBuild && isTextOrAbsent(get('image')))
    reader.add('step.image-missing', node, `step "${name}" needs an image`);

  const commands = readCommands(reader, get('commands'), name);
  const entrypoint = readArguments(reader, get('entrypoint'), `"entrypoint" of step "${name}"`);
  const command = readArguments(reader, get('command'), `"command" of step "${name}"`);
  if (commands.length > 0) {
    for (const key of ['entrypoint', 'command']) {
      const given = fields.get(key);
      if (given && !isNull(given.value)) {
        reader.add('step.commands-and-entrypoint', given.key, `"${key}" has no effect beside "commands"`);
      }
    }
  }

  const { environment, secrets } = readStepEnvironment(reader, get('environment'), name, namesHostVariables);
  const settings = hasBuild ? readBuildOf(reader, fields, name) : readSettings(reader, get('settings'), name);
  const when = readConditions(reader, get('when'), 'when');
  const background = readBackground(reader, fields, name, isService);
  refuseAfterCancel(reader, fields, name, background, when);
  const { mounts, hostVolumes } = readVolumeMounts(reader, get('volumes'), name, volumes);
  const host = readHostRights(reader, fields, name, hostVolumes, volumes.hostFolders);
  const volumeMounts = [...mounts, ...hostVolumes.map(({ source, target }) => ({ name: source, target }))];
  const allSecrets = [...secrets, ...settings.secrets];
  const { line, within } = reader.positionOf(node);
  const draft: StepDraft = {
    name,
    kind: commands.length > 0 ? 'commands' : 'image',
    image,
    pull: readPull(reader, get('pull'), name),
    commands,
    entrypoint: commands.length > 0 ? undefined : entrypoint,
    command: commands.length > 0 ? undefined : command,
    environment,
    settings: settings.values,
    settingNodes: settings.nodes,
    hasBuild,
    secrets: allSecrets,
    when,
    onFailure: readFailure(reader, get('failure'), name),
    retry: reader.rules.dialect === 'gantry' && fields.has('retry') ? readRetry(reader, get('retry'), name) : retry,
    background,
    hostName: background && readHostName(reader, get('name') ?? node, name),
    ports: readPorts(reader, get('ports'), name),
    volumes: mounts,
    host: host.plan,
    hostRequests: host.requests,
    artifacts: readStepArtifacts(reader, fields, name, background !== undefined),
    cache: readStepCache(reader, fields, name, { isBackground: background !== undefined, workspace, cache }),
    reuse: readReuse(reader, fields, { name, background, secrets: allSecrets, volumes: volumeMounts }),
    timeoutMs: readTimeout(reader, fields, name),
    limits: readLimits(reader, fields, name),
    user: reader.text(get('user'), `"user" of step "${name}"`),
    workingDirectory: reader.text(get('working_dir'), `"working_dir" of step "${name}"`),
    dependsOn: [],
    needs: undefined,
    group: '',
    line,
    within,
  };
  const names = reader.texts(get('depends_on'), `"depends_on" of step "${name}"`);
  return { node, draft, dependsOn: names.map((item) => ({ name: item.text, node: item.node })) };
}

/** What a builder does needs no image, and runs nothing of the step's own. */
function readBuildOf(reader: DocumentReader, fields: Fields, name: string): Given {
  for (const key of [
    'image',
    'commands',
    'entrypoint',
    'command',
    'settings',
    'detach',
    'user',
    'working_dir',
    'cache',
    'reuse',
    'artifacts',
  ]) {
    const given = fields.get(key);
    if (given && !isNull(given.value))
      reader.add('build.beside', given.key, `step "${name}" has "build", so it cannot have "${key}"`);
  }
  return readBuild(reader, fields.get('build')?.value, name);
}

/** What runs beside the steps is ended whenever they are: nothing of it is whole. */
function readStepArtifacts(
  reader: DocumentReader,
  fields: Fields,
  name: string,
  isBackground: boolean,
): StepDraft['artifacts'] {
  const entry = reader.rules.dialect === 'gantry' ? fields.get('artifacts') : undefined;
  if (!entry) return undefined;
  const artifacts = readArtifacts(reader, entry.value, name);
  if (!isBackground) return artifacts.length === 0 ? undefined : artifacts;
  reader.add('key.no-effect', entry.key, `"artifacts" of "${name}" has no effect: it runs beside the steps`);
  return undefined;
}

/** What runs beside the steps has no end at which its cache could be saved. */
function readStepCache(
  reader: DocumentReader,
  fields: Fields,
  name: string,
  surroundings: Pick<StepSurroundings, 'workspace' | 'cache'> & { readonly isBackground: boolean },
): WrittenCache | undefined {
  const { isBackground, workspace, cache } = surroundings;
  const own = reader.rules.dialect === 'gantry' ? fields.get('cache') : undefined;
  if (isBackground) {
    if (own && !isNull(own.value))
      reader.add(
        'key.no-effect',
        own.key,
        `"cache" of "${name}" has no effect: it runs beside the steps and never passes`,
      );
    return undefined;
  }
  return own ? readCache(reader, own.value, `step "${name}"`, workspace) : cache;
}

/** Whether it runs beside the steps. `ports` count only there: nothing waits for a step to listen. */
function readBackground(
  reader: DocumentReader,
  fields: Fields,
  name: string,
  isService: boolean,
): StepDraft['background'] {
  const isDetached = reader.boolean(fields.get('detach')?.value, `"detach" of step "${name}"`) ?? false;
  if (isService) return 'service';
  const ports = fields.get('ports');
  if (ports && !isDetached)
    reader.add(
      'key.no-effect',
      ports.key,
      `"ports" of step "${name}" has no effect: nothing waits for a step to listen`,
    );
  return isDetached ? 'detached' : undefined;
}

function isTextOrAbsent(node: YamlNode | undefined): boolean {
  return node === undefined || node.kind === 'scalar';
}

/** Whether a name fits in a list, an address and a log: printable, and neither empty nor endless. */
export function isGoodName(name: string): boolean {
  return name.length > 0 && name.length <= maxNameLength && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name);
}

function refuseKeys(reader: DocumentReader, fields: Fields): void {
  const known = unsupportedKeys[reader.rules.dialect];
  const stepKeys = reader.rules.dialect === 'gantry' ? gantryStepKeys : droneStepKeys;
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name) || known.limits.has(name)) continue;
    if (known.withoutEffect.step.has(name)) {
      reader.add('key.no-effect', key, `"${name}" has no effect, as in Drone`);
    } else if (known.step.has(name)) {
      // `privileged: false` asks for what we do anyway.
      if (value.kind === 'scalar' && booleanOf(value, reader.rules.scalars.booleans) === false) continue;
      reader.add('key.unsupported', key, `Gantry does not support "${name}" of a step`);
    } else {
      reader.unknownKey(key, 'a step', stepKeys, hintFor(name));
    }
  }
}

function hintFor(name: string): string {
  if (name === 'secrets') return ': write "environment: {NAME: {from_secret: name}}"';
  if (name === 'env') return ': it is "environment"';
  if (name === 'script' || name === 'run') return ': it is "commands"';
  if (name === 'group') return ': write "depends_on"';
  return '';
}

function readStepEnvironment(
  reader: DocumentReader,
  node: YamlNode | undefined,
  step: string,
  namesHostVariables: boolean,
): { environment: Record<string, string>; secrets: SecretReference[] } {
  const environment: Record<string, string> = {};
  const secrets: SecretReference[] = [];
  const fields = node && reader.fields(node, `"environment" of step "${step}"`);
  for (const [name, { key, value }] of fields ?? []) {
    if (!isVariableName(name)) {
      reader.add('environment.name', key, `a variable of step "${step}" has no usable name`);
      continue;
    }
    if (value.kind === 'map') {
      const secret = readSecretName(reader, value, name);
      if (secret !== undefined) {
        secrets.push({ variable: name, secret, isRequired: reader.rules.requiresSecrets });
      }
      continue;
    }
    const text = readVariable(reader, { key, value }, name, namesHostVariables);
    if (text !== undefined) setVariable(environment, name, text);
  }
  return { environment, secrets };
}

/** Reads a variable's text; `undefined` when it stays unset. */
export function readVariable(
  reader: DocumentReader,
  { key, value }: YamlEntry,
  name: string,
  namesHostVariables: boolean,
): string | undefined {
  const written = isNull(value) ? '' : reader.text(value, `the variable "${name}"`);
  if (written === undefined) return undefined;
  const text = namesHostVariables
    ? expandHostVariables(written, (unknown) =>
        reader.add(
          'substitution.unknown-name',
          value,
          `"$${unknown}" in the variable "${name}" is meant to be one of the machine, and becomes empty: steps of "type: exec" run in a container, which has HOME and PATH`,
        ),
      )
    : written;
  if (text === '' && reader.rules.dropsEmptyEnvironment) {
    reader.add('environment.empty-dropped', key, `"${name}" is empty, so Drone leaves it unset`);
    return undefined;
  }
  return text;
}

export function isVariableName(name: string): boolean {
  return name !== '' && !name.includes('=') && !name.includes('\0');
}

function readSecretName(reader: DocumentReader, value: YamlNode, variable: string): string | undefined {
  const fields = reader.fields(value, `the variable "${variable}"`);
  const from = fields?.get('from_secret');
  if (!fields || !from) {
    reader.add(
      'environment.map-dropped',
      value,
      `the variable "${variable}" is a map without "from_secret"${reader.rules.dialect === 'drone1' ? ', so Drone leaves it unset' : ''}`,
    );
    return undefined;
  }
  for (const [name, { key }] of fields) {
    if (name !== 'from_secret') reader.add('key.unknown', key, `a variable has no key "${name}" beside "from_secret"`);
  }
  const secret = reader.text(from.value, `"from_secret" of "${variable}"`)?.trim();
  if (secret === undefined || secret === '') {
    reader.add('secret.name', from.value, `"from_secret" of "${variable}" names no secret`);
    return undefined;
  }
  return secret.toLowerCase();
}

function readPull(reader: DocumentReader, node: YamlNode | undefined, step: string): PullPolicy {
  const word = reader.text(node, `"pull" of step "${step}"`);
  switch (word) {
    case undefined:
    case '':
    case 'default':
      return 'default';
    case 'always':
    case 'never':
      return word;
    case 'if-not-exists':
    case 'if-not-present':
      return 'if-not-present';
    default: {
      const message = `"pull" of step "${step}" is "${word}", and takes always, if-not-exists, never or default`;
      const isDrone = reader.rules.dialect === 'drone1';
      if (node) reader.add(isDrone ? 'value.unknown-default' : 'value.unknown', node, message);
      return 'default';
    }
  }
}

function readFailure(reader: DocumentReader, node: YamlNode | undefined, step: string): OnFailure {
  const word = reader.text(node, `"failure" of step "${step}"`);
  switch (word) {
    case undefined:
    case '':
    case 'always':
      return 'fail';
    case 'ignore':
      return 'ignore';
    case 'fast':
    case 'fast-fail':
    case 'fail-fast':
      return 'cancel-workflow';
    default:
      if (node)
        reader.add('value.unknown', node, `"failure" of step "${step}" is "${word}", and takes ignore, fast or always`);
      return 'fail';
  }
}

/** What runs beside the steps is ended with them: there is nobody left for it to serve. */
function refuseAfterCancel(
  reader: DocumentReader,
  fields: Fields,
  name: string,
  background: StepDraft['background'],
  { alternatives }: Conditions,
): void {
  const at = fields.get('when')?.value;
  if (!at || !background || reader.rules.dialect !== 'gantry') return;
  if (alternatives.some(({ status }) => status?.include.includes(cancelledStatus)))
    reader.add(
      'key.unsupported',
      at,
      `Gantry does not support "when.status: ${cancelledStatus}" of "${name}": it runs beside the steps, and is ended with them`,
    );
}

function readTimeout(reader: DocumentReader, fields: Fields, step: string): number | undefined {
  const node = reader.rules.dialect === 'gantry' ? fields.get('timeout')?.value : undefined;
  const text = reader.text(node, `"timeout" of step "${step}"`);
  if (!node || text === undefined) return undefined;
  const timeoutMs = parseDurationMs(text);
  if (timeoutMs === undefined || timeoutMs <= 0 || timeoutMs > maxTimeoutMs) {
    reader.add(
      'step.timeout',
      node,
      `${nounOf(node)} is no timeout: write a duration such as 90s or 1h30m, at most 7d`,
    );
    return undefined;
  }
  return timeoutMs;
}

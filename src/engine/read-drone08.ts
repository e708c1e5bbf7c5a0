import { noConditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { type EnvironmentFacts, platformOf, substitutionVariables } from './environment.ts';
import type { FileContext } from './file-context.ts';
import { readCloneContainers } from './read-clone.ts';
import { readConditions } from './read-conditions.ts';
import { readContainerEnvironment, readSecretList, readTexts } from './read-container.ts';
import { containerEntries, type JobDocument, readJobs, readJobWorkspace } from './read-containers-file.ts';
import { type Given, readEncoded, settingVariable } from './read-settings.ts';
import { isGoodName } from './read-step.ts';
import { refuseBuilder } from './refuse-builder.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { booleanOf, isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

const topKeys = new Set(['pipeline', 'clone', 'workspace', 'branches', 'matrix', 'platform', 'labels']);
const unsupportedTopKeys = new Set(['services', 'networks', 'volumes', 'cache', 'secrets']);

const stepKeys = new Set([
  ...['name', 'image', 'commands', 'command', 'entrypoint', 'environment', 'secrets', 'pull', 'group', 'when'],
]);

/** Known, and asked for by a file that must not run without it (pipelines.md 9.2). */
const unsupportedStepKeys = new Set([
  ...['detach', 'privileged', 'volumes', 'auth_config', 'cap_add', 'cap_drop', 'devices', 'tmpfs', 'extra_hosts'],
  ...['dns', 'dns_search', 'cpu_quota', 'cpu_shares', 'cpuset', 'isolation', 'network_mode', 'ipc_mode', 'mem_limit'],
  ...['memswap_limit', 'mem_swappiness', 'shm_size', 'labels', 'sysctls', 'networks', 'ulimits'],
]);

/** Reads a file of Drone 0.8 (pipelines.md 9): `pipeline:` is a map of containers, and keys of a step are its settings. */
export function readDrone08(file: FileContext, facts: EnvironmentFacts): readonly WorkflowDraft[] {
  const jobs = readJobs(file, (axes) => substitutionVariables(facts, 'drone08', identityOf(axes, 1)));
  return jobs.map((job) => readJob(job, facts));
}

function identityOf(matrix: Readonly<Record<string, string>>, number: number) {
  return { name: 'default', type: 'docker', number, dependsOn: [], matrix };
}

function readJob({ axes, reader, fields, root }: JobDocument, facts: EnvironmentFacts): WorkflowDraft {
  for (const [name, { key, value }] of fields) {
    if (topKeys.has(name)) continue;
    if (!unsupportedTopKeys.has(name)) reader.add('key.unknown', key, `a pipeline of Drone 0.8 has no key "${name}"`);
    else if (!isEmpty(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of a pipeline`);
  }
  const { line } = reader.positionOf(root);
  const entries = containerEntries(reader, fields.get('pipeline')?.value, '"pipeline"');
  const pipelineKey = fields.get('pipeline')?.key ?? root;
  if (fields.get('pipeline')?.value.kind === 'list')
    reader.add('value.type', pipelineKey, '"pipeline" must be a map of steps, and is a list');
  if (entries.length === 0) reader.add('workflow.no-steps', pipelineKey, 'the pipeline has no steps');
  return {
    name: 'default',
    type: 'docker',
    line,
    trigger: readBranches(reader, fields.get('branches'), facts),
    dependsOn: [],
    workspace: readJobWorkspace(reader, fields.get('workspace'), '/drone', facts),
    clone: readCloneContainers(reader, fields.get('clone'), false, line),
    environment: {},
    steps: uniquelyNamed(entries.flatMap((entry) => readStep(reader, entry) ?? [])),
    order: 'stages',
    matrix: axes,
    blocked: readRouting(reader, fields, platformOf(facts)),
    runOn: undefined,
  };
}

/** Judged when the event arrives, and for every event but tags and deployments (pipelines.md 9.3). */
function readBranches(
  reader: DocumentReader,
  entry: YamlEntry | undefined,
  { event }: EnvironmentFacts,
): WorkflowDraft['trigger'] {
  if (!entry || isNull(entry.value)) return noConditions;
  const branch: YamlEntry = {
    key: { kind: 'scalar', text: 'branch', isPlain: true, tag: undefined, offset: entry.key.offset },
    value: entry.value,
  };
  const conditions = readConditions(
    reader,
    { kind: 'map', entries: [branch], tag: undefined, offset: entry.key.offset },
    'when',
    false,
  );
  return event.kind === 'tag' || event.kind === 'promote' || event.kind === 'rollback' ? noConditions : conditions;
}

/** A sentence when labels or platform ask for a runner that is not there. */
export function readRouting(reader: DocumentReader, fields: Fields, ours: string): string | undefined {
  const platform = reader.text(fields.get('platform')?.value, '"platform"') ?? '';
  const wanted: string[] = platform === '' || platform === ours ? [] : [`the platform ${platform}`];
  const labels = fields.get('labels')?.value;
  if (labels?.kind === 'list')
    wanted.push(...readTexts(reader, labels, '"labels"').map((label) => `the label ${label}`));
  else
    for (const [name, { value }] of reader.fields(labels, '"labels"') ?? []) {
      const label = isNull(value) ? '' : (reader.text(value, `the label "${name}"`) ?? '');
      if (label === '' || (name === 'platform' && label === ours)) continue;
      wanted.push(name === 'platform' ? `the platform ${label}` : `the label ${name}=${label}`);
    }
  return wanted.length === 0 ? undefined : `no runner has ${wanted.join(' and ')}`;
}

function readStep(reader: DocumentReader, entry: YamlEntry & { readonly name: string }): StepDraft | undefined {
  const fields = reader.fields(entry.value, `the step "${entry.name}"`);
  if (!fields) {
    if (isNull(entry.value))
      reader.add('value.type', entry.key, `the step "${entry.name}" must be a map, and is empty`);
    return undefined;
  }
  const get = (key: string): YamlNode | undefined => fields.get(key)?.value;
  const name = reader.text(get('name'), '"name" of a step') || entry.name;
  if (!isGoodName(name)) reader.add('step.name-invalid', entry.key, 'a name has 1 to 100 printable characters');
  const image = reader.text(get('image'), `"image" of step "${name}"`)?.trim() ?? '';
  if (image === '') reader.add('step.image-missing', entry.key, `step "${name}" needs an image`);

  const commands = readTexts(reader, get('commands'), `"commands" of step "${name}"`);
  const settings = readInlineSettings(reader, fields, name, commands.length > 0);
  refuseBuilder(reader, entry.key, name, image, commands);
  const environment = readContainerEnvironment(reader, get('environment'), name);
  const isAlways = reader.boolean(get('pull'), `"pull" of step "${name}"`) ?? false;
  return {
    name,
    kind: commands.length > 0 ? 'commands' : 'image',
    image,
    pull: isAlways ? 'always' : 'default',
    commands,
    entrypoint: commands.length > 0 ? undefined : readArguments(reader, get('entrypoint'), 'entrypoint', name),
    command: commands.length > 0 ? undefined : readArguments(reader, get('command'), 'command', name),
    environment: environment.values,
    settings: settings.values,
    secrets: [...settings.secrets, ...readSecretList(reader, get('secrets'), name)],
    when: readConditions(reader, get('when'), 'when'),
    onFailure: 'fail',
    timeoutMs: undefined,
    user: undefined,
    workingDirectory: undefined,
    dependsOn: [],
    needs: undefined,
    group: reader.text(get('group'), `"group" of step "${name}"`) ?? '',
    line: reader.positionOf(entry.key).line,
  };
}

/** Every key that is none of a step's own is a setting of its plugin. */
function readInlineSettings(reader: DocumentReader, fields: Fields, step: string, hasCommands: boolean): Given {
  const given: Given = { values: {}, secrets: [] };
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name)) {
      if (hasCommands && (name === 'entrypoint' || name === 'command') && !isNull(value))
        reader.add('step.commands-and-entrypoint', key, `"${name}" has no effect beside "commands"`);
    } else if (unsupportedStepKeys.has(name)) {
      if (!isEmpty(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of a step`);
    } else if (hasCommands)
      reader.add(
        'step.settings-and-commands',
        key,
        `"${name}" of step "${step}" is no key of a step, so it is a setting of a plugin, and a step with "commands" is none`,
      );
    else readEncoded(reader, given, settingVariable(reader, name), value, `the setting "${name}"`);
  }
  return given;
}

/** A list, or a text that a shell would split. */
export function readArguments(
  reader: DocumentReader,
  node: YamlNode | undefined,
  key: string,
  step: string,
): readonly string[] | undefined {
  if (!node || isNull(node)) return undefined;
  if (node.kind === 'list') return readTexts(reader, node, `"${key}" of step "${step}"`);
  const text = reader.text(node, `"${key}" of step "${step}"`);
  return text === undefined ? undefined : splitWords(text);
}

/** Words of a command line: quotes and backslashes count, nothing is expanded. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs))
    words.push(
      word.replaceAll(/\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs, (_all, escaped, double, single: string | undefined) =>
        typeof escaped === 'string'
          ? escaped
          : typeof double === 'string'
            ? double.replaceAll(/\\(["\\])/g, '$1')
            : (single ?? ''),
      ),
    );
  return words;
}

/** Both of two steps with one name run; the second is told apart by a number. */
export function uniquelyNamed(steps: readonly StepDraft[]): readonly StepDraft[] {
  const seen = new Set<string>();
  return steps.map((step) => {
    let { name } = step;
    for (let number = 2; seen.has(name); number += 1) name = `${step.name} (${number})`;
    seen.add(name);
    return name === step.name ? step : { ...step, name };
  });
}

/** Nothing, an empty list or map, or `false`: asks for what we do anyway. */
export function isEmpty(node: YamlNode): boolean {
  if (node.kind === 'list') return node.items.length === 0;
  if (node.kind === 'map') return node.entries.length === 0;
  return isNull(node) || node.text === '' || booleanOf(node, 'yaml-1.1') === false;
}

import type { RunOn } from '../core/plan.ts';
import type { ConditionSet, Conditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { type EnvironmentFacts, platformOf, substitutionVariables } from './environment.ts';
import type { FileContext } from './file-context.ts';
import { readCloneContainers } from './read-clone.ts';
import { readConditions } from './read-conditions.ts';
import { readContainerEnvironment, readSecretList, readTexts } from './read-container.ts';
import { containerEntries, type JobDocument, readJobs, readJobWorkspace } from './read-containers-file.ts';
import { isEmpty, readArguments, readRouting, uniquelyNamed } from './read-drone08.ts';
import { type Given, readEncoded, readSettings, settingVariable } from './read-settings.ts';
import { isGoodName } from './read-step.ts';
import { refuseBuilder } from './refuse-builder.ts';
import type { Dependency, StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

const topKeys = new Set([
  ...['when', 'workspace', 'clone', 'steps', 'pipeline', 'labels', 'depends_on', 'skip_clone', 'matrix', 'runs_on'],
  ...['variables', 'branches', 'platform'],
]);
const unsupportedTopKeys = new Set(['services', 'concurrency', 'networks', 'volumes', 'cache']);

const stepKeys = new Set([
  ...['name', 'image', 'commands', 'entrypoint', 'settings', 'environment', 'secrets', 'group', 'depends_on', 'when'],
  ...['failure', 'pull', 'directory'],
]);

/** Known, and asked for by a file that must not run without it (pipelines.md 11.3). */
const unsupportedStepKeys = new Set([
  ...['detach', 'privileged', 'volumes', 'devices', 'extra_hosts', 'tmpfs', 'network_mode', 'dns', 'dns_search'],
  ...['cpu_quota', 'cpu_shares', 'cpuset', 'mem_limit', 'memswap_limit', 'shm_size', 'sysctls', 'ulimits', 'cap_add'],
  ...['cap_drop', 'networks'],
]);
const stepKeysWithoutEffect = new Set(['ports', 'backend_options']);

/** Reads a workflow file of Woodpecker (pipelines.md 11), of any version from 0.15 on. */
export function readWoodpecker(file: FileContext, path: string, facts: EnvironmentFacts): readonly WorkflowDraft[] {
  const name = workflowName(path);
  const jobs = readJobs(file, (matrix) =>
    substitutionVariables(facts, 'woodpecker', { name, type: 'docker', number: 1, dependsOn: [], matrix }),
  );
  return jobs.map((job) => readJob(job, name, facts));
}

/** The file's name without extension and without a dot at its beginning. */
export function workflowName(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return base.replace(/^\./, '').replace(/\.ya?ml$/, '');
}

function readJob(job: JobDocument, name: string, facts: EnvironmentFacts): WorkflowDraft {
  const { axes, reader, fields, root } = job;
  for (const [key, entry] of fields) {
    if (topKeys.has(key)) continue;
    if (!unsupportedTopKeys.has(key))
      reader.add('key.unknown', entry.key, `a workflow of Woodpecker has no key "${key}"`);
    else if (!isEmpty(entry.value))
      reader.add('key.unsupported', entry.key, `Gantry does not support "${key}" of a workflow`);
  }
  const { line } = reader.positionOf(root);
  const stepsEntry = fields.get('steps') ?? fields.get('pipeline');
  const entries = containerEntries(reader, stepsEntry?.value, '"steps"');
  if (entries.length === 0)
    reader.add('workflow.no-steps', stepsEntry?.key ?? root, `the workflow "${name}" has no steps`);
  const skipClone = reader.boolean(fields.get('skip_clone')?.value, '"skip_clone"') ?? false;
  const trigger = withBranches(reader, readConditions(reader, fields.get('when')?.value, 'when', false), fields);
  const steps = uniquelyNamed(entries.flatMap((entry) => readStep(reader, entry) ?? []));
  warnOfEveryEvent(reader, root, trigger, steps);
  return {
    name,
    type: 'docker',
    line,
    trigger,
    dependsOn: readNeeds(reader, fields.get('depends_on')?.value, '"depends_on" of a workflow') ?? [],
    workspace: readJobWorkspace(reader, fields.get('workspace'), '/woodpecker', facts),
    clone: readCloneContainers(reader, fields.get('clone'), skipClone, line),
    environment: {},
    steps,
    order: 'levels',
    matrix: axes,
    blocked: readRouting(reader, fields, platformOf(facts)),
    runOn: readRunsOn(reader, fields.get('runs_on')?.value, trigger),
  };
}

/** `branches:` is the older spelling of `when.branch`. */
function withBranches(reader: DocumentReader, trigger: Conditions, fields: Fields): Conditions {
  const entry = fields.get('branches');
  if (!entry || isNull(entry.value)) return trigger;
  const branch: YamlEntry = {
    key: { kind: 'scalar', text: 'branch', isPlain: true, tag: undefined, offset: entry.key.offset },
    value: entry.value,
  };
  const map: YamlNode = { kind: 'map', entries: [branch], tag: undefined, offset: entry.key.offset };
  const [set] = readConditions(reader, map, 'when', false).alternatives;
  const constraint = set?.constraints.get('branch');
  if (!set || !constraint) return trigger;
  if (trigger.alternatives.length === 0) return { alternatives: [set] };
  return {
    alternatives: trigger.alternatives.map(
      (alternative): ConditionSet => ({
        ...alternative,
        constraints: new Map([['branch', constraint] as const, ...alternative.constraints]),
      }),
    ),
  };
}

/**
 * When the workflow runs by what it waits for (pipelines.md 11.5): `status: [failure]` in its `when` means "too", and
 * `runs_on: [failure]` alone means "only then".
 */
function readRunsOn(
  reader: DocumentReader,
  node: YamlNode | undefined,
  { alternatives }: Conditions,
): RunOn | undefined {
  const words = readTexts(reader, node, '"runs_on"');
  for (const word of words)
    if (node && word !== 'success' && word !== 'failure')
      reader.add('value.unknown', node, `"runs_on" has "${word}", and takes success and failure`);
  const isOnFailure = alternatives.some(({ status }) => status?.include.includes('failure'));
  if (words.length === 0) return isOnFailure ? { success: true, failure: true } : undefined;
  return {
    success: words.includes('success') || isOnFailure,
    failure: words.includes('failure') || isOnFailure,
  };
}

/** A filter that names no event runs for tags and pull requests as well, which few mean. */
function warnOfEveryEvent(
  reader: DocumentReader,
  root: YamlNode,
  trigger: Conditions,
  steps: readonly StepDraft[],
): void {
  const namesEvent = ({ alternatives }: Conditions): boolean =>
    alternatives.length > 0 && alternatives.every((set) => set.constraints.has('event') || set.evaluate !== undefined);
  if (namesEvent(trigger) || steps.every(({ when }) => namesEvent(when))) return;
  reader.add('condition.no-event', root, 'neither the workflow nor each of its steps says for which events it runs');
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
  const settings = readPluginSettings(reader, fields, name, commands.length > 0);
  refuseBuilder(reader, entry.key, name, image, commands);
  const environment = readContainerEnvironment(reader, get('environment'), name);
  const directory = reader.text(get('directory'), `"directory" of step "${name}"`) ?? '';
  return {
    name,
    kind: commands.length > 0 ? 'commands' : 'image',
    image,
    pull: (reader.boolean(get('pull'), `"pull" of step "${name}"`) ?? false) ? 'always' : 'default',
    commands,
    entrypoint: readArguments(reader, get('entrypoint'), 'entrypoint', name),
    command: undefined,
    environment: environment.values,
    settings: settings.values,
    secrets: [...environment.secrets, ...settings.secrets, ...readSecretList(reader, get('secrets'), name)],
    when: readConditions(reader, get('when'), 'when'),
    onFailure: readFailure(reader, get('failure'), name),
    timeoutMs: undefined,
    user: undefined,
    workingDirectory: directory === '' ? undefined : directory,
    dependsOn: [],
    needs: readNeeds(reader, get('depends_on'), `"depends_on" of step "${name}"`),
    group: reader.text(get('group'), `"group" of step "${name}"`) ?? '',
    line: reader.positionOf(entry.key).line,
  };
}

/** `settings`; in files of 0.15 they stand beside the step's own keys. */
function readPluginSettings(reader: DocumentReader, fields: Fields, step: string, hasCommands: boolean): Given {
  const entry = fields.get('settings');
  const hasSettings = entry !== undefined && !isEmpty(entry.value);
  if (entry && hasSettings && (hasCommands || fields.has('entrypoint')))
    reader.add(
      'step.settings-and-commands',
      entry.key,
      `step "${step}" has settings of a plugin, and ${hasCommands ? 'commands' : 'an entrypoint'} of its own`,
    );
  const given = readSettings(reader, entry?.value, step);
  const takesInline = !hasSettings && !hasCommands && !fields.has('entrypoint');
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name)) continue;
    if (stepKeysWithoutEffect.has(name)) reader.add('key.no-effect', key, `"${name}" of step "${step}" has no effect`);
    else if (unsupportedStepKeys.has(name)) {
      if (!isEmpty(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of a step`);
    } else {
      reader.add(
        'key.unknown',
        key,
        takesInline
          ? `a step has no key "${name}": it is read as a setting, so write it below "settings"`
          : `a step has no key "${name}"`,
      );
      if (takesInline) readEncoded(reader, given, settingVariable(reader, name), value, `the setting "${name}"`);
    }
  }
  return given;
}

/** What something waits for: a name, names, or maps of `name` and `optional`; `undefined` when it does not say. */
function readNeeds(
  reader: DocumentReader,
  node: YamlNode | undefined,
  what: string,
): readonly Dependency[] | undefined {
  if (!node || isNull(node)) return undefined;
  return (node.kind === 'list' ? node.items : [node]).flatMap((item): readonly Dependency[] => {
    if (item.kind !== 'map') {
      const name = reader.text(item, `each item of ${what}`);
      return name === undefined ? [] : [{ name, isOptional: false, at: reader.positionOf(item) }];
    }
    const fields = reader.fields(item, `an item of ${what}`);
    for (const [name, { key }] of fields ?? [])
      if (name !== 'name' && name !== 'optional')
        reader.add('key.unknown', key, `an item of ${what} has no key "${name}"`);
    const name = reader.text(fields?.get('name')?.value, `"name" of an item of ${what}`);
    if (name === undefined) return [];
    const isOptional = reader.boolean(fields?.get('optional')?.value, `"optional" of an item of ${what}`) ?? false;
    return [{ name, isOptional, at: reader.positionOf(item) }];
  });
}

function readFailure(reader: DocumentReader, node: YamlNode | undefined, step: string): 'fail' | 'ignore' {
  const word = reader.text(node, `"failure" of step "${step}"`);
  if (!node || word === undefined || word === 'fail') return 'fail';
  if (word === 'ignore') return 'ignore';
  if (word === 'cancel')
    reader.add('key.unsupported', node, 'Gantry does not support "failure: cancel": a failure ends the workflow alone');
  else reader.add('value.unknown', node, `"failure" of step "${step}" is "${word}", and takes fail, ignore or cancel`);
  return 'fail';
}

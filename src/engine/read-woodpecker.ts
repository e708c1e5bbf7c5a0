import type { OnFailure } from '../core/plan.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import type { Conditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { substitutionVariables } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { FileContext } from './file-context.ts';
import { findCycle } from './find-cycle.ts';
import { unsupportedKeys } from './known-keys.ts';
import { readBranches } from './read-branches.ts';
import { readCloneContainers } from './read-clone.ts';
import { readConditions } from './read-conditions.ts';
import { readContainerStep } from './read-container.ts';
import {
  type ContainerEntry,
  containerEntries,
  type JobDocument,
  readJobs,
  readJobWorkspace,
  refuseKeys,
} from './read-containers-file.ts';
import { hostRightsKeys } from './read-host-rights.ts';
import { readRouting } from './read-routing.ts';
import { type Given, readSetting, readSettings } from './read-settings.ts';
import { namedVolumes, readVolumeDrivers, refuseMountsInWorkspace } from './read-volumes.ts';
import type { Dependency, StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { wholeWorkspace } from './workspace-folder.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const topKeys = new Set([
  'when',
  'workspace',
  'clone',
  'services',
  'steps',
  'pipeline',
  'labels',
  'depends_on',
  'skip_clone',
  'matrix',
  'runs_on',
  'variables',
  'branches',
  'platform',
  'volumes',
]);

const stepKeys = new Set([
  'name',
  'image',
  'commands',
  'entrypoint',
  'settings',
  'environment',
  'secrets',
  'group',
  'depends_on',
  'when',
  'failure',
  'pull',
  'directory',
  'detach',
  'ports',
  'volumes',
  ...hostRightsKeys,
]);

/** Names of older versions, and what is written instead. */
const oldTopKeys = new Map([
  ['pipeline', '"steps"'],
  ['branches', '"branch" below "when"'],
  ['platform', '"platform" below "labels"'],
  ['runs_on', '"status" below "when"'],
]);
const oldStepKeys = new Map([
  ['secrets', '"from_secret" below "environment" or "settings"'],
  ['group', '"depends_on"'],
]);

/** Reads a workflow file of Woodpecker (pipelines.md 11), of any version from 0.15 on. */
export function readWoodpecker(file: FileContext, path: string, facts: EnvironmentFacts): readonly WorkflowDraft[] {
  const name = workflowName(path);
  return readJobs(
    file,
    (matrix) => substitutionVariables(facts, 'woodpecker', { name, type: 'docker', number: 1, dependsOn: [], matrix }),
    (job) => readJob(job, name, facts),
  );
}

/** The file's name without extension and without a dot at its beginning. */
function workflowName(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return base.replace(/^\./, '').replace(/\.ya?ml$/, '');
}

function readJob(job: JobDocument, name: string, facts: EnvironmentFacts): WorkflowDraft {
  const { axes, reader, fields, root } = job;
  refuseKeys(job, topKeys, 'a workflow of Woodpecker');
  tellOldNames(reader, fields, oldTopKeys);
  const { line } = reader.positionOf(root);
  const stepsEntry = fields.get('steps') ?? fields.get('pipeline');
  const entries = containerEntries(reader, stepsEntry?.value, '"steps"');
  if (entries.length === 0)
    reader.add('workflow.no-steps', stepsEntry?.key ?? root, `the workflow "${name}" has no steps`);
  const skipClone = reader.boolean(fields.get('skip_clone')?.value, '"skip_clone"') ?? false;
  const trigger = withBranches(reader, readConditions(reader, fields.get('when')?.value, 'when', false), fields);
  const steps = entries.flatMap((entry) => readStep(reader, entry, false) ?? []);
  refuseNeeds(reader, steps);
  warnOfEveryEvent(reader, root, trigger, steps);
  const services = containerEntries(reader, fields.get('services')?.value, '"services"').flatMap(
    (entry) => readStep(reader, entry, true) ?? [],
  );
  readVolumeDrivers(reader, fields.get('volumes')?.value);
  const workspace = readJobWorkspace(reader, fields.get('workspace'), '/woodpecker', facts);
  refuseMountsInWorkspace(reader.report, [...services, ...steps], wholeWorkspace(workspace));
  return {
    name,
    type: 'docker',
    line,
    trigger,
    dependsOn: readNeeds(reader, fields.get('depends_on')?.value, '"depends_on" of a workflow') ?? [],
    workspace,
    clone: readCloneContainers(reader, fields.get('clone'), {
      isDisabled: skipClone,
      line,
      workspace: wholeWorkspace(workspace),
    }),
    environment: {},
    steps: [...services, ...steps],
    volumes: namedVolumes([...services, ...steps]),
    order: 'levels',
    matrix: axes,
    routing: readRouting(reader, fields),
    blocked: undefined,
    runsOn: readRunsOn(reader, fields.get('runs_on')?.value),
  };
}

/** Names of older versions still work; Woodpecker 3 warns of them too. */
function tellOldNames(reader: DocumentReader, fields: Fields, old: ReadonlyMap<string, string>): void {
  for (const [name, { key }] of fields) {
    const instead = old.get(name);
    if (instead !== undefined)
      reader.add('key.deprecated', key, `"${name}" is a name of older versions of Woodpecker: write ${instead}`);
  }
}

/** `branches:` is the older spelling of `when.branch`. */
function withBranches(reader: DocumentReader, trigger: Conditions, fields: Fields): Conditions {
  const branch = readBranches(reader, fields);
  if (!branch) return trigger;
  if (trigger.alternatives.length === 0)
    return { alternatives: [{ constraints: new Map([['branch', branch]]), status: undefined }] };
  return {
    alternatives: trigger.alternatives.map((set) => ({
      ...set,
      constraints: new Map([['branch', branch] as const, ...set.constraints]),
    })),
  };
}

function readRunsOn(reader: DocumentReader, node: YamlNode | undefined): WorkflowDraft['runsOn'] {
  const words = reader.texts(node, '"runs_on"');
  for (const { text, node: item } of words)
    if (text !== 'success' && text !== 'failure')
      reader.add('value.unknown', item, `"runs_on" has "${text}", and takes success and failure`);
  return words.length === 0 ? undefined : new Set(words.map(({ text }) => text));
}

/** What no event can mend: steps that need one which is nowhere, and steps that wait for each other. */
function refuseNeeds(reader: DocumentReader, steps: readonly StepDraft[]): void {
  if (steps.every(({ needs }) => needs === undefined)) return;
  const graph = new Map<string, string[]>();
  const places = new Map<string, Dependency['at']>();
  for (const { name, needs = [] } of steps) {
    graph.set(name, [...(graph.get(name) ?? []), ...needs.map((need) => need.name)]);
    const [first] = needs;
    if (first && !places.has(name)) places.set(name, first.at);
  }
  for (const { needs = [] } of steps)
    for (const need of needs)
      if (!need.isOptional && !graph.has(need.name))
        reader.report.add('step.dependency-unknown', need.at, `no step is named "${need.name}"`);
  const cycle = findCycle(graph);
  const at = cycle && places.get(cycle[0] ?? '');
  if (!at) return;
  const names = [...cycle, cycle[0]].map((name) => `"${name}"`).join(' → ');
  reader.report.add('step.cycle', at, `steps wait for each other: ${names}; take one "depends_on" away`);
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

function readStep(reader: DocumentReader, entry: ContainerEntry, isService: boolean): StepDraft | undefined {
  const step = readContainerStep(reader, entry, isService);
  if (!step) return undefined;
  const { draft, fields } = step;
  const { name } = draft;
  tellOldNames(reader, fields, oldStepKeys);
  const settings = readPluginSettings(reader, fields, draft);
  const directory = reader.text(fields.get('directory')?.value, `"directory" of step "${name}"`) ?? '';
  return {
    ...draft,
    settings: settings.values,
    settingNodes: settings.nodes,
    secrets: [...settings.secrets, ...draft.secrets],
    onFailure: readFailure(reader, fields.get('failure')?.value, name),
    workingDirectory: directory === '' ? undefined : directory,
    needs: isService
      ? tellNoNeeds(reader, fields, name)
      : readNeeds(reader, fields.get('depends_on')?.value, `"depends_on" of step "${name}"`),
  };
}

/** Services start together, before the steps (pipelines.md 11.5). */
function tellNoNeeds(reader: DocumentReader, fields: Fields, name: string): undefined {
  const entry = fields.get('depends_on');
  if (entry && !asksForNothing(entry.value))
    reader.add('key.no-effect', entry.key, `"depends_on" of the service "${name}" has no effect: services start first`);
}

/** `settings`; in files of 0.15 they stand beside the step's own keys. */
function readPluginSettings(reader: DocumentReader, fields: Fields, { name: step, commands }: StepDraft): Given {
  const entry = fields.get('settings');
  const hasCommands = commands.length > 0;
  const hasSettings = entry !== undefined && !asksForNothing(entry.value);
  const environment = fields.get('environment');
  if (entry && hasSettings && (hasCommands || fields.has('entrypoint')))
    reader.add(
      'step.settings-and-commands',
      entry.key,
      `step "${step}" has settings of a plugin, and ${hasCommands ? 'commands' : 'an entrypoint'} of its own`,
    );
  if (environment && hasSettings && !asksForNothing(environment.value))
    reader.add(
      'step.settings-and-environment',
      environment.key,
      `step "${step}" has settings and an environment: a plugin reads its settings`,
    );
  const given = readSettings(reader, entry?.value, step);
  const known = unsupportedKeys.woodpecker;
  const takesInline = !hasSettings && !hasCommands && !fields.has('entrypoint');
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name) || known.limits.has(name)) continue;
    if (known.withoutEffect.step.has(name))
      reader.add('key.no-effect', key, `"${name}" of step "${step}" has no effect`);
    else if (known.step.has(name)) {
      if (!asksForNothing(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of a step`);
    } else {
      const hint = takesInline ? ': it is read as a setting, so write it below "settings"' : '';
      reader.unknownKey(key, 'a step', stepKeys, hint);
      if (takesInline) readSetting(reader, given, name, key, value);
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

function readFailure(reader: DocumentReader, node: YamlNode | undefined, step: string): OnFailure {
  const word = reader.text(node, `"failure" of step "${step}"`);
  if (!node || word === undefined || word === 'fail') return 'fail';
  if (word === 'ignore') return 'ignore';
  if (word === 'cancel') return 'cancel-pipeline';
  reader.add('value.unknown', node, `"failure" of step "${step}" is "${word}", and takes fail, ignore or cancel`);
  return 'fail';
}

import { asksForNothing } from './asks-for-nothing.ts';
import { noConditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { substitutionVariables } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { FileContext } from './file-context.ts';
import { unsupportedKeys } from './known-keys.ts';
import { readArguments } from './read-arguments.ts';
import { readBranches } from './read-branches.ts';
import { readCloneContainers } from './read-clone.ts';
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
import { type Given, nothingGiven, readSetting } from './read-settings.ts';
import { namedVolumes, readVolumeDrivers, refuseMountsInWorkspace } from './read-volumes.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { wholeWorkspace } from './workspace-folder.ts';
import { isNull } from './yaml/scalar-type.ts';

const topKeys = new Set([
  'pipeline',
  'services',
  'clone',
  'workspace',
  'branches',
  'matrix',
  'platform',
  'labels',
  'volumes',
]);

const stepKeys = new Set([
  'name',
  'image',
  'commands',
  'command',
  'entrypoint',
  'environment',
  'secrets',
  'pull',
  'group',
  'when',
  'detach',
  'ports',
  'volumes',
  ...hostRightsKeys,
]);

/** Reads a file of Drone 0.8 (pipelines.md 9): `pipeline:` is a map of containers, and keys of a step are its settings. */
export function readDrone08(file: FileContext, facts: EnvironmentFacts): readonly WorkflowDraft[] {
  return readJobs(
    file,
    (matrix) =>
      substitutionVariables(facts, 'drone08', { name: 'default', type: 'docker', number: 1, dependsOn: [], matrix }),
    (job) => readJob(job, facts),
  );
}

function readJob(job: JobDocument, facts: EnvironmentFacts): WorkflowDraft {
  const { axes, reader, fields, root } = job;
  refuseKeys(job, topKeys, 'a pipeline of Drone 0.8');
  const { line } = reader.positionOf(root);
  const pipeline = fields.get('pipeline');
  const entries = containerEntries(reader, pipeline?.value, '"pipeline"');
  const pipelineKey = pipeline?.key ?? root;
  if (pipeline?.value.kind === 'list')
    reader.add('value.type', pipelineKey, '"pipeline" must be a map of steps, and is a list');
  if (entries.length === 0) reader.add('workflow.no-steps', pipelineKey, 'the pipeline has no steps');
  const services = fields.get('services');
  if (services?.value.kind === 'list' && !asksForNothing(services.value))
    reader.add('value.type', services.key, '"services" must be a map of services, and is a list');
  readVolumeDrivers(reader, fields.get('volumes')?.value);
  const workspace = readJobWorkspace(reader, fields.get('workspace'), '/drone', facts);
  const steps = [
    ...containerEntries(reader, services?.value, '"services"').flatMap((entry) => readStep(reader, entry, true) ?? []),
    ...entries.flatMap((entry) => readStep(reader, entry, false) ?? []),
  ];
  refuseMountsInWorkspace(reader.report, steps, wholeWorkspace(workspace));
  return {
    name: 'default',
    type: 'docker',
    line,
    trigger: readTrigger(reader, fields, facts),
    dependsOn: [],
    workspace,
    clone: readCloneContainers(reader, fields.get('clone'), {
      isDisabled: false,
      line,
      workspace: wholeWorkspace(workspace),
    }),
    environment: {},
    steps,
    volumes: namedVolumes(steps),
    order: 'stages',
    matrix: axes,
    routing: readRouting(reader, fields),
    blocked: undefined,
    runsOn: undefined,
  };
}

/** `branches`: judged when the event arrives, and for every event but tags and deployments (pipelines.md 9.3). */
function readTrigger(
  reader: DocumentReader,
  fields: Fields,
  { event: { kind } }: EnvironmentFacts,
): WorkflowDraft['trigger'] {
  const branch = readBranches(reader, fields);
  if (!branch || kind === 'tag' || kind === 'promote' || kind === 'rollback') return noConditions;
  return { alternatives: [{ constraints: new Map([['branch', branch]]), status: undefined }] };
}

function readStep(reader: DocumentReader, entry: ContainerEntry, isService: boolean): StepDraft | undefined {
  const step = readContainerStep(reader, entry, isService);
  if (!step) return undefined;
  const { draft, fields } = step;
  const hasCommands = draft.commands.length > 0;
  const settings = readInlineSettings(reader, fields, draft.name, hasCommands);
  const command = readArguments(reader, fields.get('command')?.value, `"command" of step "${draft.name}"`);
  return {
    ...draft,
    entrypoint: hasCommands ? undefined : draft.entrypoint,
    command: hasCommands ? undefined : command,
    // What runs beside the others is no plugin there (pipelines.md 9.4).
    settings: draft.background ? {} : settings.values,
    settingNodes: settings.nodes,
    secrets: [...settings.secrets, ...draft.secrets],
  };
}

/** Every key that is none of a step's own is a setting of its plugin. */
function readInlineSettings(reader: DocumentReader, fields: Fields, step: string, hasCommands: boolean): Given {
  const given = nothingGiven();
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name)) {
      if (hasCommands && (name === 'entrypoint' || name === 'command') && !isNull(value))
        reader.add('step.commands-and-entrypoint', key, `"${name}" has no effect beside "commands"`);
    } else if (unsupportedKeys.drone08.limits.has(name)) {
      // Read with the step.
    } else if (unsupportedKeys.drone08.withoutEffect.step.has(name))
      reader.add('key.no-effect', key, `"${name}" of step "${step}" has no effect`);
    else if (unsupportedKeys.drone08.step.has(name)) {
      if (!asksForNothing(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of a step`);
    } else if (hasCommands)
      reader.add(
        'step.settings-and-commands',
        key,
        `"${name}" of step "${step}" is no key of a step, so it is a setting of a plugin, and a step with "commands" is none`,
      );
    else readSetting(reader, given, name, key, value);
  }
  return given;
}

import { asksForNothing } from './asks-for-nothing.ts';
import { noConditions } from './conditions.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { substitutionVariables } from './environment.ts';
import { type EnvironmentFacts, platformOf } from './environment-facts.ts';
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
import { readRouting } from './read-routing.ts';
import { type Given, readSetting } from './read-settings.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';
import { isNull } from './yaml/scalar-type.ts';

const topKeys = new Set(['pipeline', 'clone', 'workspace', 'branches', 'matrix', 'platform', 'labels']);

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
  return {
    name: 'default',
    type: 'docker',
    line,
    trigger: readTrigger(reader, fields, facts),
    dependsOn: [],
    workspace: readJobWorkspace(reader, fields.get('workspace'), '/drone', facts),
    clone: readCloneContainers(reader, fields.get('clone'), false, line),
    environment: {},
    steps: entries.flatMap((entry) => readStep(reader, entry) ?? []),
    order: 'stages',
    matrix: axes,
    blocked: readRouting(reader, fields, platformOf(facts)),
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

function readStep(reader: DocumentReader, entry: ContainerEntry): StepDraft | undefined {
  const step = readContainerStep(reader, entry);
  if (!step) return undefined;
  const { draft, fields } = step;
  const hasCommands = draft.commands.length > 0;
  const settings = readInlineSettings(reader, fields, draft.name, hasCommands);
  const command = readArguments(reader, fields.get('command')?.value, `"command" of step "${draft.name}"`);
  return {
    ...draft,
    entrypoint: hasCommands ? undefined : draft.entrypoint,
    command: hasCommands ? undefined : command,
    settings: Object.fromEntries(settings.values),
    secrets: [...settings.secrets, ...draft.secrets],
  };
}

/** Every key that is none of a step's own is a setting of its plugin. */
function readInlineSettings(reader: DocumentReader, fields: Fields, step: string, hasCommands: boolean): Given {
  const given: Given = { values: new Map(), secrets: [] };
  for (const [name, { key, value }] of fields) {
    if (stepKeys.has(name)) {
      if (hasCommands && (name === 'entrypoint' || name === 'command') && !isNull(value))
        reader.add('step.commands-and-entrypoint', key, `"${name}" has no effect beside "commands"`);
    } else if (unsupportedKeys.drone08.step.has(name)) {
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

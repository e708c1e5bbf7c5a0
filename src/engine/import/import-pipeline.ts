import { isDeepStrictEqual } from 'node:util';
import type { Dialect } from '../../core/plan.ts';
import { chooseFiles } from '../choose-files.ts';
import type { PipelineFile } from '../compile-input.ts';
import { axisText } from '../conditions.ts';
import { stepEnvironment } from '../environment.ts';
import { executionVariables, outsiderVariables } from '../environment-names.ts';
import { type PlacedWorkflow, placeWorkflows } from '../link-workflows.ts';
import { lintPipelineFile } from '../lint.ts';
import type { Finding } from '../lint-report.ts';
import { orderJob } from '../order-jobs.ts';
import type { Axes } from '../read-matrix.ts';
import { type PipelineFileDraft, readPipelineFile } from '../read-pipeline-file.ts';
import { sampleFacts } from '../sample-facts.ts';
import type { StepDraft, WorkflowDraft } from '../workflow-draft.ts';
import { compareImport, compileAtProbe, probes } from './compare-import.ts';
import { importConditions } from './import-conditions.ts';
import type { ImportNote } from './import-note.ts';
import {
  asWritten,
  hostFoldersOf,
  platformOf,
  resourcesOf,
  secretOf,
  workspaceOf,
  writtenClone,
  writtenSize,
} from './import-parts.ts';
import { type ImportValue, importYaml, KeptExpressions } from './import-yaml.ts';

export type ImportResult =
  | {
      readonly kind: 'imported';
      readonly dialect: Dialect;
      readonly text: string;
      readonly notes: readonly ImportNote[];
    }
  /** The files do not run where they are now. */
  | { readonly kind: 'refused'; readonly path: string; readonly findings: readonly Finding[] };

/** What a failure does, in the words of `.gantry.yml`: it cancels no more than its own workflow. */
const importedFailure: Readonly<Record<StepDraft['onFailure'], string | undefined>> = {
  fail: undefined,
  ignore: 'ignore',
  'cancel-workflow': 'fast',
  'cancel-pipeline': 'fast',
};

/** Errors of a file that runs upstream: what Gantry does not do. The rest is carried, and this is told. */
const unsupported: ReadonlySet<string> = new Set(['key.unsupported', 'volume.host-path', 'document.kind-unsupported']);

/**
 * Writes files of Drone or Woodpecker as one `.gantry.yml`, and says of each workflow and step what became of it. Pure.
 * Source and result are compiled for a range of events; where they differ, what is said to be carried is not so.
 */
export function importPipeline(files: readonly PipelineFile[]): ImportResult | undefined {
  const chosen = chooseFiles(files);
  if (!chosen) return undefined;
  const { dialect } = chosen;
  const axes = new Set(
    chosen.files.flatMap((file) =>
      readPipelineFile(file, dialect, sampleFacts).workflows.flatMap(({ matrix }) => Object.keys(matrix)),
    ),
  );
  const withMatrix = axes.size === 0 ? undefined : importWithMatrix(chosen.files, dialect);
  if (withMatrix) return withMatrix;
  const kept = new KeptExpressions();
  const keep = (name: string, source: string): string | undefined =>
    axes.has(name) ? undefined : kept.mark(name, source);
  const drafts = chosen.files.map((file) => readPipelineFile(file, dialect, sampleFacts, undefined, keep));
  for (const { path, report } of drafts) {
    const errors = report.findings.filter(({ severity, code }) => severity === 'error' && !unsupported.has(code));
    if (errors.length > 0) return { kind: 'refused', path, findings: errors };
  }
  if (drafts.every(({ workflows }) => workflows.length === 0))
    return { kind: 'refused', path: drafts[0]!.path, findings: drafts.flatMap(({ report }) => report.findings) };
  const importer = new Importer(dialect, kept, drafts);
  const failed = cannotRun(chosen.files, drafts);
  if (failed) return failed;
  const text = importer.write();
  return { kind: 'imported', dialect, text, notes: compareImport(chosen.files, text, importer.notes()) };
}

/**
 * With each matrix as a matrix: possible where its pipelines differ in nothing but the values that stand for `${…}`.
 * `undefined` where they do, or where `.gantry.yml` would not take them so: then each is a pipeline of its own.
 */
function importWithMatrix(files: readonly PipelineFile[], dialect: Dialect): ImportResult | undefined {
  const kept = new KeptExpressions();
  const read = files.map((file) =>
    readPipelineFile(file, dialect, sampleFacts, undefined, (name, source) => kept.mark(name, source)),
  );
  if (
    read.some(({ report }) =>
      report.findings.some(({ severity, code }) => severity === 'error' && !unsupported.has(code)),
    )
  )
    return undefined;
  const matrices = new Map<WorkflowDraft, readonly Axes[]>();
  const drafts: PipelineFileDraft[] = [];
  for (const draft of read) {
    const workflows: WorkflowDraft[] = [];
    for (const legs of Map.groupBy(draft.workflows, ({ name }) => name).values()) {
      const [first, ...others] = legs.map((leg) => ({ ...leg, matrix: {} }));
      if (!first || others.some((other) => !isDeepStrictEqual(other, first))) return undefined;
      const sets = legs.map(({ matrix }) => matrix).filter((set) => Object.keys(set).length > 0);
      if (sets.length > 0) matrices.set(first, sets);
      workflows.push(first);
    }
    drafts.push({ ...draft, workflows });
  }
  if (cannotRun(files, drafts)) return undefined;
  const importer = new Importer(dialect, kept, drafts, matrices);
  const text = importer.write();
  const { isValid, workflows } = lintPipelineFile('.gantry.yml', text);
  const count = read.reduce((sum, draft) => sum + draft.workflows.length, 0);
  // Alternatives of a trigger make more of them.
  if (!isValid || workflows.length < count) return undefined;
  return { kind: 'imported', dialect, text, notes: compareImport(files, text, importer.notes()) };
}

/** The axes with their values where the sets are all combinations of them, and else the sets one by one. */
function matrixOf(sets: readonly Axes[]): ImportValue {
  const names = [...new Set(sets.flatMap((set) => Object.keys(set)))];
  const values = names.map((name) => [...new Set(sets.map((set) => set[name] ?? ''))]);
  const isProduct =
    values.reduce((count, each) => count * each.length, 1) === sets.length &&
    sets.every((set) => Object.keys(set).length === names.length) &&
    new Set(sets.map((set) => JSON.stringify(names.map((name) => set[name])))).size === sets.length;
  return isProduct
    ? Object.fromEntries(names.map((name, index) => [name, values[index] ?? []]))
    : { include: sets.map((set) => ({ ...set })) };
}

/** What is wrong only when workflows are put together: a circle, for instance. */
function cannotRun(files: readonly PipelineFile[], drafts: readonly PipelineFileDraft[]): ImportResult | undefined {
  if (drafts.some(({ report }) => report.hasError)) return undefined;
  const result = compileAtProbe(files, probes[0]!);
  if (result.kind !== 'failed') return undefined;
  const { message, line = 1, column = 1 } = result.error;
  return {
    kind: 'refused',
    path: result.path,
    findings: [{ severity: 'error', code: 'value.type', message, line, column }],
  };
}

class Importer {
  readonly #dialect: Dialect;
  readonly #kept: KeptExpressions;
  readonly #drafts: readonly PipelineFileDraft[];
  readonly #notes: ImportNote[] = [];
  readonly #placed: readonly PlacedWorkflow[];
  /** Names of the documents that a name of the source became: a matrix, or alternatives of its trigger. */
  readonly #namesOf = new Map<string, string[]>();
  /** Sets of values of the workflows that keep their matrix. */
  readonly #matrices: ReadonlyMap<WorkflowDraft, readonly Axes[]>;

  constructor(
    dialect: Dialect,
    kept: KeptExpressions,
    drafts: readonly PipelineFileDraft[],
    matrices: ReadonlyMap<WorkflowDraft, readonly Axes[]> = new Map(),
  ) {
    this.#matrices = matrices;
    this.#dialect = dialect;
    this.#kept = kept;
    this.#drafts = drafts;
    this.#placed = placeWorkflows(drafts);
  }

  write(): string {
    const triggers = new Map(
      this.#placed.map((workflow) => [
        workflow,
        importConditions(workflow.draft.trigger, this.#dialect, this.#matrices.has(workflow.draft)),
      ]),
    );
    for (const { draft, name } of this.#placed) {
      const count = Math.max(1, triggers.get(this.#placed.find((one) => one.name === name)!)!.alternatives.length);
      const names = Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name} ${index + 1}`));
      this.#namesOf.set(draft.name, [...(this.#namesOf.get(draft.name) ?? []), ...names]);
    }
    const documents = this.#placed.flatMap((workflow) => {
      const { alternatives, lost, remarks } = triggers.get(workflow)!;
      const body = this.#body(workflow, lost, [
        ...remarks,
        ...(alternatives.length > 1
          ? [`its conditions are alternatives, so it became ${alternatives.length} pipelines`]
          : []),
      ]);
      return (alternatives.length === 0 ? [undefined] : alternatives).map((trigger, index) => {
        const name = index === 0 ? workflow.name : `${workflow.name} ${index + 1}`;
        const withTrigger = {
          kind: 'pipeline',
          ...body,
          name,
          trigger: trigger && this.#withStatus(workflow.draft, trigger),
        };
        return importYaml(inOrder(withTrigger), this.#kept);
      });
    });
    return [...documents, ...this.#secrets()].join('---\n');
  }

  /** Encrypted secrets stay as they are: the key that opens them is brought beside. */
  #secrets(): readonly string[] {
    const names = new Set<string>();
    return this.#drafts.flatMap(({ path, secrets }) =>
      secrets.flatMap(({ name, data, at: { line } }) => {
        if (names.has(name)) return [];
        names.add(name);
        const texts = [
          'its value opens once "gantry secret import-key" has brought the secret of the Drone repository',
        ];
        this.#notes.push({ verdict: 'remark', path, line, subject: `secret "${name}"`, texts });
        return [importYaml({ kind: 'secret', name, data: data.replace(/\s+/g, '') }, this.#kept)];
      }),
    );
  }

  notes(): readonly ImportNote[] {
    const ofFindings = this.#drafts.flatMap(({ path, report }) =>
      report.findings.map(
        ({ code, severity, line, message }): ImportNote => ({
          verdict: severity === 'error' || code === 'key.unknown' ? 'lost' : 'remark',
          path,
          line,
          subject: code,
          texts: [message],
        }),
      ),
    );
    return [...this.#fileNotes(), ...this.#notes, ...ofFindings].toSorted((a, b) =>
      a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line,
    );
  }

  /** What differs between the systems themselves, whatever the file asks for. */
  #fileNotes(): readonly ImportNote[] {
    if (this.#dialect === 'drone1') return [];
    const texts = [
      'the checkout stands in /drone/src',
      'a marker such as [ci skip] in a message counts for pushes and pull requests, also in the title',
      'commands find the variables of GANTRY_ and DRONE_',
    ];
    return this.#drafts.slice(0, 1).map(({ path }) => ({ verdict: 'remark', path, line: 1, subject: 'file', texts }));
  }

  /** `runs_on` of Woodpecker says the same as `status`. */
  #withStatus(
    { runsOn }: WorkflowDraft,
    trigger: Readonly<Record<string, ImportValue>>,
  ): Readonly<Record<string, ImportValue>> {
    return runsOn ? { ...trigger, status: [...runsOn] } : trigger;
  }

  /** Whether all values of an axis may stand in quotes. */
  #isPlainAxis(draft: WorkflowDraft, name: string): boolean {
    const values = (this.#matrices.get(draft) ?? []).flatMap((set) => set[name] ?? []);
    return values.length > 0 && values.every((value) => !/['"\\\n]/.test(value));
  }

  /** The name of a workflow when it runs: of a matrix, that of its first set. */
  #firstOf({ draft, name }: PlacedWorkflow): string {
    const [first] = this.#matrices.get(draft) ?? [];
    return first ? `${name} (${axisText(first)})` : name;
  }

  #body(
    workflow: PlacedWorkflow,
    lost: readonly string[],
    remarks: readonly string[],
  ): Readonly<Record<string, ImportValue>> {
    const { draft, file, name } = workflow;
    const matrix = this.#matrices.get(draft);
    const more = [...remarks];
    const less = lost.map((what) => `its condition ${what}; until then it never runs`);
    const { routing } = draft;
    if (routing?.isExact) more.push('its runner may have further labels');
    const hostFolders = hostFoldersOf(draft);
    if (Object.keys(draft.matrix).length > 0) more.push('a pipeline for each set of the matrix');
    if (draft.dependsOn.length > 0 && this.#dialect === 'woodpecker')
      more.push('a pipeline runs after success when none has failed by then, and waits through those that do not run');
    const dependsOn = draft.dependsOn.flatMap((dependency) => this.#namesOf.get(dependency.name) ?? []);
    const order = this.#orderOf(draft);
    const steps: ImportValue[] = [];
    const services: ImportValue[] = [];
    for (const step of draft.steps) {
      const written = this.#steps(workflow, step, order);
      (step.background === 'service' ? services : steps).push(...written);
    }
    if (draft.order !== 'graph' && order.isGraph)
      more.push('its steps are a graph: each starts as soon as those that it waits for have ended');
    this.#notes.push({
      verdict: less.length > 0 ? 'lost' : more.length > 0 ? 'remark' : 'carried',
      path: file.path,
      line: draft.line,
      subject: `pipeline "${this.#kept.restore(name)}"`,
      texts: [...less, ...more],
      workflow: this.#firstOf(workflow),
    });
    return {
      type: draft.type === 'docker' ? undefined : draft.type,
      depends_on: dependsOn.length === 0 ? undefined : dependsOn,
      matrix: matrix && matrixOf(matrix),
      platform: platformOf(routing?.platform),
      node: routing?.labels,
      concurrency: draft.concurrency && {
        limit: draft.concurrency.limit,
        // Its name is its group; what became several counts together.
        group: (this.#namesOf.get(draft.name)?.length ?? 1) > 1 ? draft.concurrency.group : undefined,
      },
      clone: writtenClone(draft.clone),
      environment: nonEmpty({ ...draft.environment, ...draft.matrix }),
      volumes:
        draft.volumes.length + hostFolders.size === 0
          ? undefined
          : [
              ...draft.volumes.map(({ name: volume, medium, sizeBytes }) => ({
                name: volume,
                temp:
                  medium === 'memory'
                    ? { medium, size_limit: sizeBytes === undefined ? undefined : writtenSize(sizeBytes) }
                    : {},
              })),
              ...[...hostFolders].map(([path, volume]) => ({ name: volume, host: { path } })),
            ],
      services: services.length === 0 ? undefined : services,
      steps,
    };
  }

  /** What each step waits for when all of them run, and whether it has to be written. */
  #orderOf(draft: WorkflowDraft): Order {
    const hasClone = !draft.clone.isDisabled;
    const ordered =
      draft.order === 'graph'
        ? { names: new Map<StepDraft, string>(), dependsOn: new Map(draft.steps.map((step) => [step, step.dependsOn])) }
        : orderJob(draft.steps, new Set(draft.steps), draft.order, hasClone);
    const running = draft.steps.filter(({ background }) => background !== 'service');
    const services = new Set(
      draft.steps.filter((step) => step.background === 'service').map((step) => ordered.names.get(step) ?? step.name),
    );
    const waitsOf = (step: StepDraft): readonly string[] =>
      (ordered.dependsOn.get(step) ?? []).filter((name) => name !== 'clone' && !services.has(name));
    const isChain = running.every((step, index) => {
      const before = running[index - 1];
      const waits = waitsOf(step);
      return before === undefined
        ? waits.length === 0
        : waits.length === 1 && waits[0] === (ordered.names.get(before) ?? before.name);
    });
    return { names: ordered.names, waitsOf, isGraph: !isChain };
  }

  /** A step, or several where its conditions are alternatives. */
  #steps(placed: PlacedWorkflow, step: StepDraft, order: Order): readonly ImportValue[] {
    const { draft, file } = placed;
    const name = order.names.get(step) ?? step.name;
    const { alternatives, lost, remarks } = importConditions(step.when, this.#dialect, this.#matrices.has(draft));
    const less = lost.map((what) => `its condition ${what}; until then it never runs`);
    const more = [...remarks];
    const refusal = this.#refusal(step, draft);
    const isCarried = refusal === undefined;
    if (refusal !== undefined) less.push(`what it does (${refusal}); until then it never runs`);
    if (alternatives.length > 1)
      more.push(`its conditions are alternatives, so it became ${alternatives.length} steps`);
    if (step.secrets.some(({ isRequired }) => !isRequired))
      more.push('a secret that is missing is an error before the first step');
    if (step.host)
      more.push('it asks for rights on its host: an administrator of Gantry has to trust the project with them');
    if (step.host?.volumes?.some(({ isReadOnly }) => isReadOnly))
      less.push('that a folder of its host is read-only: here the step may write to it');
    if (step.onFailure === 'cancel-pipeline') more.push('its failure cancels its own workflow, and not the others');
    if (name !== step.name) more.push(`its name is taken, so it is "${name}"`);
    const free = [...this.#kept.namesIn(JSON.stringify([step.commands, step.image, step.environment, step.settings]))]
      .filter((variable) => outsiderVariables.has(variable) || !knownNames().has(variable))
      .filter((variable) => !this.#isPlainAxis(draft, variable));
    if (free.length > 0)
      more.push(
        `the value of ${free.map((variable) => `\${${variable}}`).join(', ')} stands in quotes, which it may not hold itself`,
      );
    const unknown = this.#unknownNames(step);
    if (unknown.length > 0)
      more.push(
        `it names ${unknown.join(', ')}, which .gantry.yml does not set for commands: use a variable of GANTRY_ or DRONE_`,
      );
    this.#notes.push({
      verdict: less.length > 0 ? 'lost' : more.length > 0 ? 'remark' : 'carried',
      path: file.path,
      line: step.line,
      subject: `step "${this.#kept.restore(name)}"`,
      texts: [...less, ...more],
      workflow: this.#firstOf(placed),
      step: name,
    });
    const waits = order.waitsOf(step);
    const isOfChain = !order.isGraph || step.background === 'service';
    const body = isCarried ? this.#step(step, draft) : undefined;
    return (alternatives.length === 0 ? [undefined] : alternatives).map((when, index) => ({
      name: index === 0 ? name : `${name} ${index + 1}`,
      ...(body ?? { image: 'base/busybox', commands: [`echo "To be written by hand: ${less.at(-1)}"; exit 1`] }),
      depends_on:
        isOfChain || (waits.length === 0 && draft.clone.isDisabled)
          ? undefined
          : waits.length === 0
            ? ['clone']
            : waits,
      when: isCarried ? when : { event: 'none' },
    }));
  }

  /** Why the step itself would be refused; `undefined` when it would not. */
  #refusal(step: StepDraft, draft: WorkflowDraft): string | undefined {
    const volumes = [
      ...draft.volumes.map(({ name }) => ({ name, temp: {} })),
      ...[...hostFoldersOf(draft)].map(([path, name]) => ({ name, host: { path } })),
    ];
    const document = { kind: 'pipeline', volumes, steps: [{ name: 's', ...this.#step(step, draft) }] };
    const { findings } = lintPipelineFile('.gantry.yml', importYaml(document, this.#kept));
    return findings.find(({ severity }) => severity === 'error')?.message;
  }

  #step(step: StepDraft, draft: WorkflowDraft): Readonly<Record<string, ImportValue>> {
    const settings: Record<string, ImportValue> = {};
    const environment: Record<string, ImportValue> = { ...step.environment };
    const put = (variable: string, value: ImportValue): void => {
      const setting = /^PLUGIN_([A-Z0-9_]+)$/.exec(variable)?.[1];
      if (setting !== undefined && step.kind === 'image') settings[setting.toLowerCase()] = value;
      else environment[variable] = value;
    };
    for (const [variable, value] of Object.entries(step.settings))
      put(variable, step.isCheckout ? asWritten(value) : value);
    for (const secret of step.secrets) put(secret.variable, secretOf(secret));
    return {
      image: step.image === '' ? undefined : step.image,
      pull: step.pull === 'default' ? undefined : step.pull === 'if-not-present' ? 'if-not-exists' : step.pull,
      detach: step.background === 'detached' ? true : undefined,
      user: step.user,
      resources: step.limits && resourcesOf(step.limits),
      shm_size: step.limits?.shmBytes === undefined ? undefined : writtenSize(step.limits.shmBytes),
      working_dir: step.workingDirectory?.replace(workspaceOf(draft), '.'),
      environment: nonEmpty(environment),
      settings: nonEmpty(settings),
      entrypoint: step.entrypoint,
      command: step.command,
      commands: step.commands.length === 0 ? undefined : step.commands,
      privileged: step.host?.isPrivileged,
      devices: step.host?.devices?.map(({ source, target, rights }) => `${source}:${target}:${rights}`),
      network_mode: step.host?.usesHostNetwork ? 'host' : undefined,
      failure: step.background === undefined ? importedFailure[step.onFailure] : undefined,
      ports:
        step.ports.length === 0
          ? undefined
          : step.ports.map(({ port, protocol }) => (protocol === 'tcp' ? port : `${port}/${protocol}`)),
      volumes:
        step.volumes.length + (step.host?.volumes?.length ?? 0) === 0
          ? undefined
          : [
              ...step.volumes
                .filter(({ name }) => draft.volumes.some((volume) => volume.name === name))
                .map(({ name, target }) => ({ name, path: target })),
              ...(step.host?.volumes ?? []).map(({ source, target }) => ({
                name: hostFoldersOf(draft).get(source)!,
                path: target,
              })),
            ],
    };
  }

  /** Variables of other systems that its commands name, and that the environment of `.gantry.yml` does not have. */
  #unknownNames(step: StepDraft): readonly string[] {
    if (this.#dialect === 'drone1') return [];
    const text = this.#kept.restore([...step.commands, ...Object.values(step.environment)].join('\n'));
    const named = new Set(text.matchAll(/\$\{?((?:CI|DRONE)_[A-Z0-9_]+)/g).map(([, name]) => name!));
    return [...named].filter((name) => !knownNames().has(name) && !Object.hasOwn(step.environment, name));
  }
}

interface Order {
  readonly names: ReadonlyMap<StepDraft, string>;
  /** Names of steps, the checkout and services left out. */
  waitsOf(step: StepDraft): readonly string[];
  /** Not one after the other: what each waits for has to be written. */
  readonly isGraph: boolean;
}

const keyOrder = [
  'kind',
  'type',
  'name',
  'trigger',
  'depends_on',
  'matrix',
  'platform',
  'node',
  'concurrency',
  'clone',
  'environment',
  'volumes',
  'services',
  'steps',
];

function inOrder(document: Readonly<Record<string, ImportValue>>): Readonly<Record<string, ImportValue>> {
  return Object.fromEntries(keyOrder.map((key) => [key, document[key]]));
}

function nonEmpty(map: Readonly<Record<string, ImportValue>>): Readonly<Record<string, ImportValue>> | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

let known: ReadonlySet<string> | undefined;

/** Names that commands of `.gantry.yml` find in their environment. */
function knownNames(): ReadonlySet<string> {
  known ??= new Set([
    ...Object.keys(
      stepEnvironment(sampleFacts, 'gantry', {
        workflow: {
          name: 'w',
          type: 'docker',
          number: 1,
          dependsOn: [],
          matrix: {},
          workspace: { base: '/', path: '' },
          environment: {},
        },
        step: { name: 's', number: 1, environment: {}, settings: {}, isPlugin: false },
      }),
    ),
    ...executionVariables,
    'DRONE_TAG',
    'DRONE_PULL_REQUEST',
    'DRONE_DEPLOY_TO',
    'DRONE_SEMVER',
    'DRONE_WORKSPACE',
  ]);
  return known;
}

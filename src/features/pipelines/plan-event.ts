import { isHeld } from '../../core/approval.ts';
import { GantryError } from '../../core/errors.ts';
import { type Event, isNoReuseOption, isSkippingOption } from '../../core/event.ts';
import type { Happening } from '../../core/events.ts';
import type { NewPipeline, Pipeline, PipelineFacts } from '../../core/pipeline.ts';
import type { PipelineSettings } from '../../core/pipeline-settings.ts';
import type { PipelinePlan } from '../../core/plan.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { LimitedLogin, LimitedSecret, PipelineUse, SecretVault } from '../../core/secret-vault.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { BlobIds } from '../../engine/cache-key.ts';
import { dialectOf } from '../../engine/choose-files.ts';
import { type CompileInput, type CompileResult, pipelineFilePaths } from '../../engine/compile-input.ts';
import type { LintCode } from '../../engine/lint-rules.ts';
import type { Clock } from '../../lib/clock.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import { type ApprovalAtBirth, approvalAtBirth, approvalNeedOf } from './approvals/approval-need.ts';
import { checkSignatures } from './approvals/check-signatures.ts';
import { refuseClosedSecrets } from './file-secrets.ts';
import { withIncludes } from './include-files.ts';
import { type OpenPipeline, openPipeline } from './open-pipelines.ts';
import { type InstallationRules, projectFacts } from './project-facts.ts';
import { readBlobIds } from './read-blob-ids.ts';
import { type ChangedPaths, readChangedPaths } from './read-changed-paths.ts';
import { readLimitBytes, readPipelineFiles } from './read-pipeline-files.ts';
import { traceRefusedLogins, traceRefusedSecrets } from './secret-refusals.ts';

/** Compiles in a process of its own, under the limits of R5. */
export interface PipelineCompiler {
  compile(input: CompileInput): Promise<CompileResult>;
}

export interface PlanEventDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<
    Repository,
    'resolve' | 'commit' | 'readFile' | 'listFolder' | 'changedPaths' | 'mergeBase'
  >;
  readonly compiler: PipelineCompiler;
  readonly secrets: Pick<SecretVault, 'importedKey' | 'list' | 'listLogins' | 'openEncrypted' | 'signingKey'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly installation?: InstallationRules | undefined;
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
  /** Told of a pipeline before it is committed, so that nobody thinks it forgotten; and of one that came to nothing. */
  readonly engine: { expect(pipelineId: number): void; unexpect(pipelineId: number): void };
}

/** What came of an event. `open` is there when steps are to be run, and only for the one who planned it. */
export interface Planned {
  readonly event: Event;
  readonly pipeline: Pipeline | undefined;
  readonly trace: readonly TraceEntry[];
  readonly open: OpenPipeline | undefined;
  /** Of the project, for the one who planned a pipeline. */
  readonly settings?: PipelineSettings;
}

const allZeros = /^0+$/;

/** Two plans of one project at once would want the same number; more often than this somebody else is at it. */
const numberTries = 5;

/**
 * Decides what comes of an event, and writes all of it in one commit: the pipeline with its workflows and steps, or the
 * trace that says why there is none. Planning the same event again answers what came of it the first time.
 */
export async function planEvent(deps: PlanEventDeps, eventId: number): Promise<Planned> {
  const { store } = deps;
  const event = await store.read.events.find(eventId);
  if (!event) throw new TypeError(`Cannot plan event ${eventId}: there is none with this id`);
  if (event.plannedAt) return answerPlanned(store, event);
  const project = await store.read.projects.find(event.projectId);
  if (!project)
    throw new GantryError('PROJECT_NOT_FOUND', `Cannot plan event ${eventId}: its project ${event.projectId} is gone`);

  const refusal = refuseEvent(event, project);
  if (refusal) return writeNothing(deps, event, [refusal]);
  const facts = await readFacts(deps, event, project);
  for (let tries = 1; tries <= numberTries; tries += 1) {
    const number = await store.read.pipelines.nextNumber(project.id);
    const createdAt = deps.clock.now();
    const input = compileInput(deps, event, project, facts, { number, createdAt });
    const compiled =
      facts.tooLarge ?? (await refuseClosedSecrets(deps.secrets, project.id, await deps.compiler.compile(input)));
    const trace = [...targetFileTrace(event, facts), ...facts.signatures, ...facts.changed.trace, ...compiled.trace];
    const result = withOrigin(event, { ...compiled, trace });
    if (result.kind === 'nothing') return writeNothing(deps, event, result.trace);
    const planned = await writePipeline(deps, event, project, input, withRefusedSecrets(result, event, facts), facts);
    if (planned) return planned;
  }
  throw new GantryError('SERVER_BUSY', `Cannot plan event ${eventId}: the number of its pipeline was taken each time`);
}

/** The trace tells which secrets are there and yet not given: the compiler knows names alone. */
function withRefusedSecrets(
  result: Exclude<CompileResult, { kind: 'nothing' }>,
  event: Event,
  { secrets, logins }: EventReading,
): Exclude<CompileResult, { kind: 'nothing' }> {
  if (result.kind !== 'planned') return result;
  const use: PipelineUse = {
    event: event.kind,
    branch: branchOf(event),
    isFork: event.pullRequest?.isFork === true,
    isUntrusted: event.trust === 'untrusted',
  };
  const refused = [
    ...traceRefusedSecrets(result.plan, { secrets, use }),
    ...traceRefusedLogins(result.plan, logins, use),
  ];
  return { ...result, trace: [...result.trace, ...refused] };
}

/** Ends the planning of an event that cannot be planned: a pipeline that failed says so. */
export async function failEvent(deps: PlanEventDeps, eventId: number, message: string): Promise<Planned> {
  const failing: PlanEventDeps = {
    ...deps,
    repository: noRepository,
    secrets: {
      list: () => Promise.resolve([]),
      listLogins: () => Promise.resolve([]),
      importedKey: () => Promise.resolve(undefined),
      openEncrypted: () => Promise.resolve([]),
      signingKey: () => Promise.resolve(undefined),
    },
    compiler: {
      compile: () => Promise.resolve({ kind: 'failed', path: pipelineFilePaths[0], error: { message }, trace: [] }),
    },
  };
  return planEvent(failing, eventId);
}

const noRepository: PlanEventDeps['repository'] = {
  resolve: () => Promise.resolve(undefined),
  commit: () => Promise.resolve(undefined),
  readFile: () => Promise.resolve(undefined),
  listFolder: () => Promise.resolve(undefined),
  changedPaths: () => Promise.resolve(undefined),
  mergeBase: () => Promise.resolve(undefined),
};

async function answerPlanned(store: UnitOfWork, event: Event): Promise<Planned> {
  const [pipeline, trace] = await Promise.all([
    event.pipelineId === undefined ? undefined : store.read.pipelines.find(event.pipelineId),
    store.read.events.trace(event.id),
  ]);
  return { event, pipeline, trace, open: undefined };
}

function refuseEvent(event: Event, project: Project): TraceEntry | undefined {
  const entry = (rule: TraceEntry['rule'], values: TraceEntry['values']): TraceEntry => ({
    subject: { kind: 'event' },
    rule,
    verdict: 'skipped',
    values,
  });
  if (allZeros.test(event.after))
    return event.kind === 'cron'
      ? entry('event.branch-missing', { branch: branchOf(event), cron: event.cron ?? '' })
      : entry('event.deleted-ref', { ref: event.ref });
  if (project.archivedAt) return entry('event.archived', {});
  if (project.pipelines.disabledEvents.includes(event.kind)) return entry('event.switched-off', { event: event.kind });
  if (event.pullRequest?.isFork && project.pipelines.ignoresForks)
    return entry('event.fork-ignored', { source: event.pullRequest.source });
  const asked = event.pushOptions?.find(isSkippingOption);
  return asked === undefined ? undefined : entry('event.push-option', { option: asked });
}

function targetFileTrace({ pullRequest }: Event, { filesFrom }: EventReading): readonly TraceEntry[] {
  if (filesFrom === undefined || !pullRequest) return [];
  const values = { branch: pullRequest.targetBranch, commit: filesFrom };
  return [{ subject: { kind: 'file' }, rule: 'event.target-file', verdict: 'noted', values }];
}

/** What began it, and what it repeats, is said first. */
function withOrigin(event: Event, result: CompileResult): CompileResult {
  const origin = originOf(event).map(
    (entry): TraceEntry => ({ subject: { kind: 'event' }, verdict: 'noted', ...entry }),
  );
  return origin.length === 0 ? result : { ...result, trace: [...origin, ...result.trace] };
}

function originOf(event: Event): readonly Pick<TraceEntry, 'rule' | 'values'>[] {
  const { webhook, parentNumber, pullRequest, personName } = event;
  const origin: Pick<TraceEntry, 'rule' | 'values'>[] = [];
  if (webhook !== undefined) origin.push({ rule: 'event.webhook', values: { webhook } });
  else if (parentNumber !== undefined && event.key.startsWith('rerun:')) {
    const parameters = Object.entries(event.parameters).map(([name, value]) => `${name}=${value}`);
    const text = parameters.join(', ').slice(0, 500);
    origin.push({ rule: 'event.repeats', values: { number: parentNumber, by: personName, parameters: text } });
  }
  if (pullRequest) {
    const { number, action, source, sourceBranch: branch, targetBranch: target } = pullRequest;
    origin.push({ rule: 'event.pull-request', values: { number, action, source, branch, target } });
    if (event.trust === 'untrusted') {
      const reason = pullRequest.isOutsider ? 'outsider' : 'fork';
      const by = pullRequest.isOutsider ? pullRequest.authorName : personName;
      origin.push({ rule: 'event.untrusted', values: { by, reason } });
    }
  }
  return origin;
}

interface EventReading {
  readonly commit: string;
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly files: CompileInput['files'];
  /** Commit whose pipeline file counts, where it is another. */
  readonly filesFrom: string | undefined;
  readonly secrets: readonly LimitedSecret[];
  readonly logins: readonly LimitedLogin[];
  readonly variables: Readonly<Record<string, string>>;
  readonly changed: ChangedPaths;
  readonly blobs: BlobIds;
  /** What is said of the project's signature on the files; empty where nobody asks for it. */
  readonly signatures: readonly TraceEntry[];
  /** A file too large to be read at all. */
  readonly tooLarge: CompileResult | undefined;
}

async function readFacts(deps: PlanEventDeps, event: Event, project: Project): Promise<EventReading> {
  const { repository, secrets, store } = deps;
  // An annotated tag reads a tag object: the commit is behind it.
  const commit =
    event.kind === 'tag'
      ? ((await repository.resolve(event.projectId, event.after))?.commit ?? event.after)
      : event.after;
  const filesFrom = event.pullRequest && project.pipelines.usesTargetFile ? event.before : undefined;
  const [details, known, logins, variables, files] = await Promise.all([
    repository.commit(event.projectId, commit),
    secrets.list(event.projectId),
    secrets.listLogins(event.projectId),
    store.read.variables.valuesFor(event.projectId),
    readPipelineFiles(repository, event.projectId, filesFrom ?? commit, project.pipelines.path),
  ]);
  const [first] = files;
  const signatures = await checkSignatures(secrets, event, project, files);
  const including = { project, commit: filesFrom ?? commit, isSigned: signatures.length > 0 };
  const texts = files.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
  const whole = await withIncludes(deps, including, texts);
  // What they ask for beside the file itself is looked up as if it stood in it.
  const included = (whole[0]?.includes ?? []).flatMap(({ name, text }) =>
    text === undefined ? [] : [{ path: name, text }],
  );
  return {
    commit,
    message: details?.message ?? '',
    authorName: details?.authorName ?? '',
    authorEmail: details?.authorEmail ?? '',
    files: whole,
    filesFrom,
    secrets: known,
    logins,
    variables,
    changed: await readChangedPaths(deps, event, project, commit, [...files, ...included]),
    blobs: await readBlobIds(repository, event.projectId, commit, [...files, ...included]),
    signatures,
    tooLarge: first && first.text === undefined ? refuseFile(first.path) : undefined,
  };
}

function isSigned({ signatures }: EventReading): boolean {
  return signatures.every(({ rule }) => rule === 'signature.valid');
}

function refuseFile(path: string): CompileResult {
  const message = `Cannot run ${path}: it has more than ${readLimitBytes} bytes`;
  const values = { path, bytes: readLimitBytes, limit: readLimitBytes };
  return {
    kind: 'failed',
    path,
    error: { message, code: 'file.too-large' satisfies LintCode, path },
    trace: [{ subject: { kind: 'file' }, rule: 'file.too-large', verdict: 'failed', values }],
  };
}

function compileInput(
  { installation, publicUrl }: Pick<PlanEventDeps, 'installation' | 'publicUrl'>,
  event: Event,
  project: Project,
  facts: EventReading,
  pipeline: { readonly number: number; readonly createdAt: Date },
): CompileInput {
  const kept = projectFacts(project, publicUrl(), facts.variables, installation);
  return {
    ...kept,
    rules: { ...kept.rules, ...whatStarterIgnores(event, kept.rules) },
    files: facts.files,
    blobs: facts.blobs,
    event: {
      kind: event.kind,
      ref: event.ref,
      branch: branchOf(event),
      before: event.before,
      commit: facts.commit,
      message: facts.message,
      authorName: facts.authorName,
      authorEmail: facts.authorEmail,
      personName: event.personName,
      parameters: event.parameters,
      target: event.target,
      schedule: event.cron,
      parentNumber: event.parentNumber,
      changedPaths: facts.changed.paths,
      ...(event.pullRequest ? { pullRequest: event.pullRequest } : {}),
      ...(event.trust ? { trust: event.trust } : {}),
    },
    pipeline: { ...pipeline, link: `${kept.project.link}/pipelines/${pipeline.number}` },
    secretNames: facts.secrets.map(({ name }) => name),
    stepTimeoutMs: project.stepTimeoutMs,
  };
}

/** What a project has switched off is off by the project, whoever else asked for it. */
function whatStarterIgnores(event: Event, rules: PipelineFacts['rules']): PipelineFacts['rules'] {
  const ignoresReuse = event.ignoresReuse || event.pushOptions?.some(isNoReuseOption);
  return {
    ...(event.ignoresCaches && !rules?.ignoresCaches ? { ignoresCaches: 'start' } : {}),
    ...(ignoresReuse ? { ignoresReuse: 'start' } : {}),
  };
}

/** The branch; for a tag, its name; for a pull request, the branch that it is for. */
export function branchOf({ ref, pullRequest }: Pick<Event, 'ref' | 'pullRequest'>): string {
  return pullRequest?.targetBranch ?? ref.replace(/^refs\/(heads|tags)\//, '');
}

async function writeNothing(deps: PlanEventDeps, event: Event, trace: readonly TraceEntry[]): Promise<Planned> {
  const { store, clock } = deps;
  await failpoint('plan.beforeCommit');
  const planned = await store.write(async (stores) => {
    const now = await stores.events.find(event.id);
    if (now?.plannedAt) return false;
    await stores.events.markPlanned(event.id, clock.now(), undefined, trace);
    await stores.happenings.append(
      [{ type: 'event-planned', projectId: event.projectId, eventId: event.id, pipelineId: null }],
      clock.now(),
    );
    return true;
  });
  await failpoint('plan.afterCommit');
  return planned ? { event, pipeline: undefined, trace, open: undefined } : answerAgain(store, event.id);
}

/** Somebody else planned it in between. */
async function answerAgain(store: UnitOfWork, eventId: number): Promise<Planned> {
  return answerPlanned(store, (await store.read.events.find(eventId))!);
}

/** `undefined` when the pipeline's number was taken in between. */
async function writePipeline(
  deps: PlanEventDeps,
  event: Event,
  project: Project,
  input: CompileInput,
  result: Exclude<CompileResult, { kind: 'nothing' }>,
  facts: EventReading,
): Promise<Planned | undefined> {
  const { store, clock, engine } = deps;
  const need =
    result.kind === 'planned' ? approvalNeedOf(project, event, facts.commit, facts.files, isSigned(facts)) : undefined;
  let trace = result.trace;
  const plan = planOf(result);
  let expected: number | undefined;
  await failpoint('plan.beforeCommit');
  const writing = store.write(async (stores) => {
    const now = await stores.events.find(event.id);
    if (now?.plannedAt) return 'planned' as const;
    // Looked up in the very write: a decision that is made meanwhile is either seen here or finds a pipeline that waits.
    const approval = need && (await approvalAtBirth(stores, need));
    const created = await stores.pipelines.create(
      newPipeline(event, input, result, { approval, filesFrom: facts.filesFrom }),
      plan,
    );
    if (!created) return 'number-taken' as const;
    if (need && approval) {
      const { state, hasSecrets, decidedBy } = approval;
      const pipelineId = created.pipeline.id;
      await stores.approvals.create({ ...need, pipelineId, state, hasSecrets, decidedBy, createdAt: clock.now() });
      trace = [...result.trace, approval.trace];
    }
    if (result.kind === 'planned') {
      expected = created.pipeline.id;
      engine.expect(expected);
    }
    const at = clock.now();
    const { id, number, status } = created.pipeline;
    await stores.events.markPlanned(event.id, at, id, trace);
    const { projectId } = event;
    const happenings: Happening[] = [
      { type: 'pipeline-changed', projectId, pipelineId: id, number, status },
      { type: 'event-planned', projectId, eventId: event.id, pipelineId: id },
    ];
    await stores.happenings.append(happenings, at);
    return created;
  });
  writing.catch(() => {
    if (expected !== undefined) engine.unexpect(expected);
  });
  const written = await writing;
  await failpoint('plan.afterCommit');
  if (written === 'number-taken') return undefined;
  if (written === 'planned') return answerAgain(store, event.id);

  const stepsOf = Map.groupBy(written.steps, ({ workflowId }) => workflowId);
  const rows = written.workflows.map((workflow) => ({ workflow, steps: stepsOf.get(workflow.id) ?? [] }));
  const open = result.kind === 'planned' ? openPipeline(written.pipeline, projectSlug(project), rows) : undefined;
  return { event, pipeline: written.pipeline, trace, open, settings: project.pipelines };
}

function newPipeline(
  event: Event,
  input: CompileInput,
  result: Exclude<CompileResult, { kind: 'nothing' }>,
  { approval, filesFrom }: { readonly approval: ApprovalAtBirth | undefined; readonly filesFrom: string | undefined },
): NewPipeline {
  const { createdAt, number } = input.pipeline;
  const path = result.kind === 'planned' ? result.plan.path : result.path;
  return {
    projectId: event.projectId,
    expectedNumber: number,
    eventId: event.id,
    event: event.kind,
    status: result.kind === 'failed' ? 'failed' : isHeld(approval?.state) ? 'blocked' : statusAtBirth(result.plan),
    ref: event.ref,
    branch: input.event.branch,
    commit: input.event.commit,
    before: event.before,
    message: input.event.message,
    authorName: input.event.authorName,
    authorEmail: input.event.authorEmail,
    personName: event.personName,
    parameters: event.parameters,
    target: event.target,
    parentNumber: event.parentNumber,
    cron: event.cron,
    ...(event.pullRequest ? { pullRequest: event.pullRequest } : {}),
    ...(event.trust ? { trust: event.trust } : {}),
    ...(approval ? { approval: approval.state, hasApprovedSecrets: approval.hasSecrets } : {}),
    path,
    dialect: planOf(result).dialect,
    facts: {
      ...factsToKeep(input),
      ...(filesFrom === undefined ? {} : { filesFrom }),
      ...(input.files[0]?.includes ? { includes: input.files[0].includes } : {}),
    },
    createdAt,
    ...(result.kind === 'failed' ? { error: result.error, startedAt: createdAt, finishedAt: createdAt } : {}),
  };
}

/** What cannot be asked for again once settings have changed. */
function factsToKeep({ project, instanceUrl, architecture, variables, rules }: CompileInput): PipelineFacts {
  return { project, instanceUrl, architecture, variables, rules };
}

function statusAtBirth({ workflows }: PipelinePlan): 'queued' | 'blocked' {
  const canRun = workflows.some(({ dependsOn, blocked }) => dependsOn.length === 0 && blocked === undefined);
  return canRun ? 'queued' : 'blocked';
}

function planOf(result: Exclude<CompileResult, { kind: 'nothing' }>): PipelinePlan {
  if (result.kind === 'planned') return result.plan;
  return { dialect: dialectOf({ path: result.path, text: '' }), path: result.path, workflows: [] };
}

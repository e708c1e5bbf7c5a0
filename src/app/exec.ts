import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { CheckoutSource } from '../core/checkout.ts';
import { GantryError } from '../core/errors.ts';
import { secretsOf } from '../core/network-settings.ts';
import type { PipelineStatus } from '../core/pipeline.ts';
import { hostTrusts } from '../core/pipeline-settings.ts';
import type { PipelinePlan, WorkflowPlan } from '../core/plan.ts';
import { unmetRouting } from '../core/routing.ts';
import { chooseRuntime, type RuntimeName } from '../core/runtime-choice.ts';
import type { CompileInput, CompileResult, CompileRules } from '../engine/compile-input.ts';
import { readBlobIds } from '../features/pipelines/read-blob-ids.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { jsonLogger } from '../lib/logger.ts';
import { ownIdentity } from '../lib/process-identity.ts';
import { systemTimers } from '../lib/timers.ts';
import { startRunner } from '../runner/runner.ts';
import { builderAddress, builderSettings } from './builder.ts';
import type { Config } from './config.ts';
import { ExecArtifacts } from './exec-artifacts.ts';
import { gatherLocally } from './exec-checkout.ts';
import { ExecDesk, type ExecListener } from './exec-desk.ts';
import { type ExecEvent, type LocalInput, localInput } from './exec-event.ts';
import { execKeeping } from './exec-keeping.ts';
import { type Snapshot, takeSnapshot } from './exec-snapshot.ts';
import { knownLabels } from './known-labels.ts';
import { localCompiler } from './local-compiler.ts';
import { withLocalIncludes } from './local-includes.ts';
import { openBuilder } from './open-builder.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { runtimePolicy, runtimeSettings } from './runner-settings.ts';
import { openRuntimes } from './runtime.ts';

export interface ExecRequest {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly event: ExecEvent;
  /** A commit instead of the working tree. */
  readonly revision?: string | undefined;
  /** A pipeline file instead of the usual ones; relative to `folder`. */
  readonly file?: string | undefined;
  /** Where the project lives, as far as the folder says. */
  readonly project?: { readonly url: string; readonly slug: string } | undefined;
  /** Lower-case names of the secrets that there are. */
  readonly secretNames: readonly string[];
  /** Steps run without caches, and so without results of earlier ones. */
  readonly ignoresCaches?: boolean;
  /** Steps run although earlier results could stand for them. */
  readonly ignoresReuse?: boolean;
  /** What the server says of the project; absent = it was not asked, and this host's own limits count. */
  readonly known?:
    | (NonNullable<LocalInput['known']> & {
        readonly stepTimeoutMs: number;
        readonly rules: CompileRules;
      })
    | undefined;
}

/** A pipeline that could be run: compiled for its event, nothing started yet. */
export interface PreparedExec {
  readonly snapshot: Snapshot;
  readonly input: CompileInput;
  readonly result: CompileResult;
}

/** A secret that a step asks for and nobody has given. */
export interface MissingSecret {
  readonly name: string;
  /** The step is not run without it (`.gantry.yml`, Woodpecker); elsewhere its variable stays unset. */
  readonly isRequired: boolean;
  readonly steps: readonly string[];
}

/** Takes the snapshot and compiles it for the event, as the server would. Call `snapshot.release()` in the end. */
export async function prepareExec(request: ExecRequest): Promise<PreparedExec> {
  const { config, environment, event, file, folder, revision, known } = request;
  const snapshot = await takeSnapshot({
    folder,
    cacheFolder: execFolder(config),
    revision,
    environment,
    pipelinePath: known?.rules.path,
  });
  try {
    const files = await withLocalIncludes(
      file === undefined ? snapshot.files : [readFile(folder, file)],
      snapshot.readFile,
    );
    const input = localInput({
      files,
      blobs: await readBlobIds({ listFolder: (_, __, path) => snapshot.listFolder(path) }, 0, snapshot.commit, files),
      event,
      commit: snapshot,
      personName: environment['USER'] ?? snapshot.authorName,
      project: request.project ?? { name: basename(snapshot.folder) },
      secretNames: request.secretNames,
      stepTimeoutMs: known?.stepTimeoutMs ?? config.stepTimeout,
      known,
      // Whoever runs it here may do with this machine what they like.
      rules: {
        ...(file === undefined ? known?.rules : { ...known?.rules, path: undefined }),
        runtime: runtimePolicy(config),
        trusts: hostTrusts,
        privilegedImages: config.privilegedImages,
        hasNoBuilder: builderAddress(config) === undefined,
        ...(request.ignoresCaches ? { ignoresCaches: 'start' } : {}),
        ...(request.ignoresReuse ? { ignoresReuse: 'start' } : {}),
      },
    });
    return { snapshot, input, result: await localCompiler().compile(input) };
  } catch (error) {
    await snapshot.release();
    throw error;
  }
}

/** Secrets that steps of the plan ask for and that are not among `names`, each once. */
export function missingSecrets(plan: PipelinePlan, names: readonly string[]): readonly MissingSecret[] {
  const missing = new Map<string, { name: string; isRequired: boolean; steps: string[] }>();
  for (const workflow of plan.workflows)
    for (const step of workflow.steps) {
      if (step.skipped) continue;
      for (const { secret, isRequired } of step.secrets) {
        if (names.includes(secret)) continue;
        const known = missing.get(secret) ?? { name: secret, isRequired: false, steps: [] };
        known.isRequired ||= isRequired;
        if (!known.steps.includes(step.name)) known.steps.push(step.name);
        missing.set(secret, known);
      }
    }
  return [...missing.values()];
}

export interface RunExecRequest {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly prepared: PreparedExec;
  readonly plan: PipelinePlan;
  /** By lower-case name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly listener: ExecListener;
  readonly clock?: Clock;
}

export interface ExecRun {
  /** Resolves when everything has ended and is removed. */
  readonly ended: Promise<PipelineStatus>;
  readonly desk: ExecDesk;
  /** Stops what runs; the second time without waiting for it. */
  cancel(): void;
}

/**
 * Runs a plan in this process: the server's engine and the runner's code, with a record in memory between them. Throws
 * RUNTIME_UNAVAILABLE, with what to do about it, when steps cannot be run on this host.
 */
export async function runExec(request: RunExecRequest): Promise<ExecRun> {
  const { config, environment, prepared, clock = systemClock } = request;
  const { snapshot, input } = prepared;
  const logger = jsonLogger(config.logLevel === 'info' ? 'error' : config.logLevel);
  // Images are shared with servers of this host; what steps write is not.
  const own = { ...config, dataFolder: execFolder(config) };
  const identity = ownIdentity();
  const settings = runtimeSettings(own, environment, openRunnerFolder(own));
  const examined = await openRuntimes(settings, { instanceId: 'exec', ...identity }, { clock, logger });
  const runtimes = examined.flatMap((each) => each.runtime ?? []);
  const [runtime, ...furtherRuntimes] = runtimes;
  if (!runtime || !examined.some(({ probe }) => probe.isUsable)) {
    for (const each of examined) await each.runtime?.close();
    const findings = examined.flatMap(({ probe }) => probe.findings);
    throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot run steps on this host: ${findings.join('; ')}${whatToDo()}`);
  }
  const { event, project } = input;
  const artifacts = new ExecArtifacts();
  const plan = placed(
    request.plan,
    runtimes.map(({ name }) => name as RuntimeName),
    config.runnerLabels,
  );
  const repository: CheckoutSource = {
    folder: snapshot.repository,
    remoteUrl: project.cloneUrl,
    commit: snapshot.commit,
    ref: event.ref,
    ...(event.ref.startsWith('refs/heads/') ? { branch: event.branch } : {}),
  };
  const desk = new ExecDesk({
    plan,
    kept: await Promise.all(plan.workflows.map((workflow) => execKeeping(prepared, workflow))),
    repository,
    gather: ({ clone }, note) => gatherLocally(clone, repository, snapshot.folder, note),
    projectSlug: `${project.owner}/${project.name}`,
    logLimitBytes: config.logLimit,
    slots: config.slots,
    secrets: request.secrets,
    listener: request.listener,
    artifacts,
    clock,
  });
  const runner = startRunner({
    connect: () => Promise.resolve(desk.connect()),
    runtime,
    furtherRuntimes,
    labels: knownLabels(),
    ownLabels: config.runnerLabels,
    slots: config.slots,
    runnerId: 'exec',
    generation: `${identity.pid}.${identity.startTicks}.${identity.bootId}`,
    build: await openBuilder(builderSettings(own, environment), { clock, logger }),
    stepLimits: {
      memoryBytes: config.stepMemory,
      cpuMillis: config.stepCpus,
      pids: config.stepPids,
      diskBytes: config.stepDisk,
    },
    serviceReadyLimitMs: config.serviceReadyLimit,
    alwaysMasked: settings.flatMap((each) => (each.kind === 'scripted' ? [] : secretsOf(each.network))),
    clock,
    timers: systemTimers,
    logger,
  });
  // Timers of the runner do not keep the process; a step that is silent must.
  const stay = setInterval(() => undefined, 2 ** 30);
  let cancels = 0;
  return {
    desk,
    cancel() {
      cancels += 1;
      if (cancels === 1) desk.cancel('Ctrl-C');
      else void runner.stop();
    },
    ended: (async () => {
      try {
        const status = await Promise.race([desk.ended, runner.left.then((): PipelineStatus => 'cancelled')]);
        runner.drain();
        await runner.left;
        return status;
      } finally {
        clearInterval(stay);
        await artifacts.remove();
        await snapshot.release();
      }
    })(),
  };
}

function whatToDo(): string {
  return process.getuid?.() === 0
    ? ''
    : '. This user is not root: run it with sudo, or allow user namespaces to this user and install bubblewrap';
}

/** Repositories, uppers and checkouts of `gantry exec`, apart from those of servers. */
function execFolder({ cacheFolder }: Pick<Config, 'cacheFolder'>): string {
  return join(cacheFolder, 'exec');
}

function readFile(folder: string, path: string): { readonly path: string; readonly text: string } {
  try {
    return { path, text: readFileSync(resolve(folder, path), 'utf8') };
  } catch (error) {
    throw new GantryError('PATH_NOT_FOUND', `Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The plan for this machine: what it cannot run is blocked, with the reason, and the others run. */
function placed(
  plan: PipelinePlan,
  offered: readonly RuntimeName[],
  ownLabels: Readonly<Record<string, string>>,
): PipelinePlan {
  const whyNot = ({ routing, runtime }: WorkflowPlan): string | undefined => {
    const unmet = unmetRouting(routing, { known: knownLabels(), own: ownLabels });
    if (unmet.length > 0) return `this machine does not have ${unmet.join(', ')}`;
    if (chooseRuntime(runtime, offered)) return undefined;
    return `it needs ${runtime?.allowed.join(' or ')}, and this machine offers ${offered.join(', ')}`;
  };
  return {
    ...plan,
    workflows: plan.workflows.map((workflow) => {
      const blocked = workflow.blocked ?? whyNot(workflow);
      return blocked === undefined ? workflow : { ...workflow, blocked };
    }),
  };
}

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ExecRequest, PreparedExec } from '../../app/exec.ts';
import type { ExecEvent } from '../../app/exec-event.ts';
import { GantryError } from '../../core/errors.ts';
import type { PipelineStatus } from '../../core/pipeline.ts';
import type { PipelinePlan } from '../../core/plan.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { CompileInput } from '../../engine/compile-input.ts';
import { formatDuration } from '../../lib/duration.ts';
import type { Cli } from '../cli.ts';
import { addEventOptions, type EventOptions, eventOf } from '../event-options.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { addJson, addProject, collect, type JsonOption, type ProjectOption } from '../options.ts';
import { askAboutProject } from '../project-of-server.ts';
import { parseSecretFile, SecretFileError } from '../secret-file.ts';
import { printable } from '../text-width.ts';

interface ExecOptions extends JsonOption, ProjectOption, EventOptions {
  readonly secretFile?: readonly string[];
  readonly secret?: readonly string[];
  readonly at?: string;
  readonly workflow?: readonly string[];
  readonly only?: true;
  readonly file?: string;
  readonly runtime?: string;
  readonly like?: string;
  /** Commander's form of `--no-cache` and `--no-reuse`. */
  readonly cache: boolean;
  readonly reuse: boolean;
}

const maxSecretFileBytes = 2 ** 20;

/** `gantry exec [STEP…]`: the server's compiler, engine and runtimes, here. Exit code as that of `pipeline watch`. */
export function addExec(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addEventOptions(
    addJson(addProject(parent.command('exec [steps...]').description(texts.commands.exec), cli), cli),
    cli,
  )
    .option('--secret-file <file>', texts.options.execSecretFile, collect)
    .option('--secret <name>', texts.options.execSecret, collect)
    .option('--at <revision>', texts.options.execAt)
    .option('--workflow <name>', texts.options.execWorkflow, collect)
    .option('--only', texts.options.execOnly)
    .option('--file <path>', texts.options.execFile)
    .option('--runtime <name>', texts.options.execRuntime)
    .option('--like <number>', texts.options.execLike)
    .option('--no-cache', texts.options.noCache)
    .option('--no-reuse', texts.options.noReuse)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry exec\n  gantry exec unit --secret-file .env\n  gantry exec --target production -P VERSION=1.4\n  gantry exec --event tag --branch v1.4.0\n  gantry exec --like 4127\n`,
    )
    .action(async (steps: readonly string[], options: ExecOptions) => {
      const [{ readConfig }, exec] = await Promise.all([import('../../app/config.ts'), import('../../app/exec.ts')]);
      const { config } = readConfig({
        environment: cli.io.environment,
        flags: options.runtime === undefined ? {} : { runtime: options.runtime },
      });
      const secrets = await readSecrets(cli, options);
      const clone = await cli.clone();
      const known = await askAboutProject(cli, options.project);
      const request: ExecRequest = {
        config,
        environment: cli.io.environment,
        folder: cli.io.workingFolder,
        event: options.like === undefined ? eventOf(cli, options) : await eventLike(cli, options.like, options),
        revision: options.at,
        file: options.file,
        project: clone && { url: clone.url, slug: options.project ?? clone.slug },
        secretNames: [...secrets.keys()],
        ignoresCaches: !options.cache,
        ignoresReuse: !options.reuse,
        known,
      };
      const prepared = await exec.prepareExec(request);
      try {
        const plan = await planOf(cli, prepared, steps, options);
        await refuseMissingSecrets(cli, exec.missingSecrets(plan, request.secretNames));
        await run(cli, { ...request, prepared, plan, secrets, timeoutMs: known?.timeoutMs ?? null }, options);
      } finally {
        await prepared.snapshot.release();
      }
    });
}

/** The event of a pipeline that the server ran; parameters may be given besides. */
async function eventLike(cli: Cli, given: string, options: ExecOptions): Promise<ExecEvent> {
  for (const option of ['event', 'branch', 'ref', 'target', 'cron'] as const)
    if (options[option] !== undefined)
      throw new GantryError('USAGE_WRONG', cli.texts.errors.notWithLike(`--${option}`));
  const params = await cli.project(options.project);
  const session = await cli.connect();
  const number = await cli.pipelineNumber(session, params, given);
  const { event, branch, ref, target, parent, parameters } = await session.client('getPipeline', {
    params: { ...params, number },
  });
  const own = eventOf(cli, options);
  return {
    ...own,
    kind: event,
    branch,
    ref,
    target: target ?? undefined,
    parentNumber: parent ?? undefined,
    parameters: { ...parameters, ...own.parameters },
  };
}

/** Of several that name the same secret the last counts; an answer to a question counts more than a file. */
async function readSecrets(cli: Cli, options: ExecOptions): Promise<ReadonlyMap<string, string>> {
  const secrets = new Map<string, string>();
  for (const path of options.secretFile ?? []) {
    const text = path === '-' ? await cli.io.stdin.readAll() : readText(cli, path);
    if (Buffer.byteLength(text) > maxSecretFileBytes)
      throw new GantryError('USAGE_WRONG', cli.texts.errors.bigSecretFile(path, '1 MiB'));
    try {
      for (const [name, value] of parseSecretFile(text)) secrets.set(name, value);
    } catch (error) {
      if (!(error instanceof SecretFileError)) throw error;
      throw new GantryError('USAGE_WRONG', cli.texts.errors.badSecretLine(path, error.line), { cause: error });
    }
  }
  for (const name of options.secret ?? [])
    secrets.set(name.toLowerCase(), await cli.ask.hidden(cli.texts.askSecret(name), '--secret-file FILE'));
  return secrets;
}

function readText(cli: Cli, path: string): string {
  try {
    return readFileSync(resolve(cli.io.workingFolder, path), 'utf8');
  } catch (error) {
    throw new GantryError('PATH_NOT_FOUND', cli.texts.errors.noFile(path, (error as Error).message), { cause: error });
  }
}

/** What is to be run; ends the command where that is nothing. */
async function planOf(
  cli: Cli,
  { input, result }: PreparedExec,
  steps: readonly string[],
  options: ExecOptions,
): Promise<PipelinePlan> {
  const { out, texts } = cli;
  const { sentenceOf } = await import('../trace-sentence.ts');
  const sentence = (entry: TraceEntry): string => printable(sentenceOf(entry, cli));
  const why = result.trace.map((entry) => ({ ...entry, sentence: sentenceOf(entry, cli) }));
  if (result.kind === 'failed') {
    const { error } = result;
    if (options.json !== undefined) await out.jsonLine({ type: 'end', status: 'failed', error, why }, '*');
    else await showFindings(cli, result.path, input, [...result.trace].filter(isAboutFile).map(sentence));
    throw new Exit(exitCodes.endedBadly);
  }
  if (result.kind === 'nothing') {
    const decisive = result.trace.filter(({ verdict }) => verdict !== 'noted');
    if (options.json !== undefined) await out.jsonLine({ type: 'end', status: 'nothing', why }, '*');
    else {
      await out.note(texts.exec.nothing);
      for (const entry of decisive) await out.note(`  ${sentence(entry)}`);
    }
    const isMissing = result.trace.some(({ rule }) => rule === 'file.missing');
    throw new Exit(isMissing || steps.length > 0 ? exitCodes.notFound : exitCodes.done);
  }
  const { chooseSteps } = await import('../../engine/choose-steps.ts');
  const chosen = chooseSteps(result.plan, {
    steps,
    workflows: options.workflow ?? [],
    isAlone: options.only ?? false,
  });
  if (chosen.kind === 'unknown') {
    const known = result.plan.workflows.flatMap((workflow) =>
      workflow.steps.map(({ name }) => (result.plan.workflows.length > 1 ? `${workflow.name}/${name}` : name)),
    );
    throw new GantryError('STEP_NOT_FOUND', texts.errors.noSuchSteps(chosen.names.join(', '), known.join(', ')));
  }
  // Whoever names a step wants it to run: that its conditions leave it out is no success.
  const named = chosen.plan.workflows.flatMap((workflow) =>
    workflow.steps.filter(({ name }) => steps.includes(name) || steps.includes(`${workflow.name}/${name}`)),
  );
  const leftOut = named.flatMap(({ skipped }) => (skipped ? [skipped] : []));
  if (named.length > 0 && leftOut.length === named.length)
    throw new GantryError('NO_PIPELINE_MATCHED', texts.errors.stepsLeftOut(leftOut.map(sentence).join(' ')));
  return chosen.plan;
}

function isAboutFile({ rule }: TraceEntry): boolean {
  return rule === 'file.invalid' || rule === 'file.too-large';
}

/** Why a file does not compile, with its lines; of one that is no plain text only the sentences. */
async function showFindings(cli: Cli, path: string, input: CompileInput, sentences: readonly string[]): Promise<void> {
  const { out, texts } = cli;
  const [{ lintPipelineFile }, { findingLines }] = await Promise.all([
    import('../../engine/lint.ts'),
    import('../finding-lines.ts'),
  ]);
  const text = input.files.find((file) => file.path === path)?.text ?? '';
  const errors = lintPipelineFile(path, text, input).findings.filter(
    ({ severity, code }) => severity === 'error' && code !== 'file.program',
  );
  for (const finding of errors) for (const line of findingLines(cli, path, text, finding)) await out.note(line);
  if (errors.length === 0) for (const said of sentences) await out.note(`${out.paintNote('red', texts.error)} ${said}`);
}

async function refuseMissingSecrets(
  { out, texts }: Cli,
  missing: readonly { readonly name: string; readonly isRequired: boolean; readonly steps: readonly string[] }[],
): Promise<void> {
  const listed = (all: typeof missing): string =>
    all.map(({ name, steps }) => texts.exec.missingOf(printable(name), printable(steps.join(', ')))).join(', ');
  const required = missing.filter(({ isRequired }) => isRequired);
  if (required.length > 0) throw new GantryError('SECRET_NOT_GIVEN', texts.errors.missingSecrets(listed(required)));
  if (missing.length > 0) await out.note(out.paintNote('yellow', `${texts.exec.missing} ${listed(missing)}`));
}

async function run(
  cli: Cli,
  request: ExecRequest & {
    readonly prepared: PreparedExec;
    readonly plan: PipelinePlan;
    readonly secrets: ReadonlyMap<string, string>;
    /** Of the whole pipeline, as the project says; null: none. */
    readonly timeoutMs: number | null;
  },
  options: ExecOptions,
): Promise<void> {
  const { out, texts, io } = cli;
  const [{ runExec }, { execView }] = await Promise.all([import('../../app/exec.ts'), import('../exec-view.ts')]);
  const view = execView(cli, request.plan, options.json);
  let hasInterrupted = false;
  try {
    await view.begin(request.prepared, request.plan);
    const startedMs = performance.now();
    const running = await runExec({ ...request, listener: view });
    const leave = (['SIGINT', 'SIGTERM'] as const).map((signal) =>
      io.onSignal(signal, () => {
        if (!hasInterrupted) void out.note(texts.exec.cancelling);
        hasInterrupted = true;
        running.cancel();
      }),
    );
    const limit =
      request.timeoutMs === null
        ? undefined
        : setTimeout(() => {
            void out.note(texts.exec.overtime(formatDuration(request.timeoutMs ?? 0)));
            running.cancel();
          }, request.timeoutMs);
    let status: PipelineStatus;
    try {
      status = await running.ended;
    } finally {
      for (const stop of leave) stop();
      clearTimeout(limit);
    }
    const steps = running.desk.workflows.flatMap((workflow) => workflow.steps);
    await view.end(status, steps, performance.now() - startedMs);
    if (options.json === undefined)
      for (const { name, plan, status: stands } of running.desk.workflows)
        if (stands === 'blocked' && plan.blocked !== undefined)
          await out.note(`  ${printable(texts.exec.blocked(name, plan.blocked))}`);
    if (hasInterrupted) throw new Exit(exitCodes.interrupted);
    if (status !== 'passed') throw new Exit(status === 'infrastructure' ? exitCodes.failed : exitCodes.endedBadly);
  } finally {
    view.close();
  }
}

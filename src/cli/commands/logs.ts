import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ApiError } from '../../api/client.ts';
import type { Problem } from '../../api/operation.ts';
import type { StepView } from '../../api/pipelines.ts';
import { GantryError } from '../../core/errors.ts';
import type { Cli, ProjectParams, Session } from '../cli.ts';
import { addProject, type ProjectOption, wholeNumber } from '../options.ts';
import { printable } from '../text-width.ts';

interface LogsOptions extends ProjectOption {
  readonly attempt?: string;
  readonly follow?: true;
  readonly failed?: true;
  readonly timestamps?: true;
  readonly output?: string;
}

/** `gantry logs [NUMBER] [[WORKFLOW/]STEP]`: the bytes go to stdout as they are, names of steps to stderr. */
export function addLogs(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('logs [number] [step]').description(texts.commands.logs), cli)
    .option('--attempt <number>', texts.options.attempt)
    .option('-f, --follow', texts.options.follow)
    .option('--failed', texts.options.failedSteps)
    .option('-t, --timestamps', texts.options.timestamps)
    .option('-o, --output <file>', texts.options.output)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry logs 42 unit\n  gantry logs -f\n  gantry logs 42 --failed\n  gantry logs 42 unit --timestamps\n  gantry logs 42 --output logs.txt\n`,
    )
    .action(async (first: string | undefined, second: string | undefined, options: LogsOptions) => {
      const attempt = options.attempt === undefined ? undefined : wholeNumber(cli, '--attempt', options.attempt);
      const params = await cli.project(options.project);
      const session = await cli.connect();
      // With one word that is no number, the newest pipeline is meant.
      const isStepFirst = first !== undefined && second === undefined && !/^#?\d+$/.test(first);
      const number = await cli.pipelineNumber(session, params, isStepFirst ? undefined : first);
      const name = isStepFirst ? first : second;
      const steps = await chooseSteps(cli, session, params, { number, name, attempt, failed: options.failed === true });
      const place = { session, params, number };
      if (options.output !== undefined)
        return writeLogs(cli, place, steps, { ...options, output: options.output, hasHeads: name === undefined });
      for (const step of steps) {
        if (name === undefined) await out.note(out.paintNote('bold', headOf(step)));
        await copyLog(cli, place, step, options, (bytes) => out.bytes(bytes));
      }
    });
}

interface Choice {
  readonly number: number;
  readonly name: string | undefined;
  readonly attempt: number | undefined;
  readonly failed: boolean;
}

async function chooseSteps(
  cli: Cli,
  session: Session,
  params: ProjectParams,
  { number, name, attempt, failed }: Choice,
): Promise<readonly StepView[]> {
  const { texts } = cli;
  const request = { params: { ...params, number } };
  const all =
    attempt === undefined
      ? (await session.client('getPipeline', request)).steps
      : (await session.client('listStepAttempts', request)).items;
  const kept = failed ? all.filter(({ status }) => status === 'failed') : all;
  if (name === undefined) return kept.filter((step) => step.startedAt !== null && isAttempt(step, attempt));

  const named = kept.filter((step) => step.name === name || `${step.workflow}/${step.name}` === name);
  const exact = named.filter((step) => `${step.workflow}/${step.name}` === name);
  const found = exact.length > 0 ? exact : named;
  if (found.length === 0) {
    const names = [...new Set(kept.map((step) => step.name))].join(', ');
    throw new GantryError('STEP_NOT_FOUND', texts.errors.noStep(name, number, names || texts.none));
  }
  const workflows = [...new Set(found.map(({ workflow }) => workflow))];
  if (workflows.length > 1) {
    const choices = workflows.map((workflow) => `${workflow}/${name}`).join(', ');
    throw new GantryError('USAGE_WRONG', texts.errors.ambiguousStep(name, choices));
  }
  const step = found.find((one) => isAttempt(one, attempt));
  if (!step) throw new GantryError('STEP_NOT_FOUND', texts.errors.noAttempt(name, attempt ?? 0));
  return [step];
}

function isAttempt(step: StepView, attempt: number | undefined): boolean {
  return attempt === undefined || step.attempt === attempt;
}

interface Place {
  readonly session: Session;
  readonly params: ProjectParams;
  readonly number: number;
}

function headOf(step: StepView): string {
  return `── ${printable(`${step.workflow}/${step.name}`)}`;
}

/** Everything into one file; with the names of the steps in it where there may be several. */
async function writeLogs(
  cli: Cli,
  place: Place,
  steps: readonly StepView[],
  options: LogsOptions & { readonly output: string; readonly hasHeads: boolean },
): Promise<void> {
  const { output, hasHeads } = options;
  let file: FileHandle;
  try {
    file = await open(resolve(cli.io.workingFolder, output), 'w');
  } catch (error) {
    throw new GantryError('USAGE_WRONG', cli.texts.errors.notWritten(output, (error as Error).message), {
      cause: error,
    });
  }
  try {
    let lastByte = 10;
    for (const step of steps) {
      // A log need not end its last line.
      if (hasHeads) await file.appendFile(`${lastByte === 10 ? '' : '\n'}${headOf(step)}\n`);
      await copyLog(cli, place, step, options, (bytes) => {
        lastByte = bytes.at(-1) ?? lastByte;
        return file.appendFile(bytes);
      });
    }
  } finally {
    await file.close();
  }
  await cli.out.note(cli.texts.logWritten(output));
}

async function copyLog(
  cli: Cli,
  { session, params: { owner, project }, number }: Place,
  step: StepView,
  { follow, timestamps }: LogsOptions,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const query = new URLSearchParams({ ...(follow && { follow: '1' }), ...(timestamps && { timestamps: '1' }) });
  const path = `/api/v1/projects/${encodeURIComponent(owner)}/${encodeURIComponent(project)}/pipelines/${number}/steps/${step.id}/log`;
  let response: Response;
  try {
    response = await fetch(`${session.url}${path}?${query}`, { headers: session.headers });
  } catch (error) {
    throw cli.translated(session.url, error);
  }
  if (!response.ok || !response.body) throw await refusal(cli, response);
  for await (const bytes of response.body) await take(bytes);
}

async function refusal(cli: Cli, response: Response): Promise<Error> {
  if (response.headers.get('content-type')?.includes('application/problem+json'))
    return new ApiError((await response.json()) as Problem);
  return new GantryError('LOG_NOT_FOUND', cli.texts.errors.noLog(response.status));
}

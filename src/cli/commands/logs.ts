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
}

/** `gantry logs [NUMBER] [[WORKFLOW/]STEP]`: the bytes go to stdout as they are, names of steps to stderr. */
export function addLogs(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('logs [number] [step]').description(texts.commands.logs), cli)
    .option('--attempt <number>', texts.options.attempt)
    .option('-f, --follow', texts.options.follow)
    .option('--failed', texts.options.failedSteps)
    .option('-t, --timestamps', texts.options.timestamps)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry logs 42 unit\n  gantry logs -f\n  gantry logs 42 --failed\n  gantry logs 42 unit --timestamps\n`,
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
      for (const step of steps) {
        if (name === undefined)
          await out.note(out.paintNote('bold', `── ${printable(`${step.workflow}/${step.name}`)}`));
        await printLog(cli, session, params, number, step, options);
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

async function printLog(
  cli: Cli,
  session: Session,
  { owner, project }: ProjectParams,
  number: number,
  step: StepView,
  { follow, timestamps }: LogsOptions,
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
  for await (const bytes of response.body) await cli.out.bytes(bytes);
}

async function refusal(cli: Cli, response: Response): Promise<Error> {
  if (response.headers.get('content-type')?.includes('application/problem+json'))
    return new ApiError((await response.json()) as Problem);
  return new GantryError('LOG_NOT_FOUND', cli.texts.errors.noLog(response.status));
}

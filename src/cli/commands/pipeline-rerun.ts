import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, collect, type JsonOption, type ProjectOption } from '../options.ts';
import { parametersOf } from '../parameters.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface PipelineRerunOptions extends JsonOption, ProjectOption {
  readonly failed?: true;
  readonly workflow?: string;
  readonly parameter?: readonly string[];
  readonly param?: readonly string[];
  readonly cache?: boolean;
  readonly reuse?: boolean;
  readonly watch?: true;
}

/** `gantry pipeline rerun [NUMBER] [--failed | --workflow NAME | --parameter KEY=VALUE]` */
export function addPipelineRerun(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('rerun [number]').description(texts.commands.pipelineRerun), cli), cli)
    .option('--failed', texts.options.onlyFailed)
    .option('--workflow <name>', texts.options.onlyWorkflow)
    .option('-P, --parameter <KEY=VALUE>', texts.options.otherParameter, collect)
    .addOption(new Option('--param <KEY=VALUE>').argParser(collect).hideHelp())
    .option('--no-cache', texts.options.noCache)
    .option('--no-reuse', texts.options.noReuse)
    .option('-w, --watch', texts.options.watch)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry pipeline rerun 42 --failed\n  gantry pipeline rerun 42 --workflow test\n  gantry pipeline rerun 42 --parameter COLOUR=blue\n`,
    )
    .action(async (given: string | undefined, options: PipelineRerunOptions) => {
      const body = bodyOf(cli, options);
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const asked = await cli.pipelineNumber(session, params, given);
      const pipeline = await session.client('rerunPipeline', {
        params: { ...params, number: asked },
        body,
        idempotencyKey: randomUUID(),
      });
      // With other parameters it is a pipeline of its own, and so is one whose file did not compile.
      const { number } = pipeline;
      if (options.watch) return watchPipeline(cli, session, params, { number, json: options.json });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(number === asked ? texts.pipelineRerun(number) : texts.pipelineRepeated(asked, number));
      await out.note(`  ${texts.next}  ${texts.watchHow(number)}`);
    });
}

type Body =
  | { readonly only: 'all' | 'failed' }
  | { readonly workflow: string }
  | { readonly parameters: Record<string, string>; readonly ignoresCaches?: true; readonly ignoresReuse?: true };

function bodyOf(cli: Cli, { failed, workflow, parameter, param, cache, reuse }: PipelineRerunOptions): Body {
  const given = parameter || param ? [...(parameter ?? []), ...(param ?? [])] : undefined;
  const ignored =
    cache === false || reuse === false
      ? {
          ...(cache === false ? { ignoresCaches: true as const } : {}),
          ...(reuse === false ? { ignoresReuse: true as const } : {}),
        }
      : undefined;
  if ([failed, workflow, given ?? ignored].filter((one) => one !== undefined).length > 1)
    throw new GantryError('USAGE_WRONG', cli.texts.errors.oneRerun);
  if (workflow !== undefined) return { workflow };
  if (given ?? ignored) return { parameters: parametersOf(cli, given ?? []), ...ignored };
  return { only: failed ? 'failed' : 'all' };
}

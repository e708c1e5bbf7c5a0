import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, durationMs, type JsonOption, type ProjectOption } from '../options.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface PipelineWatchOptions extends JsonOption, ProjectOption {
  readonly timeout?: string;
}

/** `gantry pipeline watch [NUMBER]`: exit code 0 when it passed, 5 when not. */
export function addPipelineWatch(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addJson(addProject(parent.command('watch [number]').description(texts.commands.pipelineWatch), cli), cli)
    .option('--timeout <time>', texts.options.timeout)
    .action(async (given: string | undefined, options: PipelineWatchOptions) => {
      const timeoutMs = options.timeout === undefined ? undefined : durationMs(cli, options.timeout);
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      await watchPipeline(cli, session, params, { number, timeoutMs, json: options.json });
    });
}

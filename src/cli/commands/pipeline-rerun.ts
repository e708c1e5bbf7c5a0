import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface PipelineRerunOptions extends JsonOption, ProjectOption {
  readonly failed?: true;
  readonly watch?: true;
}

/** `gantry pipeline rerun [NUMBER] [--failed]` */
export function addPipelineRerun(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('rerun [number]').description(texts.commands.pipelineRerun), cli), cli)
    .option('--failed', texts.options.onlyFailed)
    .option('-w, --watch', texts.options.watch)
    .action(async (given: string | undefined, options: PipelineRerunOptions) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const pipeline = await session.client('rerunPipeline', {
        params: { ...params, number },
        body: { only: options.failed ? 'failed' : 'all' },
        idempotencyKey: randomUUID(),
      });
      if (options.watch) return watchPipeline(cli, session, params, { number, json: options.json });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(texts.pipelineRerun(number));
      await out.note(`  ${texts.next}  ${texts.watchHow(number)}`);
    });
}

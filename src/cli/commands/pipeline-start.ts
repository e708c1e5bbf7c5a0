import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, collect, type JsonOption, type ProjectOption } from '../options.ts';
import { parametersOf } from '../parameters.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface PipelineStartOptions extends JsonOption, ProjectOption {
  readonly ref?: string;
  readonly parameter?: readonly string[];
  readonly cache?: boolean;
  readonly reuse?: boolean;
  readonly watch?: true;
}

/** `gantry pipeline start` */
export function addPipelineStart(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('start').description(texts.commands.pipelineStart), cli), cli)
    .option('--ref <branch or tag>', texts.options.ref)
    .option('-P, --parameter <KEY=VALUE>', texts.options.parameter, collect)
    .option('--no-cache', texts.options.noCache)
    .option('--no-reuse', texts.options.noReuse)
    .option('-w, --watch', texts.options.watch)
    .addHelpText('before', `${texts.examples}\n  gantry pipeline start --ref main --parameter TARGET=staging --watch\n`)
    .action(async (options: PipelineStartOptions) => {
      const parameters = parametersOf(cli, options.parameter);
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const pipeline = await session.client('startPipeline', {
        params,
        body: {
          parameters,
          ...(options.ref === undefined ? {} : { ref: options.ref }),
          ...(options.cache === false ? { ignoresCaches: true } : {}),
          ...(options.reuse === false ? { ignoresReuse: true } : {}),
        },
        // One key for this call of the command: a repetition by the network starts nothing twice.
        idempotencyKey: randomUUID(),
      });
      if (options.watch) return watchPipeline(cli, session, params, { number: pipeline.number, json: options.json });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(texts.pipelineStarted(pipeline.number));
      await out.line(String(pipeline.number));
      await out.note(`  ${texts.next}  ${texts.watchHow(pipeline.number)}`);
    });
}

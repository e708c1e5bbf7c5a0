import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, collect, type JsonOption, type ProjectOption } from '../options.ts';
import { parametersOf } from '../parameters.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface PipelinePromoteOptions extends JsonOption, ProjectOption {
  readonly parameter?: readonly string[];
  readonly watch?: true;
}

/** `gantry pipeline promote NUMBER TARGET` and `gantry pipeline rollback NUMBER TARGET` */
export function addPipelinePromote(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addPromotion(parent, cli, 'promote', texts.commands.pipelinePromote);
  addPromotion(parent, cli, 'rollback', texts.commands.pipelineRollback);
}

function addPromotion(parent: Command, cli: Cli, event: 'promote' | 'rollback', description: string): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command(`${event} <number> [target]`).description(description), cli), cli)
    .option('-P, --parameter <KEY=VALUE>', texts.options.parameter, collect)
    .option('-w, --watch', texts.options.watch)
    .addHelpText('before', `${texts.examples}\n  gantry pipeline ${event} 4127 production --watch\n`)
    .action(async (given: string, target: string | undefined, options: PipelinePromoteOptions) => {
      const parameters = parametersOf(cli, options.parameter);
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      if (target === undefined) {
        const { items } = await session.client('listPromotionTargets', { params: { ...params, number } });
        throw new GantryError('USAGE_WRONG', texts.errors.targetMissing(items.map(({ name }) => name)));
      }
      const pipeline = await session.client('promotePipeline', {
        params: { ...params, number },
        body: { target, event, parameters },
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

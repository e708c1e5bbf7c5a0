import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';

/** `gantry pipeline cancel NUMBER` */
export function addPipelineCancel(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('cancel <number>').description(texts.commands.pipelineCancel), cli), cli).action(
    async (given: string, options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const pipeline = await session.client('cancelPipeline', { params: { ...params, number } });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(texts.pipelineCancelled(number));
      await out.note(`  ${texts.next}  ${texts.watchHow(number)}`);
    },
  );
}

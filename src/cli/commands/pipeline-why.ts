import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { printable } from '../text-width.ts';
import { printTrace } from '../trace-lines.ts';

/** `gantry pipeline why [NUMBER]`: every decision as a sentence. Without a number: of the newest event, pipeline or none. */
export function addPipelineWhy(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('why [number]').description(texts.commands.pipelineWhy), cli), cli).action(
    async (given: string | undefined, options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      if (given === undefined) {
        const { items } = await session.client('listEvents', { params });
        const [event] = items;
        // Something was pushed and nothing ran: that is the question.
        if (event && event.pipeline === null) {
          if (options.json !== undefined) return out.json({ items: event.why }, options.json);
          await out.note(texts.noPipelineFor(event.kind, printable(event.ref)));
          return printTrace(cli, event.why);
        }
      }
      const number = await cli.pipelineNumber(session, params, given);
      const { items } = await session.client('explainPipeline', { params: { ...params, number } });
      if (options.json !== undefined) return out.json({ items }, options.json);
      await printTrace(cli, items);
    },
  );
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { pipelineLines } from '../pipeline-lines.ts';

interface PipelineViewOptions extends JsonOption, ProjectOption {
  readonly failed?: true;
}

/** `gantry pipeline view [NUMBER]` */
export function addPipelineView(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('view [number]').description(texts.commands.pipelineView), cli), cli)
    .option('--failed', texts.options.failedSteps)
    .action(async (given: string | undefined, options: PipelineViewOptions) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const found = await session.client('getPipeline', { params: { ...params, number } });
      const steps = options.failed ? found.steps.filter(({ status }) => status === 'failed') : found.steps;
      if (options.json !== undefined) return out.json({ ...found, steps }, options.json);
      const lines = pipelineLines(cli, (colour, text) => out.paint(colour, text));
      await out.line(lines.head(found));
      for (const step of steps) for (const line of lines.step(step, found)) await out.line(line);
      const web = `${session.url}/${params.owner}/${params.project}/pipelines/${number}`;
      for (const line of lines.ending(found, web)) await out.line(line);
    });
}

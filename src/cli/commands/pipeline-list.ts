import type { Command } from 'commander';
import { eventKinds } from '../../core/event.ts';
import { pipelineStatuses } from '../../core/pipeline.ts';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, collect, type JsonOption, oneOf, type ProjectOption, wholeNumber } from '../options.ts';
import { statusColour, statusMark } from '../status.ts';

interface PipelineListOptions extends JsonOption, ProjectOption {
  readonly status?: readonly string[];
  readonly branch?: string;
  readonly event?: string;
  readonly limit: string;
  readonly after?: string;
  readonly quiet?: true;
}

/** `gantry pipeline list` */
export function addPipelineList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('list').description(texts.commands.pipelineList), cli), cli)
    .option('--status <status>', texts.options.status, collect)
    .option('--branch <name>', texts.options.branch)
    .option('--event <event>', texts.options.event)
    .option('--limit <count>', texts.options.limit, '30')
    .option('--after <cursor>', texts.options.after)
    .option('-q, --quiet', texts.options.quiet)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry pipeline list --status failed\n  gantry pipeline list --json=number,status,commit\n`,
    )
    .action(async (options: PipelineListOptions) => {
      const status = options.status?.map((one) => oneOf(cli, '--status', one, pipelineStatuses));
      const query = {
        limit: wholeNumber(cli, '--limit', options.limit),
        status,
        branch: options.branch,
        event: options.event === undefined ? undefined : oneOf(cli, '--event', options.event, eventKinds),
        after: options.after,
      };
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const page = await client('listPipelines', { params, query });
      if (options.json !== undefined) return out.json(page, options.json);
      if (options.quiet) {
        for (const { number } of page.items) await out.line(String(number));
        return;
      }
      if (page.items.length === 0) return out.note(texts.nothingHere.pipelines);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.number, text: ({ number }) => `#${number}`, plain: ({ number }) => String(number) },
        {
          title: texts.columns.status,
          text: (pipeline) => `${statusMark(pipeline.status)} ${texts.statuses[pipeline.status]}`,
          plain: (pipeline) => pipeline.status,
          colour: (pipeline) => statusColour(pipeline.status),
        },
        { title: texts.columns.event, text: ({ event, target }) => (target === null ? event : `${event} ${target}`) },
        { title: texts.columns.branch, text: ({ branch }) => branch },
        { title: texts.columns.commit, text: ({ commit }) => commit.slice(0, 8), plain: ({ commit }) => commit },
        {
          title: texts.columns.age,
          text: ({ createdAt }) => ago(texts, createdAt, now),
          plain: ({ createdAt }) => createdAt,
        },
        { title: texts.columns.subject, text: ({ subject }) => subject },
      ]);
      if (page.next !== null) await out.note(texts.more(page.next));
    });
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption, wholeNumber } from '../options.ts';
import { statusColour } from '../status.ts';

interface ProjectListOptions extends JsonOption {
  readonly query?: string;
  readonly owner?: string;
  readonly limit: string;
  readonly after?: string;
  readonly quiet?: true;
}

/** `gantry project list` */
export function addProjectList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('list').description(texts.commands.projectList), cli)
    .option('--query <text>', texts.options.query)
    .option('--owner <name>', texts.options.owner)
    .option('--limit <count>', texts.options.limit, '30')
    .option('--after <cursor>', texts.options.after)
    .option('-q, --quiet', texts.options.quiet)
    .action(async (options: ProjectListOptions) => {
      const { client } = await cli.connect();
      const page = await client('listProjects', {
        query: {
          limit: wholeNumber(cli, '--limit', options.limit),
          query: options.query,
          owner: options.owner,
          after: options.after,
        },
      });
      if (options.json !== undefined) return out.json(page, options.json);
      if (options.quiet) {
        for (const { slug } of page.items) await out.line(slug);
        return;
      }
      if (page.items.length === 0) return out.note(texts.nothingHere.projects);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.project, text: ({ slug }) => slug },
        { title: texts.columns.visibility, text: ({ visibility }) => visibility },
        {
          title: texts.columns.latest,
          text: ({ latestPipeline: latest }) =>
            latest === null ? texts.none : `#${latest.number} ${texts.statuses[latest.status]}`,
          plain: ({ latestPipeline: latest }) => (latest === null ? '' : `${latest.number} ${latest.status}`),
          colour: ({ latestPipeline: latest }) => (latest === null ? 'dim' : statusColour(latest.status)),
        },
        {
          title: texts.columns.age,
          text: ({ latestPipeline, createdAt }) => ago(texts, latestPipeline?.createdAt ?? createdAt, now),
          plain: ({ latestPipeline, createdAt }) => latestPipeline?.createdAt ?? createdAt,
        },
        { title: texts.columns.description, text: ({ description }) => description },
      ]);
      if (page.next !== null) await out.note(texts.more(page.next));
    });
}

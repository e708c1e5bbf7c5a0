import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';

/** `gantry cron list` */
export function addCronList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('list').description(texts.commands.cronList), cli), cli)
    .option('-q, --quiet', texts.options.quiet)
    .action(async (options: JsonOption & ProjectOption & { readonly quiet?: true }) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const page = await client('listCrons', { params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (options.quiet) {
        for (const { name } of page.items) await out.line(name);
        return;
      }
      if (page.items.length === 0) return out.note(texts.nothingHere.crons);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.name, text: ({ name }) => name },
        { title: texts.columns.branch, text: ({ branch }) => branch },
        { title: texts.columns.expression, text: ({ expression }) => expression },
        { title: texts.columns.timeZone, text: ({ timeZone }) => timeZone },
        {
          title: texts.columns.nextRun,
          text: ({ next }) => (next ? `${next.local}, ${ago(texts, next.at, now)}` : texts.switchedOff),
          plain: ({ next }) => next?.at ?? '',
        },
        { title: texts.columns.when, text: ({ sentence }) => sentence },
      ]);
    });
}

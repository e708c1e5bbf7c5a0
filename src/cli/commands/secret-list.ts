import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption } from '../options.ts';

/** `gantry secret list` */
export function addSecretList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('list').description(texts.commands.secretList), cli), cli)
    .option('-q, --quiet', texts.options.quiet)
    .action(async (options: JsonOption & HolderOptions & { readonly quiet?: true }) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const page = holder.isOrganisation
        ? await client('listOrganisationSecrets', { params: holder.params })
        : await client('listSecrets', { params: holder.params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (options.quiet) {
        for (const { name } of page.items) await out.line(name);
        return;
      }
      if (page.items.length === 0) return out.note(texts.nothingHere.secrets);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.name, text: ({ name }) => name },
        {
          title: texts.columns.events,
          text: ({ events }) => events.filter((event) => event !== 'pull_request').join(' '),
        },
        { title: texts.columns.pullRequests, text: ({ pullRequests }) => texts.pullRequests[pullRequests] },
        { title: texts.columns.branches, text: ({ branches }) => branches.join(' ') || texts.any },
        {
          title: texts.columns.images,
          text: ({ images, isForPluginsOnly }) =>
            [images.join(' ') || texts.any, ...(isForPluginsOnly ? [texts.pluginsOnly] : [])].join(' '),
        },
        {
          title: texts.columns.updated,
          text: ({ updatedAt }) => ago(texts, updatedAt, now),
          plain: ({ updatedAt }) => updatedAt,
        },
        { title: texts.columns.by, text: ({ updatedBy }) => updatedBy },
      ]);
    });
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption } from '../options.ts';
import { readSecretValue } from '../read-secret-value.ts';

/** `gantry git-login list` */
export function addGitLoginList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('list').description(texts.commands.gitLoginList), cli), cli).action(
    async (options: JsonOption & HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const page = holder.isOrganisation
        ? await client('listOrganisationGitLogins', { params: holder.params })
        : await client('listGitLogins', { params: holder.params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.gitLogins);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.host, text: ({ host }) => host },
        { title: texts.columns.name, text: ({ username }) => username },
        {
          title: texts.columns.updated,
          text: ({ updatedAt }) => ago(texts, updatedAt, now),
          plain: ({ updatedAt }) => updatedAt,
        },
        { title: texts.columns.by, text: ({ updatedBy }) => updatedBy },
      ]);
    },
  );
}

/** `gantry git-login set HOST --username NAME`: the password comes from a file, stdin or a question. */
export function addGitLoginSet(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('set <host>').description(texts.commands.gitLoginSet), cli)
    .requiredOption('--username <name>', texts.options.registryUsername)
    .option('--from <file>', texts.options.value)
    .addHelpText(
      'before',
      `${texts.examples}\n  printf %s "$PASSWORD" | gantry git-login set git.example.com --username robot\n`,
    )
    .action(async (host: string, options: HolderOptions & { readonly username: string; readonly from?: string }) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const body = { username: options.username, password: await readSecretValue(cli, host, options.from) };
      const stored = holder.isOrganisation
        ? await client('setOrganisationGitLogin', { params: { ...holder.params, host }, body })
        : await client('setGitLogin', { params: { ...holder.params, host }, body });
      await out.note(texts.gitLoginSet(stored.host, holder.name));
    });
}

/** `gantry git-login unset HOST` */
export function addGitLoginUnset(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('unset <host>').description(texts.commands.gitLoginUnset), cli).action(
    async (host: string, options: HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      if (holder.isOrganisation) await client('removeOrganisationGitLogin', { params: { ...holder.params, host } });
      else await client('removeGitLogin', { params: { ...holder.params, host } });
      await out.note(texts.gitLoginUnset(host, holder.name));
    },
  );
}

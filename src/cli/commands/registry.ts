import type { Command } from 'commander';
import { pullRequestOrigins } from '../../core/pull-request-origin.ts';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption, oneOf } from '../options.ts';
import { readSecretValue } from '../read-secret-value.ts';

/** `gantry registry list` */
export function addRegistryList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('list').description(texts.commands.registryList), cli), cli).action(
    async (options: JsonOption & HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const page = holder.isOrganisation
        ? await client('listOrganisationRegistries', { params: holder.params })
        : await client('listRegistries', { params: holder.params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.registries);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.registry, text: ({ registry }) => registry },
        { title: texts.columns.name, text: ({ username }) => username },
        { title: texts.columns.pullRequests, text: ({ pullRequests }) => texts.pullRequests[pullRequests] },
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

interface RegistrySetOptions extends HolderOptions {
  readonly username: string;
  readonly from?: string;
  readonly pullRequests?: string;
}

/** `gantry registry set HOST --username NAME`: the password comes from a file, stdin or a question. */
export function addRegistrySet(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('set <host>').description(texts.commands.registrySet), cli)
    .requiredOption('--username <name>', texts.options.registryUsername)
    .option('--from <file>', texts.options.value)
    .option('--pull-requests <origin>', texts.options.pullRequests)
    .addHelpText(
      'before',
      `${texts.examples}\n  printf %s "$PASSWORD" | gantry registry set registry.example.com --username robot\n`,
    )
    .action(async (registry: string, options: RegistrySetOptions) => {
      const pullRequests =
        options.pullRequests === undefined
          ? {}
          : { pullRequests: oneOf(cli, '--pull-requests', options.pullRequests, pullRequestOrigins) };
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const password = await readSecretValue(cli, registry, options.from);
      const body = { username: options.username, password, ...pullRequests };
      const stored = holder.isOrganisation
        ? await client('setOrganisationRegistry', { params: { ...holder.params, registry }, body })
        : await client('setRegistry', { params: { ...holder.params, registry }, body });
      await out.note(texts.registrySet(stored.registry, holder.name));
      if (pullRequests.pullRequests === 'forks')
        await out.note(out.paintNote('yellow', texts.forksWarning(stored.registry)));
    });
}

/** `gantry registry unset HOST` */
export function addRegistryUnset(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('unset <host>').description(texts.commands.registryUnset), cli).action(
    async (registry: string, options: HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      if (holder.isOrganisation) await client('removeOrganisationRegistry', { params: { ...holder.params, registry } });
      else await client('removeRegistry', { params: { ...holder.params, registry } });
      await out.note(texts.registryUnset(registry, holder.name));
    },
  );
}

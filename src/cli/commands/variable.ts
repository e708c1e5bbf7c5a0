import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption } from '../options.ts';
import { parametersOf } from '../parameters.ts';

/** `gantry variable list` */
export function addVariableList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('list').description(texts.commands.variableList), cli), cli).action(
    async (options: JsonOption & HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const page = holder.isOrganisation
        ? await client('listOrganisationVariables', { params: holder.params })
        : await client('listVariables', { params: holder.params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.variables);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.name, text: ({ name }) => name },
        { title: texts.columns.value, text: ({ value }) => value },
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

/** `gantry variable set NAME=VALUE…` */
export function addVariableSet(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('set <name=value...>').description(texts.commands.variableSet), cli)
    .addHelpText('before', `${texts.examples}\n  gantry variable set REGION=cn-north STAGE=dev\n`)
    .action(async (given: readonly string[], options: HolderOptions) => {
      const holder = await holderOf(cli, options);
      const wanted = parametersOf(cli, given);
      const { client } = await cli.connect();
      for (const [name, value] of Object.entries(wanted)) {
        const body = { value };
        if (holder.isOrganisation)
          await client('setOrganisationVariable', { params: { ...holder.params, name }, body });
        else await client('setVariable', { params: { ...holder.params, name }, body });
        await out.note(texts.variableSet(name, holder.name));
      }
    });
}

/** `gantry variable unset NAME` */
export function addVariableUnset(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('unset <name>').description(texts.commands.variableUnset), cli).action(
    async (name: string, options: HolderOptions) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      if (holder.isOrganisation) await client('removeOrganisationVariable', { params: { ...holder.params, name } });
      else await client('removeVariable', { params: { ...holder.params, name } });
      await out.note(texts.variableUnset(name, holder.name));
    },
  );
}

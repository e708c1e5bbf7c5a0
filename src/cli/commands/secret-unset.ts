import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';

/** `gantry secret unset NAME` */
export function addSecretUnset(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addHolder(parent.command('unset <name>').description(texts.commands.secretUnset), cli)
    .option('--yes', texts.options.yes)
    .action(async (name: string, options: HolderOptions & { readonly yes?: true }) => {
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      await cli.ask.confirm(texts.askUnset(name, holder.name), options.yes);
      if (holder.isOrganisation) await client('removeOrganisationSecret', { params: { ...holder.params, name } });
      else await client('removeSecret', { params: { ...holder.params, name } });
      await cli.out.note(texts.secretUnset(name, holder.name));
    });
}

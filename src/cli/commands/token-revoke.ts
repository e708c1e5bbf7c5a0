import type { Command } from 'commander';
import type { Cli } from '../cli.ts';

/** `gantry token revoke ID` */
export function addTokenRevoke(parent: Command, cli: Cli): void {
  const { texts } = cli;
  parent
    .command('revoke <id>')
    .description(texts.commands.tokenRevoke)
    .option('--yes', texts.options.yes)
    .action(async (id: string, options: { readonly yes?: true }) => {
      const { client } = await cli.connect();
      await cli.ask.confirm(texts.askRevoke(id), options.yes);
      await client('revokeToken', { params: { id } });
      await cli.out.note(texts.tokenRevoked(id));
    });
}

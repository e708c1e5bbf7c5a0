import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addProject, type ProjectOption } from '../options.ts';

/** `gantry secret unset NAME` */
export function addSecretUnset(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addProject(parent.command('unset <name>').description(texts.commands.secretUnset), cli)
    .option('--yes', texts.options.yes)
    .action(async (name: string, options: ProjectOption & { readonly yes?: true }) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const slug = `${params.owner}/${params.project}`;
      await cli.ask.confirm(texts.askUnset(name, slug), options.yes);
      await client('removeSecret', { params: { ...params, name } });
      await cli.out.note(texts.secretUnset(name, slug));
    });
}

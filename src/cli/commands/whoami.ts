import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';

/** `gantry whoami` */
export function addWhoami(parent: Command, cli: Cli): void {
  addJson(parent.command('whoami').description(cli.texts.commands.whoami), cli).action(async (options: JsonOption) => {
    const session = await cli.connect();
    const me = await session.client('getMe');
    if (options.json !== undefined) await cli.out.json({ url: session.url, ...me }, options.json);
    else await cli.out.line(cli.texts.whoami(me.name, session.url, me.scopes.join(', ')));
  });
}

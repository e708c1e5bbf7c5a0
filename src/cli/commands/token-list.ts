import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption } from '../options.ts';

/** `gantry token list` */
export function addTokenList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('list').description(texts.commands.tokenList), cli)
    .option('-q, --quiet', texts.options.quiet)
    .action(async (options: JsonOption & { readonly quiet?: true }) => {
      const { client } = await cli.connect();
      const page = await client('listTokens');
      if (options.json !== undefined) return out.json(page, options.json);
      if (options.quiet) {
        for (const { id } of page.items) await out.line(id);
        return;
      }
      if (page.items.length === 0) return out.note(texts.nothingHere.tokens);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.id, text: ({ id }) => id },
        { title: texts.columns.name, text: ({ name }) => name },
        {
          title: texts.columns.lastUsed,
          text: ({ lastUsedAt }) => ago(texts, lastUsedAt, now),
          plain: ({ lastUsedAt }) => lastUsedAt ?? '',
        },
        {
          title: texts.columns.expires,
          text: ({ expiresAt }) => ago(texts, expiresAt, now),
          plain: ({ expiresAt }) => expiresAt ?? '',
        },
        { title: texts.columns.scopes, text: ({ scopes }) => scopes.join(' ') },
      ]);
    });
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, collect, type JsonOption, scopesOf, wholeNumber } from '../options.ts';

interface TokenCreateOptions extends JsonOption {
  readonly scope: readonly string[];
  readonly project?: readonly string[];
  readonly expiresInDays: string;
}

/** `gantry token create NAME --scope code:write`: the secret alone goes to stdout. */
export function addTokenCreate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('create <name>').description(texts.commands.tokenCreate), cli)
    .requiredOption('--scope <scope>', texts.options.tokenScopes, collect)
    .option('--project <owner/name>', texts.options.tokenProjects, collect)
    .option('--expires-in-days <days>', texts.options.tokenDays, '90')
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry token create ci --scope pipeline:write --project shop/storefront\n`,
    )
    .action(async (name: string, options: TokenCreateOptions) => {
      const days = wholeNumber(cli, '--expires-in-days', options.expiresInDays);
      const { client } = await cli.connect();
      const token = await client('createToken', {
        body: {
          name,
          scopes: scopesOf(cli, options.scope),
          ...(options.project ? { projects: [...options.project] } : {}),
          expiresInDays: days === 0 ? null : days,
        },
      });
      if (options.json !== undefined) return out.json(token, options.json);
      await out.note(texts.tokenCreated(token.name));
      await out.line(token.secret);
    });
}

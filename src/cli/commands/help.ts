import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';

/** `gantry help [topic or command…]` */
export function addHelp(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const topics: Readonly<Record<string, readonly string[]>> = {
    'exit-codes': texts.help.exitCodes,
    environment: texts.help.environment,
  };
  parent
    .command('help [topic...]')
    .description(texts.commands.help)
    .action(async (words: readonly string[]) => {
      const topic = topics[words.join(' ')];
      if (topic) {
        for (const line of topic) await out.line(line);
        return;
      }
      let command = parent;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word);
        if (!next) throw new GantryError('USAGE_WRONG', texts.errors.noTopic(words.join(' ')));
        command = next;
      }
      command.outputHelp();
    });
}

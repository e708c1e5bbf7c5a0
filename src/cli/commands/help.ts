import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import type { HelpTopic } from '../help-topics.en.ts';
import { helpTopics } from '../help-topics.ts';

/** `gantry help [topic or command…]`; without a word the commands, and the topics below them. */
export function addHelp(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  parent
    .command('help [topic...]')
    .description(texts.commands.help)
    .action(async (words: readonly string[]) => {
      const topics: Readonly<Record<string, HelpTopic>> = await helpTopics(cli.language);
      const name = words.join(' ');
      const topic = Object.hasOwn(topics, name) ? topics[name] : undefined;
      if (topic) {
        for (const line of topic.lines) await out.line(line);
        return;
      }
      let command = parent;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word);
        if (!next) {
          const known = Object.keys(topics).join(', ');
          throw new GantryError('USAGE_WRONG', texts.errors.noTopic(name, known));
        }
        command = next;
      }
      command.outputHelp();
      if (command !== parent) return;
      await out.line();
      await out.line(texts.topics);
      const width = Math.max(...Object.keys(topics).map(({ length }) => length));
      for (const [word, { summary }] of Object.entries(topics))
        await out.line(`  gantry help ${word.padEnd(width)}  ${summary}`);
    });
}

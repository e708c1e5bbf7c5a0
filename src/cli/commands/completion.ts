import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { helpTopics } from '../help-topics.ts';

/** What the shell waits for the server; then it completes without it. */
const serverLimitMs = 1_000;

const scripts: Readonly<Record<string, string>> = {
  bash: `_gantry() {
  local IFS=$'\\n'
  COMPREPLY=($(gantry __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _gantry gantry`,
  zsh: `#compdef gantry
_gantry() {
  local -a found
  found=(\${(f)"$(gantry __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
compdef _gantry gantry`,
  fish: `function __gantry_complete
  set -l words (commandline -opc)[2..] (commandline -ct)
  gantry __complete $words 2>/dev/null
end
complete -c gantry -a '(__gantry_complete)'`,
};

/** `gantry completion bash|zsh|fish`: a script that asks this program with each press of Tab. */
export function addCompletion(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  parent
    .command('completion <shell>')
    .description(texts.commands.completion)
    .addHelpText('before', `${texts.examples}\n  eval "$(gantry completion bash)"\n`)
    .action(async (shell: string) => {
      const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
      if (script === undefined) throw new GantryError('USAGE_WRONG', texts.errors.noShell(shell));
      await out.line(script);
    });
}

/** `gantry __complete WORDS…`, which those scripts run: what may stand in the place of the last word. */
export function addComplete(parent: Command, cli: Cli): void {
  parent
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(async (words: readonly string[]) => {
      for (const word of await complete(parent, cli, words)) await cli.out.line(word);
    });
}

async function complete(program: Command, cli: Cli, words: readonly string[]): Promise<readonly string[]> {
  const [current = '', previous] = [words.at(-1), words.at(-2)];
  let command = program;
  for (const word of words.slice(0, -1)) command = command.commands.find((one) => one.name() === word) ?? command;

  if (
    previous === '--project' ||
    previous === '-p' ||
    (command.name() === 'view' && command.parent?.name() === 'project')
  )
    return startingWith(current, await projectSlugs(cli, current));
  if (command.name() === 'help' && !current.startsWith('-'))
    return startingWith(current, [...Object.keys(await helpTopics(cli.language)), ...namesIn(program)]);
  const flags = [...command.options, ...program.options].flatMap(({ long }) => (long ? [long] : []));
  return startingWith(current, current.startsWith('-') ? [...new Set(flags), '--help'] : namesIn(command));
}

function namesIn(command: Command): readonly string[] {
  return command.commands
    .map((one) => one.name())
    .filter((name) => !name.startsWith('__') && name !== 'git-credential');
}

function startingWith(prefix: string, words: readonly string[]): readonly string[] {
  return words.filter((word) => word.startsWith(prefix));
}

async function projectSlugs(cli: Cli, prefix: string): Promise<readonly string[]> {
  try {
    const { client } = await cli.connect();
    const { items } = await client('listProjects', {
      query: { limit: 100, ...(prefix === '' ? {} : { query: prefix }) },
      signal: AbortSignal.timeout(serverLimitMs),
    });
    return items.map(({ slug }) => slug);
  } catch {
    // Not signed in, not reached, too slow: then there is nothing to offer, and no place to say so.
    return [];
  }
}

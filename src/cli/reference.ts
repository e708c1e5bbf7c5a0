import type { Command, Option } from 'commander';
import { Cli } from './cli.ts';
import type { CliIo } from './cli-io.ts';
import { helpTopicsEn } from './help-topics.en.ts';
import { createProgram } from './program.ts';

/** docs/reference/cli.md, from the very tree that the command line is. */
export async function commandReference(): Promise<string> {
  const program = await createProgram(await Cli.create(nowhere));
  const commands = leaves(program);
  return `${[
    '# Command line',
    'Generated from the commands themselves by `npm run docs`.',
    'The answer goes to stdout, everything else to stderr. In a pipe nothing is coloured, redrawn or cut, and times are UTC. `--json` gives all fields, `--json=name,name` the named ones.',
    ...commands.map(section),
    '## Options of every command',
    optionTable(program.options),
    '## Topics of gantry help',
    ...Object.entries(helpTopicsEn).flatMap(([name, { summary, lines }]) => [
      `### gantry help ${name}`,
      `${summary}.`,
      block(lines),
    ]),
  ].join('\n\n')}\n`;
}

function leaves(command: Command): readonly Command[] {
  const shown = command.commands.filter((one) => !one.name().startsWith('__') && one.name() !== 'git-credential');
  return shown.flatMap((one) => (one.commands.length > 0 ? leaves(one) : [one]));
}

function section(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name());
  const usage = command.usage().replace(/^\[options\] ?/, '');
  return [
    `## ${names.join(' ')}`,
    `${command.description()}.`,
    `    ${[...names, usage].filter((word) => word !== '').join(' ')}`,
    ...(command.options.length > 0 ? [optionTable(command.options.filter(({ hidden }) => !hidden))] : []),
  ].join('\n\n');
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(({ flags, description, defaultValue }) => {
    const text =
      typeof defaultValue === 'string' && defaultValue !== ''
        ? `${description} (default: ${defaultValue})`
        : description;
    return `| \`${flags}\` | ${text.replaceAll('|', '\\|')} |`;
  });
  return ['| option | meaning |', '| --- | --- |', ...rows].join('\n');
}

function block(lines: readonly string[]): string {
  return `\`\`\`text\n${lines.join('\n')}\n\`\`\``;
}

/** Describing the commands touches nothing. */
const nowhere: CliIo = {
  environment: {},
  workingFolder: '/',
  stdout: { isTerminal: false, columns: 80, write: async () => {} },
  stderr: { isTerminal: false, columns: 80, write: async () => {} },
  stdin: { isTerminal: false, readAll: async () => '' },
  openBrowser: async () => false,
  wait: async () => {},
  onSignal: () => () => {},
};

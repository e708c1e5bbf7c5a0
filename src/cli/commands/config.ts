import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { type DataOptions, dataFlags } from '../data-options.ts';
import { readHosts } from '../hosts-file.ts';
import { addJson, type JsonOption } from '../options.ts';

interface Setting {
  readonly name: string;
  readonly variable: string;
  readonly value: string;
  readonly source: string;
}

/** `gantry config`: settings of the server, and what this command line would use. Secrets are masked. */
export function addConfig(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  addJson(parent.command('config').description(texts.commands.config), cli)
    .option('--data <folder>', texts.options.data)
    .action(async (options: DataOptions & JsonOption) => {
      const { readConfig } = await import('../../app/config.ts');
      const { values } = readConfig({ environment: io.environment, flags: dataFlags(options) });
      const settings: readonly Setting[] = [...(await ownSettings(cli)), ...values];
      if (options.json !== undefined) return out.json({ items: settings }, options.json);
      await out.table(settings, [
        { title: texts.columns.setting, text: ({ name }) => name },
        { title: texts.columns.variable, text: ({ variable }) => variable },
        { title: texts.columns.source, text: ({ source }) => source },
        { title: texts.columns.value, text: ({ value }) => value },
      ]);
    });
}

async function ownSettings(cli: Cli): Promise<readonly Setting[]> {
  const address = await cli.address();
  const fromEnvironment = Boolean(cli.io.environment['GANTRY_TOKEN']);
  const token = address && cli.tokenFor(address.url, readHosts(cli.hostsFile));
  return [
    { name: 'url', variable: 'GANTRY_URL', value: address?.url ?? '', source: address?.source ?? 'default' },
    {
      name: 'token',
      variable: 'GANTRY_TOKEN',
      value: token === undefined ? '' : '***',
      source: fromEnvironment ? 'environment' : token === undefined ? 'default' : cli.hostsFile,
    },
    { name: 'language', variable: 'LANG', value: cli.language, source: 'environment' },
  ];
}

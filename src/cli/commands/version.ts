import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';
import { readVersion } from '../package-version.ts';

/** `gantry version` */
export function addVersion(parent: Command, cli: Cli): void {
  addJson(parent.command('version').description(cli.texts.commands.version), cli).action(
    async (options: JsonOption) => {
      const version = readVersion();
      if (options.json !== undefined) await cli.out.json({ version, node: process.versions.node }, options.json);
      else await cli.out.line(version);
    },
  );
}

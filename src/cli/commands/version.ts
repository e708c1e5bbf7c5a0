import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';

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

/** The version of the package that this file belongs to, built or not. */
export function readVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === dirname(folder)) throw error;
    }
  }
}

import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addProject, type ProjectOption } from '../options.ts';
import { readSecretValue } from '../read-secret-value.ts';

/** `gantry secret import-key`: the key with which another system has encrypted and signed the files. */
export function addSecretImportKey(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('import-key').description(texts.commands.secretImportKey), cli)
    .option('--from <file>', texts.options.value)
    .addHelpText('before', `${texts.examples}\n  printf %s "$DRONE_REPO_SECRET" | gantry secret import-key\n`)
    .action(async (options: ProjectOption & { readonly from?: string }) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const key = await readSecretValue(cli, texts.importedKey, options.from);
      await client('setImportedKey', { params, body: { key } });
      await out.note(texts.keyImported(`${params.owner}/${params.project}`));
    });
}

/** `gantry secret forget-key` */
export function addSecretForgetKey(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('forget-key').description(texts.commands.secretForgetKey), cli).action(
    async (options: ProjectOption) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      await client('removeImportedKey', { params });
      await out.note(texts.keyForgotten(`${params.owner}/${params.project}`));
    },
  );
}

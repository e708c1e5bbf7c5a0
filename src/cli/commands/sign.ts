import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { withSignature } from '../../engine/signature.ts';
import type { Cli } from '../cli.ts';
import { addProject, type ProjectOption } from '../options.ts';

/** `gantry sign [FILE]`: writes the signature of the project at the end of a pipeline file. */
export function addSign(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('sign [file]').description(texts.commands.sign), cli)
    .addHelpText('before', `${texts.examples}\n  gantry sign\n  gantry sign .drone.yml --project shop/web\n`)
    .action(async (file: string | undefined, options: ProjectOption) => {
      const path = file ?? '.gantry.yml';
      const text = await readFile(path, 'utf8');
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const { hmac } = await client('signPipelineFile', { params, body: { text } });
      await writeFile(path, withSignature(text, hmac));
      await out.note(texts.fileSigned(path, `${params.owner}/${params.project}`));
    });
}

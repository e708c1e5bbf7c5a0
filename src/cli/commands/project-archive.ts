import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';

/** `gantry project archive [OWNER/NAME] [--undo]` */
export function addProjectArchive(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('archive [project]').description(texts.commands.projectArchive), cli)
    .option('--undo', texts.options.undo)
    .action(async (slug: string | undefined, options: JsonOption & { readonly undo?: true }) => {
      const params = await cli.project(slug);
      const { client } = await cli.connect();
      const project = await client('updateProject', { params, body: { isArchived: !options.undo } });
      if (options.json !== undefined) return out.json(project, options.json);
      await out.note(options.undo ? texts.projectUnarchived(project.slug) : texts.projectArchived(project.slug));
      if (!options.undo) await out.note(`  ${texts.next}  gantry project archive ${project.slug} --undo`);
    });
}

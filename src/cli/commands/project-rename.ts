import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';

/** `gantry project rename OWNER/NAME NEW-NAME` */
export function addProjectRename(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('rename <project> <name>').description(texts.commands.projectRename), cli).action(
    async (slug: string, name: string, options: JsonOption) => {
      const params = cli.projectOf(slug);
      const { client } = await cli.connect();
      const project = await client('updateProject', { params, body: { name } });
      if (options.json !== undefined) return out.json(project, options.json);
      await out.note(texts.projectRenamed(slug, project.slug));
      await out.note(`  ${texts.next}  git remote set-url origin ${project.cloneUrl}`);
    },
  );
}

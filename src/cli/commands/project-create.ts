import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { visibilities } from '../../core/visibility.ts';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption, oneOf } from '../options.ts';

interface ProjectCreateOptions extends JsonOption {
  readonly visibility: string;
  readonly description: string;
  readonly defaultBranch: string;
}

/** `gantry project create [OWNER/]NAME`: under one's own name where none is given. */
export function addProjectCreate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('create <name>').description(texts.commands.projectCreate), cli)
    .option('--visibility <who>', texts.options.visibility, 'private')
    .option('--description <text>', texts.options.description, '')
    .option('--default-branch <name>', texts.options.defaultBranch, 'main')
    .addHelpText('before', `${texts.examples}\n  gantry project create shop/storefront --visibility internal\n`)
    .action(async (name: string, options: ProjectCreateOptions) => {
      const visibility = oneOf(cli, '--visibility', options.visibility, visibilities);
      const { client } = await cli.connect();
      const slug = name.includes('/') ? name : `${(await client('getMe')).name}/${name}`;
      const { owner, project } = cli.projectOf(slug);
      const created = await client('createProject', {
        body: {
          owner,
          name: project,
          visibility,
          description: options.description,
          defaultBranch: options.defaultBranch,
        },
        idempotencyKey: randomUUID(),
      });
      if (options.json !== undefined) return out.json(created, options.json);
      await out.note(texts.projectCreated(created.slug));
      await out.line(created.cloneUrl);
      await out.note(`  ${texts.next}  ${texts.pushHow(created.cloneUrl, created.defaultBranch)}`);
    });
}

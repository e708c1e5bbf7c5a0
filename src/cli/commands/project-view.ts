import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, type JsonOption } from '../options.ts';
import { statusColour } from '../status.ts';
import { padToWidth, printable } from '../text-width.ts';

/** `gantry project view [OWNER/NAME]` */
export function addProjectView(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('view [project]').description(texts.commands.projectView), cli).action(
    async (slug: string | undefined, options: JsonOption) => {
      const params = await cli.project(slug);
      const { client, url } = await cli.connect();
      const project = await client('getProject', { params });
      if (options.json !== undefined) return out.json(project, options.json);

      const latest = project.latestPipeline;
      const marks = [
        project.visibility,
        ...(project.isArchived ? [texts.isArchived] : []),
        ...(project.isEmpty ? [texts.isEmpty] : []),
      ];
      await out.line(`${out.paint('bold', project.slug)}  ${out.paint('dim', marks.join(', '))}`);
      if (project.description !== '') await out.line(printable(project.description));
      const rows: readonly (readonly [string, string])[] = [
        [texts.cloneLabel, project.cloneUrl],
        [texts.branchLabel, project.defaultBranch],
        [texts.roleLabel, project.role ?? texts.none],
        [
          texts.latestLabel,
          latest === null
            ? texts.none
            : `${out.paint(statusColour(latest.status), `#${latest.number} ${texts.statuses[latest.status]}`)}  ${printable(latest.subject)}`,
        ],
        [texts.webLabel, `${url}/${project.slug}`],
      ];
      for (const [label, value] of rows) await out.line(`  ${out.paint('dim', padToWidth(label, 8))}  ${value}`);
    },
  );
}

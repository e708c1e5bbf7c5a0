import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';

interface CronCreateOptions extends JsonOption, ProjectOption {
  readonly zone?: string;
  readonly branch?: string;
  readonly disabled?: true;
}

/** `gantry cron create NAME EXPRESSION`; the time zone is that of this computer where none is given. */
export function addCronCreate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('create <name> <expression>').description(texts.commands.cronCreate), cli), cli)
    .option('--zone <name>', texts.options.zone)
    .option('--branch <name>', texts.options.cronBranch)
    .option('--disabled', texts.options.cronDisabled)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry cron create nightly '0 2 * * *' --zone Asia/Shanghai\n  gantry cron create weekly @weekly --branch release\n`,
    )
    .action(async (name: string, expression: string, options: CronCreateOptions) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const cron = await client('createCron', {
        params,
        body: {
          name,
          expression,
          timeZone: options.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
          branch: options.branch,
          isEnabled: options.disabled !== true,
        },
        idempotencyKey: randomUUID(),
      });
      if (options.json !== undefined) return out.json(cron, options.json);
      await out.note(texts.cronCreated(cron.name, `${params.owner}/${params.project}`));
      await out.note(`  ${cron.sentence} (${cron.timeZone})`);
      if (cron.next) await out.note(`  ${texts.next}  ${cron.next.local}`);
    });
}

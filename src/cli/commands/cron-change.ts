import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { watchPipeline } from '../watch-pipeline.ts';

interface CronUpdateOptions extends JsonOption, ProjectOption {
  readonly zone?: string;
  readonly branch?: string;
  readonly name?: string;
}

/** `gantry cron update NAME [EXPRESSION]`: what is not given stays as it is. */
export function addCronUpdate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('update <name> [expression]').description(texts.commands.cronUpdate), cli), cli)
    .option('--zone <name>', texts.options.otherZone)
    .option('--branch <name>', texts.options.otherBranch)
    .option('--name <name>', texts.options.otherName)
    .addHelpText('before', `${texts.examples}\n  gantry cron update nightly '30 3 * * *' --zone Asia/Shanghai\n`)
    .action(async (name: string, expression: string | undefined, options: CronUpdateOptions) => {
      const body = {
        ...(expression !== undefined && { expression }),
        ...(options.zone !== undefined && { timeZone: options.zone }),
        ...(options.branch !== undefined && { branch: options.branch }),
        ...(options.name !== undefined && { name: options.name }),
      };
      if (Object.keys(body).length === 0) throw new GantryError('USAGE_WRONG', texts.errors.nothingToChange);
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const cron = await client('updateCron', { params: { ...params, name }, body });
      if (options.json !== undefined) return out.json(cron, options.json);
      await out.note(texts.cronUpdated(cron.name, `${params.owner}/${params.project}`));
      await out.note(`  ${cron.sentence} (${cron.timeZone})`);
      if (cron.next) await out.note(`  ${texts.next}  ${cron.next.local}`);
    });
}

/** `gantry cron enable NAME` and `gantry cron disable NAME` */
export function addCronSwitch(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const add = (word: 'enable' | 'disable', description: string): void => {
    addJson(addProject(parent.command(`${word} <name>`).description(description), cli), cli).action(
      async (name: string, options: JsonOption & ProjectOption) => {
        const params = await cli.project(options.project);
        const { client } = await cli.connect();
        const cron = await client('updateCron', {
          params: { ...params, name },
          body: { isEnabled: word === 'enable' },
        });
        if (options.json !== undefined) return out.json(cron, options.json);
        await out.note(cron.isEnabled ? texts.cronEnabled(cron.name) : texts.cronDisabled(cron.name));
        if (cron.next) await out.note(`  ${texts.next}  ${cron.next.local}`);
      },
    );
  };
  add('enable', texts.commands.cronEnable);
  add('disable', texts.commands.cronDisable);
}

/** `gantry cron delete NAME` */
export function addCronDelete(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addProject(parent.command('delete <name>').description(texts.commands.cronDelete), cli)
    .option('--yes', texts.options.yes)
    .action(async (name: string, options: ProjectOption & { readonly yes?: true }) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const slug = `${params.owner}/${params.project}`;
      await cli.ask.confirm(texts.askCronDelete(name, slug), options.yes);
      await client('removeCron', { params: { ...params, name } });
      await cli.out.note(texts.cronDeleted(name, slug));
    });
}

/** `gantry cron run NAME` */
export function addCronRun(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('run <name>').description(texts.commands.cronRun), cli), cli)
    .option('-w, --watch', texts.options.watch)
    .action(async (name: string, options: JsonOption & ProjectOption & { readonly watch?: true }) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const pipeline = await session.client('runCron', { params: { ...params, name }, idempotencyKey: randomUUID() });
      const { number } = pipeline;
      if (options.watch) return watchPipeline(cli, session, params, { number, json: options.json });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(texts.pipelineStarted(number));
      await out.line(String(number));
      await out.note(`  ${texts.next}  ${texts.watchHow(number)}`);
    });
}

import type { Command } from 'commander';
import type { PipelineSettingsChange, PipelineSettingsView } from '../../api/settings.ts';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { settingWords } from '../setting-values.ts';

/** `gantry project settings view|set` */
export function addProjectSettings(parent: Command, cli: Cli): void {
  const { texts } = cli;
  const group = parent.command('settings').description(texts.commands.projectSettings).helpCommand(false);

  addJson(addProject(group.command('view').description(texts.commands.projectSettingsView), cli), cli).action(
    async (options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const settings = await client('getPipelineSettings', { params });
      if (options.json !== undefined) return cli.out.json(settings, options.json);
      await show(cli, settings);
    },
  );

  addJson(addProject(group.command('set <key=value...>').description(texts.commands.projectSettingsSet), cli), cli)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry project settings set path=ci/build.yml timeout=2h\n  gantry project settings set auto-cancel=push disabled-events=tag,manual\n  gantry project settings set 'promotion=production:admin staging*:maintain'\n`,
    )
    .action(async (given: readonly string[], options: JsonOption & ProjectOption) => {
      const body = given.reduce<PipelineSettingsChange>((all, text) => ({ ...all, ...readSetting(cli, text) }), {});
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const settings = await client('updatePipelineSettings', { params, body });
      if (options.json !== undefined) return cli.out.json(settings, options.json);
      await show(cli, settings);
    });
}

function readSetting(cli: Cli, text: string): PipelineSettingsChange {
  const at = text.indexOf('=');
  const words = at < 0 ? undefined : settingWords[text.slice(0, at)];
  if (!words)
    throw new GantryError('USAGE_WRONG', cli.texts.errors.badSetting(text, Object.keys(settingWords).join(', ')));
  return words.read(text.slice(at + 1), cli);
}

async function show(cli: Cli, settings: PipelineSettingsView): Promise<void> {
  await cli.out.table(Object.entries(settingWords), [
    { title: cli.texts.columns.setting, text: ([key]) => key },
    { title: cli.texts.columns.value, text: ([, words]) => words.show(settings, cli) },
  ]);
}

import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { type DataOptions, dataFlags } from '../data-options.ts';

/**
 * `gantry runner`: attaches a runner to the server of a data folder, for as long as it lives; its first line on stdout is
 * `{"runnerId": …}`. A server starts this very command itself, and hands it what it shall be (main.ts).
 */
export function addRunner(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  parent
    .command('runner')
    .description(texts.commands.runner)
    .option('--data <folder>', texts.options.data)
    .addHelpText('after', `\n${texts.runnerHelp}\n`)
    .action(async (options: DataOptions) => {
      const [{ readConfig }, { attachRunner }] = await Promise.all([
        import('../../app/config.ts'),
        import('../../app/attach-runner.ts'),
      ]);
      const { config } = readConfig({ environment: io.environment, flags: dataFlags(options) });
      const found = attachRunner(config);
      if (found.kind === 'no-server')
        throw new GantryError('SERVER_UNREACHABLE', texts.errors.noServerOn(config.dataFolder));
      if (found.kind === 'has-runner')
        throw new GantryError('RUNNER_PRESENT', texts.errors.hasRunner(config.dataFolder, found.runnerId, found.pid));
      const { runRunner } = await import('../../app/run-runner.ts');
      await out.line(JSON.stringify({ runnerId: found.settings.runnerId }));
      if (io.stderr.isTerminal) await out.note(texts.runnerReady(found.settings.runnerId, config.dataFolder));
      await runRunner(found.settings);
    });
}

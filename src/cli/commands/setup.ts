import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { type DataOptions, dataFlags } from '../data-options.ts';
import { addJson, type JsonOption } from '../options.ts';

interface SetupOptions extends DataOptions, JsonOption {
  readonly admin: string;
  readonly passwordStdin?: true;
}

/** `gantry setup --admin NAME`: the first admin of a data folder, while no server runs on it. */
export function addSetup(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  addJson(parent.command('setup').description(texts.commands.setup), cli)
    .option('--data <folder>', texts.options.data)
    .requiredOption('--admin <name>', texts.options.admin)
    .option('--password-stdin', texts.options.passwordStdin)
    .addHelpText('before', `${texts.examples}\n  gantry setup --data ./data --admin mei --json\n`)
    .action(async (options: SetupOptions) => {
      const [{ readConfig }, { setUp }] = await Promise.all([
        import('../../app/config.ts'),
        import('../../app/setup.ts'),
      ]);
      const { config } = readConfig({ environment: io.environment, flags: dataFlags(options) });
      const password = options.passwordStdin ? (await io.stdin.readAll()).replace(/\r?\n$/, '') : undefined;
      const made = await setUp({ config, admin: options.admin, password });
      if (options.json !== undefined) {
        const drawn = password === undefined && made.password !== undefined ? { password: made.password } : {};
        return out.json({ admin: options.admin, token: made.token, ...drawn }, options.json);
      }
      await out.note(texts.setupDone(options.admin, config.dataFolder));
      if (password === undefined && made.password !== undefined)
        await out.line(`${texts.setupPassword}: ${made.password}`);
      await out.line(`${texts.setupToken}: ${made.token}`);
      await out.note(`  ${texts.next}  gantry serve --data ${config.dataFolder}`);
    });
}

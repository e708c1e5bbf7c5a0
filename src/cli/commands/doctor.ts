import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { type DataOptions, dataFlags } from '../data-options.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { addJson, type JsonOption } from '../options.ts';
import { padToWidth, printable } from '../text-width.ts';

const marks = { ok: '✓', warning: '!', failed: '✗' } as const;
const colours = { ok: 'green', warning: 'yellow', failed: 'red' } as const;

/** `gantry doctor`: exit code 1 when steps or pushes would not work. */
export function addDoctor(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  addJson(parent.command('doctor').description(texts.commands.doctor), cli)
    .option('--data <folder>', texts.options.data)
    .action(async (options: DataOptions & JsonOption) => {
      const [{ readConfig }, { doctor }] = await Promise.all([
        import('../../app/config.ts'),
        import('../../app/doctor.ts'),
      ]);
      const { config } = readConfig({ environment: io.environment, flags: dataFlags(options) });
      const examinations = await doctor(config, io.environment);
      if (options.json !== undefined) await out.json({ items: examinations }, options.json);
      else
        for (const { subject, verdict, finding } of examinations)
          await out.line(
            `${out.paint(colours[verdict], marks[verdict])} ${padToWidth(subject, 8)} ${printable(finding)}`,
          );
      if (examinations.some(({ verdict }) => verdict === 'failed')) throw new Exit(exitCodes.failed);
    });
}

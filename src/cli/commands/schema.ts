import type { Command } from 'commander';
import type { Cli } from '../cli.ts';

/** `gantry schema`: what editors need to complete and check `.gantry.yml`. */
export function addSchema(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  parent
    .command('schema')
    .description(texts.commands.schema)
    .addHelpText('before', `${texts.examples}\n  gantry schema > gantry-yml.schema.json\n`)
    .action(async () => {
      const { gantrySchema } = await import('../../engine/gantry-schema.ts');
      await out.line(JSON.stringify(gantrySchema(), undefined, 2));
    });
}

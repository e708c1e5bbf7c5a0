import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { addJson, type JsonOption } from '../options.ts';
import { printable } from '../text-width.ts';

/** What is looked for where no file is named, in the order in which the server looks. */
const usualFiles = ['.gantry.yml', '.drone.yml'] as const;

/** `gantry lint [file…]`: the server's own reader, here. Exit code 1 when a file would not run. */
export function addLint(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('lint [files...]').description(texts.commands.lint), cli)
    .addHelpText('before', `${texts.examples}\n  gantry lint\n  gantry lint .gantry.yml --json\n`)
    .action(async (given: readonly string[], options: JsonOption) => {
      const { lintPipelineFile } = await import('../../engine/lint.ts');
      const files = given.length > 0 ? given : [usualFile(cli)];
      const results = files.map((path) => ({ path, ...lintPipelineFile(basename(path), readText(cli, path)) }));
      if (options.json !== undefined) await out.json({ items: results }, options.json);
      else
        for (const { path, isValid, findings, workflows } of results) {
          for (const { line, column, severity, code, message } of findings) {
            const word =
              severity === 'error' ? out.paint('red', texts.lintError) : out.paint('yellow', texts.lintWarning);
            await out.line(
              `${path}:${line}:${column}: ${word} ${printable(message)}  ${out.paint('dim', `[${code}]`)}`,
            );
          }
          const steps = workflows.reduce((sum, workflow) => sum + workflow.steps.length, 0);
          if (isValid) await out.note(texts.lintClean(path, workflows.length, steps));
        }
      if (results.some(({ isValid }) => !isValid)) throw new Exit(exitCodes.failed);
    });
}

function usualFile(cli: Cli): string {
  const found = usualFiles.find((name) => existsSync(join(cli.io.workingFolder, name)));
  if (found === undefined) throw new GantryError('PIPELINE_FILE_MISSING', cli.texts.errors.noPipelineFile);
  return found;
}

function readText(cli: Cli, path: string): string {
  try {
    return readFileSync(resolve(cli.io.workingFolder, path), 'utf8');
  } catch (error) {
    throw new GantryError('PATH_NOT_FOUND', cli.texts.errors.noFile(path, (error as Error).message), { cause: error });
  }
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { addJson, type JsonOption } from '../options.ts';
import { printable } from '../text-width.ts';

/** `gantry lint [file…]`: the server's own reader, here. Exit code 1 when a file would not run. */
export function addLint(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(parent.command('lint [files...]').description(texts.commands.lint), cli)
    .addHelpText('before', `${texts.examples}\n  gantry lint\n  gantry lint .gantry.yml --json\n`)
    .action(async (given: readonly string[], options: JsonOption) => {
      const { lintPipelineFile } = await import('../../engine/lint.ts');
      const files = given.length > 0 ? given : await usualFiles(cli);
      const results = files.map((path) => ({
        path,
        ...lintPipelineFile(path.replaceAll(sep, '/'), readText(cli, path)),
      }));
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

/** The files that the server would take here: the first that is there, or all of a folder of workflows. */
async function usualFiles(cli: Cli): Promise<readonly string[]> {
  const { pipelineFilePaths } = await import('../../engine/compile-input.ts');
  const { isWorkflowFile } = await import('../../engine/choose-files.ts');
  for (const path of pipelineFilePaths) {
    const place = join(cli.io.workingFolder, path);
    if (!existsSync(place)) continue;
    if (!path.endsWith('/')) return [path];
    const workflows = readdirSync(place)
      .map((name) => `${path}${name}`)
      .filter(isWorkflowFile);
    if (workflows.length > 0) return workflows.toSorted();
  }
  throw new GantryError('PIPELINE_FILE_MISSING', cli.texts.errors.noPipelineFile);
}

function readText(cli: Cli, path: string): string {
  try {
    return readFileSync(resolve(cli.io.workingFolder, path), 'utf8');
  } catch (error) {
    throw new GantryError('PATH_NOT_FOUND', cli.texts.errors.noFile(path, (error as Error).message), { cause: error });
  }
}

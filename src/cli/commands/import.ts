import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { PipelineFile } from '../../engine/compile-input.ts';
import type { ImportNote } from '../../engine/import/import-note.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { findingLines } from '../finding-lines.ts';
import { addJson, type JsonOption, oneOf } from '../options.ts';
import type { Colour } from '../output.ts';
import { printable } from '../text-width.ts';

interface ImportOptions extends JsonOption {
  readonly write?: true;
  readonly force?: true;
}

const systems = ['drone', 'woodpecker'] as const;
const target = '.gantry.yml';

const marks: Readonly<Record<ImportNote['verdict'], readonly [string, Colour]>> = {
  carried: ['✓', 'green'],
  remark: ['!', 'yellow'],
  lost: ['✗', 'red'],
};

/**
 * `gantry import drone|woodpecker`: the project's file as a `.gantry.yml` on stdout, the report on stderr. Exit code 1
 * when something is left to be written by hand.
 */
export function addImport(parent: Command, cli: Cli): void {
  const { texts, out, io } = cli;
  addJson(parent.command('import <system>').description(texts.commands.import), cli)
    .option('--write', texts.options.importWrite)
    .option('--force', texts.options.importForce)
    .addHelpText('before', `${texts.examples}\n  gantry import drone\n  gantry import woodpecker --write\n`)
    .action(async (given: string, options: ImportOptions) => {
      const system = oneOf(cli, 'SYSTEM', given, systems);
      const files = readFiles(cli, system);
      const { importPipeline } = await import('../../engine/import/import-pipeline.ts');
      const result = importPipeline(files);
      if (!result) throw new GantryError('PIPELINE_FILE_MISSING', texts.errors.noPipelineFile);
      if (result.kind === 'refused') {
        const text = files.find(({ path }) => path === result.path)?.text ?? '';
        if (options.json !== undefined) await out.json(result, options.json);
        else
          for (const finding of result.findings)
            for (const line of findingLines(cli, result.path, text, finding)) await out.note(line);
        throw new Exit(exitCodes.failed);
      }
      const place = join(io.workingFolder, target);
      if (options.write && existsSync(place) && !options.force)
        throw new GantryError('USAGE_WRONG', texts.errors.importExists(target));
      if (options.write) writeFileSync(place, result.text);
      if (options.json !== undefined) await out.json(result, options.json);
      else {
        if (!options.write) await out.bytes(Buffer.from(result.text));
        await report(cli, result.notes);
        if (options.write) await out.note(`  ${texts.next}  gantry lint && gantry exec`);
      }
      if (result.notes.some(({ verdict }) => verdict === 'lost')) throw new Exit(exitCodes.failed);
    });
}

async function report({ language, out, texts }: Cli, given: readonly ImportNote[]): Promise<void> {
  const notes = language === 'zh' ? await inChinese(given) : given;
  for (const { verdict, path, line, subject, texts: said } of notes) {
    const [mark, colour] = marks[verdict];
    const word = texts.importVerdicts[verdict];
    const tail = said.length === 0 ? '' : `: ${printable(said.join('; '))}`;
    await out.note(`${out.paintNote(colour, `${mark} ${word}`)}  ${path}:${line}  ${printable(subject)}${tail}`);
  }
}

async function inChinese(notes: readonly ImportNote[]): Promise<readonly ImportNote[]> {
  const { noteInChinese } = await import('../../engine/import/import-sentences.zh.ts');
  return notes.map(noteInChinese);
}

/** The files of one system, whatever others lie beside them. */
function readFiles(cli: Cli, system: (typeof systems)[number]): readonly PipelineFile[] {
  const folder = cli.io.workingFolder;
  const read = (path: string): PipelineFile => ({ path, text: readFileSync(join(folder, path), 'utf8') });
  if (system === 'drone')
    return ['.drone.yml', '.drone.yaml', '.drone.star', '.drone.jsonnet']
      .filter((path) => existsSync(join(folder, path)))
      .slice(0, 1)
      .map(read);
  const workflows = existsSync(join(folder, '.woodpecker')) ? readdirSync(join(folder, '.woodpecker')) : [];
  const found = workflows.filter((name) => /^[^/]+\.ya?ml$/.test(name)).toSorted();
  if (found.length > 0) return found.map((name) => read(`.woodpecker/${name}`));
  return ['.woodpecker.yaml', '.woodpecker.yml']
    .filter((path) => existsSync(join(folder, path)))
    .slice(0, 1)
    .map(read);
}

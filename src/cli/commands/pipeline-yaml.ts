import type { Command } from 'commander';
import type { ResolvedFileView } from '../../api/inspection.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { printable } from '../text-width.ts';

interface Options extends JsonOption, ProjectOption {
  readonly written?: boolean;
}

/** One text to print, and which of its lines are not as written. */
interface Shown {
  readonly title: string;
  readonly text: string;
  readonly changedLines: ReadonlySet<number>;
}

/**
 * `gantry pipeline yaml [NUMBER]`: the pipeline file as it read once `${…}` was replaced. A single text goes into a pipe
 * as it is; before each of several stands a comment that names it.
 */
export function addPipelineYaml(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('yaml [number]').description(texts.commands.pipelineYaml), cli), cli)
    .option('--written', texts.options.written)
    .action(async (given: string | undefined, options: Options) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const answer = await session.client('getPipelineYaml', { params: { ...params, number } });
      if (options.json !== undefined) return out.json(answer, options.json);
      if (answer.problem !== null) await out.note(printable(texts.yamlProblem(answer.problem)));
      if (!answer.isAsPlanned) await out.note(texts.yamlOfToday);
      if (answer.hidesVariables) await out.note(texts.yamlHidesVariables);
      const shown = answer.files.flatMap((file) => textsOf(file, options.written === true));
      for (const one of shown) await print(cli, one, shown.length > 1);
      for (const { path, isLeftOut, readingsLeftOut } of answer.files)
        if (isLeftOut || readingsLeftOut > 0) await out.note(texts.yamlLeftOut(printable(path), readingsLeftOut));
    });
}

function textsOf(file: ResolvedFileView, isWritten: boolean): readonly Shown[] {
  if (file.isLeftOut) return [];
  if (isWritten || file.readings.length === 0)
    return [
      { title: file.path, text: isWritten ? file.written : (file.converted ?? file.written), changedLines: new Set() },
    ];
  return file.readings.map(({ workflows, text, changedLines }) => ({
    title: workflows.length === 0 ? file.path : `${file.path} (${workflows.join('; ')})`,
    text,
    changedLines: new Set(changedLines),
  }));
}

async function print({ out }: Cli, { title, text, changedLines }: Shown, isOneOfSeveral: boolean): Promise<void> {
  const lines = text.replace(/\n$/, '').split('\n');
  if (isOneOfSeveral) await out.line(out.paint('dim', `# ${printable(title)}`));
  for (const [at, line] of lines.entries()) {
    const mark = changedLines.has(at + 1) ? out.paint('yellow', '▎') : ' ';
    await out.line(out.isTerminal ? `${mark}${printable(line)}` : line);
  }
}

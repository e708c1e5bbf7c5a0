import type { Command } from 'commander';
import { formatDuration } from '../../lib/duration.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import type { Colour } from '../output.ts';
import { type Difference, diffPipelines, type PipelineDiff, type StepDifference } from '../pipeline-diff.ts';
import { padToWidth, printable, textWidth } from '../text-width.ts';

const marks: Readonly<Record<StepDifference['change'], readonly [string, Colour]>> = {
  added: ['+', 'green'],
  removed: ['−', 'red'],
  changed: ['~', 'yellow'],
};

/** `gantry pipeline diff A B`: what of two pipelines is not the same. */
export function addPipelineDiff(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('diff <before> <after>').description(texts.commands.pipelineDiff), cli), cli)
    .addHelpText('before', `${texts.examples}\n  gantry pipeline diff 41 42\n`)
    .action(async (first: string, second: string, options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const [before, after] = await Promise.all(
        [first, second].map(async (given) => {
          const number = await cli.pipelineNumber(session, params, given);
          return session.client('getPipeline', { params: { ...params, number } });
        }),
      );
      const diff = diffPipelines(before!, after!);
      if (options.json !== undefined) return out.json(diff, options.json);
      await print(cli, diff);
    });
}

async function print(cli: Cli, diff: PipelineDiff): Promise<void> {
  const { texts, out } = cli;
  await out.line(out.paint('bold', `#${diff.before} → #${diff.after}`));
  const facts = [
    ...diff.facts.map((one) => [texts.diff.facts[one.name] ?? one.name, shown(one)] as const),
    ...diff.parameters.map((one) => [`${texts.diff.parameter} ${one.name}`, shown(one)] as const),
  ];
  const factWidth = Math.max(0, ...facts.map(([label]) => textWidth(label)));
  for (const [label, text] of facts) await out.line(`  ${out.paint('dim', padToWidth(label, factWidth))}  ${text}`);

  const names = diff.steps.map(({ workflow, name }) => printable(`${workflow}/${name}`));
  const stepWidth = Math.min(40, Math.max(0, ...names.map(textWidth)));
  for (const [i, step] of diff.steps.entries()) {
    const [mark, colour] = marks[step.change];
    const parts = [
      // Of a step that is only on one side, its status says enough.
      ...step.differences
        .filter(({ name }) => step.change === 'changed' || name === 'status')
        .map((one) => (one.name === 'status' ? shownStatus(cli, one) : `${texts.diff.facts[one.name]} ${shown(one)}`)),
      duration(step),
    ].filter((part) => part !== '');
    await out.line(` ${out.paint(colour, mark)} ${padToWidth(names[i] ?? '', stepWidth)}  ${parts.join('  ')}`);
  }
  await out.note(out.paintNote('dim', texts.diff.same(diff.sameSteps)));
}

function shown({ name, before, after }: Difference): string {
  const text = (value: string | null): string =>
    value === null ? '–' : printable(name === 'commit' ? value.slice(0, 8) : value) || '""';
  return `${text(before)} → ${text(after)}`;
}

function shownStatus({ texts }: Cli, { before, after }: Difference): string {
  const words: Readonly<Record<string, string>> = texts.statuses;
  return [before, after].flatMap((status) => (status === null ? [] : [words[status] ?? status])).join(' → ');
}

function duration({ beforeMs, afterMs }: StepDifference): string {
  return [beforeMs, afterMs].flatMap((ms) => (ms === null ? [] : [formatDuration(ms)])).join(' → ');
}

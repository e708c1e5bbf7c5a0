import type { TraceView } from '../api/pipelines.ts';
import type { Cli } from './cli.ts';
import type { Colour } from './output.ts';
import { printable } from './text-width.ts';

const marks: Readonly<Record<TraceView['verdict'], readonly [string, Colour]>> = {
  ran: ['✓', 'green'],
  skipped: ['–', 'dim'],
  waiting: ['○', 'cyan'],
  blocked: ['○', 'yellow'],
  failed: ['✗', 'red'],
  noted: ['·', 'dim'],
};

/** Decisions as sentences, each behind the mark of its verdict; in a pipe with the code of its rule. */
export async function printTrace(
  { out }: Cli,
  entries: readonly Pick<TraceView, 'verdict' | 'sentence' | 'rule'>[],
): Promise<void> {
  for (const { verdict, sentence, rule } of entries) {
    const [mark, colour] = marks[verdict];
    const tail = out.isTerminal ? '' : `  [${rule}]`;
    await out.line(`${out.paint(colour, mark)} ${printable(sentence)}${tail}`);
  }
}

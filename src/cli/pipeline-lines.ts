import type { PipelineDetail, PipelineView, StepView } from '../api/pipelines.ts';
import { isHeld } from '../core/approval.ts';
import { isFinished } from '../core/pipeline.ts';
import type { Cli } from './cli.ts';
import { took } from './instants.ts';
import type { Colour } from './output.ts';
import { statusColour, statusMark } from './status.ts';
import { padToWidth, printable, textWidth } from './text-width.ts';

type Paint = (colour: Colour | undefined, text: string) => string;

/** How pipelines are written for people: the same lines for `view` and `watch`. */
export interface PipelineLines {
  head(pipeline: PipelineView): string;
  step(step: StepView, detail: PipelineDetail): readonly string[];
  ending(detail: PipelineDetail, webUrl: string): readonly string[];
}

export function pipelineLines(cli: Cli, paint: Paint): PipelineLines {
  const { texts } = cli;

  function stepEnd(step: StepView): string {
    const parts = [
      step.kind === 'service' || step.kind === 'detached' ? texts.stepKinds[step.kind] : '',
      step.status === 'failed' && step.exitCode !== null ? texts.exit(step.exitCode) : '',
      step.isIgnored && step.status === 'failed' ? texts.ignored : '',
      step.reason ?? '',
    ];
    return parts.filter((part) => part !== '').join('  ');
  }

  return {
    head: (pipeline) =>
      [
        paint('bold', `#${pipeline.number}`),
        paint('cyan', printable(pipeline.branch)),
        paint('dim', pipeline.commit.slice(0, 8)),
        ...(pipeline.target === null ? [] : [paint('bold', `${pipeline.event} ${pipeline.target}`)]),
        printable(pipeline.subject),
      ].join('  '),

    step(step, detail) {
      const now = new Date();
      const names = detail.steps.map((one) => stepName(one, detail));
      const width = Math.min(40, Math.max(...names.map(textWidth)));
      const time = took(step.startedAt, step.finishedAt, now) || texts.statuses[step.status];
      const line = ` ${paint(statusColour(step.status), statusMark(step.status))} ${padToWidth(printable(stepName(step, detail)), width)}  ${padToWidth(time, 8)} ${printable(stepEnd(step))}`;
      const excerpt = step.failure?.lines.map(({ text }) => `     ${paint('dim', printable(text))}`) ?? [];
      return [line.trimEnd(), ...pushedLines(step.pushed, paint), ...excerpt];
    },

    ending(detail, webUrl) {
      const { status, number, error } = detail;
      const lines: string[] = [];
      if (error) {
        const place = error.path === null ? '' : `${error.path}${error.line === null ? '' : `:${error.line}`}: `;
        lines.push(`${paint('red', place)}${printable(error.message)}`);
      }
      for (const { name, waitsFor } of detail.workflows)
        if (waitsFor !== null) lines.push(` ${paint('dim', `${printable(name)}: ${printable(waitsFor)}`)}`);
      const word = paint(statusColour(status), `${statusMark(status)} ${texts.statuses[status]}`);
      const time = took(detail.startedAt, detail.finishedAt, new Date());
      lines.push(isFinished(status) && time !== '' ? texts.endedIn(word, time) : word);
      // One that ended before it started has no log.
      const failed = detail.steps.find(
        (step) => step.status === 'failed' && !step.isIgnored && step.startedAt !== null,
      );
      const next: [string, string][] = [];
      if (failed) next.push([texts.logLabel, `gantry logs ${number} ${quoted(stepPath(failed, detail))}`]);
      if (isFinished(status) && status !== 'passed' && !isHeld(detail.approval ?? undefined))
        next.push([
          texts.rerunLabel,
          `gantry pipeline rerun ${number}${detail.workflows.length > 0 ? ' --failed' : ''}`,
        ]);
      else if (!isFinished(status)) next.push([texts.next, texts.watchHow(number)]);
      next.push([texts.webLabel, webUrl]);
      const width = Math.max(...next.map(([label]) => textWidth(label)));
      for (const [label, value] of next) lines.push(`  ${paint('dim', padToWidth(label, width))}  ${value}`);
      return lines;
    },
  };
}

/** By digest, as whoever deploys the image names it. */
function pushedLines(pushed: StepView['pushed'] = [], paint: Paint): readonly string[] {
  return pushed.map(({ name, digest }) => `     ${paint('cyan', printable(`${name}@${digest}`))}`);
}

/** With its workflow where there are several. */
function stepName(step: StepView, { workflows }: PipelineDetail): string {
  return workflows.length > 1 ? `${step.workflow} › ${step.name}` : step.name;
}

/** As `gantry logs` takes it. */
function stepPath(step: StepView, { workflows }: PipelineDetail): string {
  return workflows.length > 1 ? `${step.workflow}/${step.name}` : step.name;
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

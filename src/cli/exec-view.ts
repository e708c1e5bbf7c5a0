import type { PreparedExec } from '../app/exec.ts';
import type { ExecListener, ExecStep } from '../app/exec-desk.ts';
import { isFinished, type PipelineStatus } from '../core/pipeline.ts';
import type { PipelinePlan } from '../core/plan.ts';
import type { TraceEntry } from '../core/trace.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Cli } from './cli.ts';
import type { Colour } from './output.ts';
import { statusColour, statusMark } from './status.ts';
import { cutToWidth, padToWidth, printable, textWidth } from './text-width.ts';
import { sentenceOf } from './trace-sentence.ts';

/** Shows a pipeline that is run here. */
export interface ExecView extends ExecListener {
  begin(prepared: PreparedExec, plan: PipelinePlan): Promise<void>;
  end(status: PipelineStatus, steps: readonly ExecStep[], tookMs: number): Promise<void>;
  close(): void;
}

export function execView(cli: Cli, plan: PipelinePlan, json: string | undefined): ExecView {
  return json === undefined ? new LinesView(cli, plan) : new JsonView(cli);
}

/** Lines of several steps at once: each is whole, and knows whose it is. */
class LineSplitter {
  readonly #open = new Map<string, { readonly decoder: TextDecoder; text: string }>();

  /** The lines that are complete now. */
  take(step: ExecStep, stream: string, bytes: Buffer): readonly string[] {
    const key = `${step.id}:${stream}`;
    let open = this.#open.get(key);
    if (!open) {
      open = { decoder: new TextDecoder(), text: '' };
      this.#open.set(key, open);
    }
    const lines = (open.text + open.decoder.decode(bytes, { stream: true })).split('\n');
    open.text = lines.pop() ?? '';
    return lines;
  }

  /** What is left of the step's lines. */
  end(step: ExecStep): readonly { readonly stream: string; readonly line: string }[] {
    const rest: { stream: string; line: string }[] = [];
    for (const [key, { decoder, text }] of this.#open) {
      const [id, stream = ''] = key.split(':');
      if (id !== String(step.id)) continue;
      this.#open.delete(key);
      const line = text + decoder.decode();
      if (line !== '') rest.push({ stream, line });
    }
    return rest;
  }
}

const prefixColours: readonly Colour[] = ['cyan', 'yellow', 'magenta', 'blue', 'green'];
const maxNameColumns = 30;
const redrawMs = 200;

/**
 * For people and pipes: each line of output behind the name of its step, on stdout; what becomes of steps on stderr. On a
 * terminal the last line says what runs, and is drawn again.
 */
class LinesView implements ExecView {
  readonly #cli: Cli;
  readonly #splitter = new LineSplitter();
  readonly #hasWorkflows: boolean;
  readonly #width: number;
  readonly #running = new Map<number, string>();
  readonly #ticker: NodeJS.Timeout | undefined;
  #startedMs = performance.now();
  #hasLiveLine = false;
  #tail: Promise<void> = Promise.resolve();

  constructor(cli: Cli, plan: PipelinePlan) {
    this.#cli = cli;
    this.#hasWorkflows = plan.workflows.length > 1;
    const names = plan.workflows.flatMap(({ name, steps }) =>
      steps.map((step) => (this.#hasWorkflows ? `${name}/${step.name}` : step.name)),
    );
    this.#width = Math.min(maxNameColumns, Math.max(0, ...names.map((name) => textWidth(printable(name)))));
    if (cli.out.isLive) this.#ticker = setInterval(() => this.#inTurn(() => this.#drawLiveLine()), redrawMs);
  }

  async begin({ snapshot, input, result }: PreparedExec): Promise<void> {
    const { out, texts } = this.#cli;
    const { event } = input;
    this.#startedMs = performance.now();
    const head = [
      out.paintNote('bold', event.target === undefined ? event.kind : `${event.kind} ${printable(event.target)}`),
      out.paintNote('cyan', printable(event.branch)),
      out.paintNote('dim', snapshot.commit.slice(0, 8)),
      snapshot.hasUncommitted ? texts.exec.withChanges : printable(event.message.split('\n')[0] ?? ''),
    ];
    await out.note(head.join('  '));
    for (const entry of result.trace)
      if (entry.rule === 'file.warning')
        await out.note(`${out.paintNote('yellow', '!')} ${printable(sentenceOf(entry, this.#cli))}`);
      else if (isOfWorkflow(entry))
        await out.note(out.paintNote('dim', `– ${printable(sentenceOf(entry, this.#cli))}`));
  }

  step(step: ExecStep): void {
    // As it stands now: it goes on while others are being shown.
    const shown = { ...step };
    void this.#inTurn(() => this.#showStep(shown));
  }

  output(step: ExecStep, stream: string, bytes: Buffer): Promise<void> {
    const lines = this.#splitter.take(step, stream, bytes);
    if (lines.length === 0) return this.#tail;
    return this.#inTurn(() => this.#write(step, lines));
  }

  async end(status: PipelineStatus, steps: readonly ExecStep[], tookMs: number): Promise<void> {
    await this.#tail;
    await this.#eraseLiveLine();
    const { out, texts } = this.#cli;
    const failed = steps.filter((step) => step.status === 'failed' && step.plan.onFailure !== 'ignore');
    for (const step of failed) {
      if (!step.failure) continue;
      await out.note(`${out.paintNote('red', statusMark('failed'))} ${printable(this.#nameOf(step))}`);
      for (const { text } of step.failure.lines) await out.note(`    ${out.paintNote('dim', printable(text))}`);
    }
    const word = out.paintNote(statusColour(status), `${statusMark(status)} ${texts.statuses[status]}`);
    await out.note(texts.endedIn(word, formatDuration(tookMs)));
    const [first] = failed;
    if (first)
      await out.note(
        `  ${out.paintNote('dim', texts.exec.againLabel)}  ${texts.exec.again(quoted(this.#nameOf(first)))}`,
      );
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(work);
    return this.#tail;
  }

  async #showStep(step: ExecStep): Promise<void> {
    const { out } = this.#cli;
    if (step.status === 'running') {
      this.#running.set(step.id, printable(this.#nameOf(step)));
      await this.#drawLiveLine();
      return;
    }
    if (!isFinished(step.status)) return;
    this.#running.delete(step.id);
    const rest = this.#splitter.end(step);
    if (rest.length > 0)
      await this.#write(
        step,
        rest.map(({ line }) => line),
      );
    await this.#eraseLiveLine();
    const took =
      step.startedAt && step.finishedAt ? formatDuration(step.finishedAt.getTime() - step.startedAt.getTime()) : '';
    const name = padToWidth(printable(this.#nameOf(step)), this.#width);
    const mark = out.paintNote(statusColour(step.status), statusMark(step.status));
    await out.note(`${mark} ${name}  ${[took, this.#endOf(step)].filter((part) => part !== '').join('  ')}`.trimEnd());
    await this.#drawLiveLine();
  }

  #endOf({ status, outcome, reason, plan }: ExecStep): string {
    const { texts } = this.#cli;
    const parts = [
      outcome?.kind === 'exited' && status === 'failed' ? texts.exit(outcome.exitCode) : '',
      outcome && 'message' in outcome ? printable(outcome.message) : '',
      status === 'failed' && plan.onFailure === 'ignore' ? texts.ignored : '',
      reason ? printable(sentenceOf(reason, this.#cli)) : '',
    ];
    return parts.filter((part) => part !== '').join('  ');
  }

  async #write(step: ExecStep, lines: readonly string[]): Promise<void> {
    const { out } = this.#cli;
    await this.#eraseLiveLine();
    const name = padToWidth(cutToWidth(printable(this.#nameOf(step)), maxNameColumns), this.#width);
    const prefix = `${out.paint(prefixColours[step.id % prefixColours.length], name)} ${out.paint('dim', '│')} `;
    const shown = out.isTerminal ? lines.map(onTerminal) : lines;
    // One write for what came at once.
    await out.bytes(Buffer.from(shown.map((line) => `${prefix}${line}\n`).join('')));
    await this.#drawLiveLine();
  }

  async #drawLiveLine(): Promise<void> {
    const { out, texts } = this.#cli;
    if (!out.isLive || this.#running.size === 0) return;
    const names = [...this.#running.values()].join(', ');
    const line = texts.exec.running(formatDuration(performance.now() - this.#startedMs), names);
    const text = cutToWidth(`${statusMark('running')} ${line}`, out.columns - 1);
    await out.draw(`\r\u001b[2K${out.paintNote(statusColour('running'), text)}`);
    this.#hasLiveLine = true;
  }

  async #eraseLiveLine(): Promise<void> {
    if (this.#hasLiveLine) await this.#cli.out.draw('\r\u001b[2K');
    this.#hasLiveLine = false;
  }

  #nameOf({ workflow, plan }: ExecStep): string {
    return this.#hasWorkflows ? `${workflow}/${plan.name}` : plan.name;
  }
}

/** A line of a log beside others: its colours stay, what would move the cursor does not, of a progress bar its last state. */
function onTerminal(line: string): string {
  const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  // Cut apart at colours, so that only what is between them is made harmless.
  const parts = last.split(/(\u001b\[[\d;]*m)/);
  const shown = parts.map((part, index) => (index % 2 === 1 ? part : printable(part))).join('');
  return parts.length > 1 ? `${shown}\u001b[0m` : shown;
}

/** Decisions about whole workflows: those about steps are told where the step ends. */
function isOfWorkflow({ subject, verdict }: TraceEntry): boolean {
  return subject.kind === 'workflow' && (verdict === 'skipped' || verdict === 'blocked');
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** One line of JSON for each thing that happens. */
class JsonView implements ExecView {
  readonly #cli: Cli;
  readonly #splitter = new LineSplitter();
  #tail: Promise<void> = Promise.resolve();

  constructor(cli: Cli) {
    this.#cli = cli;
  }

  begin({ snapshot, input, result }: PreparedExec, plan: PipelinePlan): Promise<void> {
    const { kind, branch, ref, target, parameters } = input.event;
    return this.#say({
      type: 'pipeline',
      event: kind,
      branch,
      ref,
      target: target ?? null,
      parameters,
      commit: snapshot.commit,
      hasUncommitted: snapshot.hasUncommitted,
      path: plan.path,
      workflows: plan.workflows.map(({ name, steps }) => ({ name, steps: steps.map((step) => step.name) })),
      why: result.trace.map((entry) => ({ ...entry, sentence: sentenceOf(entry, this.#cli) })),
    });
  }

  step(step: ExecStep): void {
    const { workflow, plan, status, outcome, reason, failure, startedAt, finishedAt } = step;
    if (isFinished(status)) for (const { stream, line } of this.#splitter.end(step)) this.#line(step, stream, line);
    void this.#say({
      type: 'step',
      workflow,
      step: plan.name,
      status,
      exitCode: outcome?.kind === 'exited' ? outcome.exitCode : null,
      ...(outcome?.kind === 'exited' && outcome.pushed ? { pushed: outcome.pushed } : {}),
      message: outcome && 'message' in outcome ? outcome.message : null,
      reason: reason ? sentenceOf(reason, this.#cli) : null,
      failure: failure ?? null,
      startedAt: startedAt?.toISOString() ?? null,
      finishedAt: finishedAt?.toISOString() ?? null,
    });
  }

  output(step: ExecStep, stream: string, bytes: Buffer): Promise<void> {
    for (const line of this.#splitter.take(step, stream, bytes)) this.#line(step, stream, line);
    return this.#tail;
  }

  end(status: PipelineStatus, _steps: readonly ExecStep[], tookMs: number): Promise<void> {
    return this.#say({ type: 'end', status, durationMs: Math.round(tookMs) });
  }

  close(): void {}

  #line({ workflow, plan }: ExecStep, stream: string, line: string): void {
    void this.#say({ type: 'log', workflow, step: plan.name, stream, line });
  }

  #say(value: object): Promise<void> {
    this.#tail = this.#tail.then(() => this.#cli.out.jsonLine(value, '*'));
    return this.#tail;
  }
}

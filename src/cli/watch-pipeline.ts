import { changesOf } from '../api/event-stream.ts';
import type { PipelineDetail } from '../api/pipelines.ts';
import { isFinished } from '../core/pipeline.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Cli, ProjectParams, Session } from './cli.ts';
import { Exit, exitCodes } from './exit-codes.ts';
import { type PipelineLines, pipelineLines } from './pipeline-lines.ts';
import { statusColour, statusMark } from './status.ts';
import { cutToWidth, printable } from './text-width.ts';

const heartbeatMs = 30_000;
/** Without the stream (a proxy that holds it back) the pipeline is asked for now and then. */
const pollMs = 2_000;
const secondInterruptMs = 2_000;

export interface WatchOptions {
  readonly number: number;
  readonly json?: string | undefined;
  /** Waits so long and no longer. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Follows a pipeline to its end. Ends with exit code 5 when it did not pass, 3 when the time is over, 130 after Ctrl-C,
 * which leaves the pipeline alone: a second one within 2 s asks to cancel it.
 */
export async function watchPipeline(
  cli: Cli,
  session: Session,
  params: ProjectParams,
  options: WatchOptions,
): Promise<void> {
  const { out, texts } = cli;
  const view = options.json === undefined ? new PeopleView(cli) : new JsonView(cli, options.json);
  const stop = new AbortController();
  const isInterrupted = interruptible(cli, session, params, options.number, stop);
  const timer =
    options.timeoutMs === undefined ? undefined : setTimeout(() => stop.abort('timeout'), options.timeoutMs);
  const heartbeat = setInterval(() => view.heartbeat(), out.isLive ? 1_000 : heartbeatMs);
  try {
    const last = await follow(session, params, options.number, stop.signal, (detail) => view.show(detail));
    if (last) {
      await view.end(last, `${session.url}/${params.owner}/${params.project}/pipelines/${last.number}`);
      if (last.status !== 'passed') throw new Exit(exitCodes.endedBadly);
      return;
    }
    if (stop.signal.reason === 'timeout') {
      await out.note(texts.errors.timedOut(options.number, formatDuration(options.timeoutMs ?? 0)));
      throw new Exit(exitCodes.declined);
    }
    await isInterrupted();
    throw new Exit(exitCodes.interrupted);
  } finally {
    clearTimeout(timer);
    clearInterval(heartbeat);
  }
}

/** Shows each state once; answers the last one, or nothing when it was told to stop before. */
async function follow(
  session: Session,
  params: ProjectParams,
  number: number,
  signal: AbortSignal,
  show: (detail: PipelineDetail) => Promise<void>,
): Promise<PipelineDetail | undefined> {
  for await (const _ of changesOf(session, [{ kind: 'pipeline', ...params, number }], { signal, pollMs })) {
    const detail = await session.client('getPipeline', { params: { ...params, number } });
    await show(detail);
    if (isFinished(detail.status)) return detail;
  }
  return undefined;
}

/** Answers a function that waits for what the second Ctrl-C asks for. */
function interruptible(
  cli: Cli,
  session: Session,
  params: ProjectParams,
  number: number,
  stop: AbortController,
): () => Promise<void> {
  let second: Promise<void> | undefined;
  const leave = cli.io.onSignal('SIGINT', () => {
    leave();
    second = secondInterrupt(cli, async () => {
      await session.client('cancelPipeline', { params: { ...params, number } });
      await cli.out.note(cli.texts.cancelAsked(number));
    });
    void cli.out.note(`\n${cli.texts.detaching(number)}`);
    stop.abort('interrupted');
  });
  return async () => {
    await second;
  };
}

function secondInterrupt(cli: Cli, cancel: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      leave();
      resolve();
    }, secondInterruptMs);
    const leave = cli.io.onSignal('SIGINT', () => {
      clearTimeout(timer);
      leave();
      cancel().then(resolve, reject);
    });
  });
}

interface View {
  show(detail: PipelineDetail): Promise<void>;
  heartbeat(): void;
  end(detail: PipelineDetail, webUrl: string): Promise<void>;
}

/** Finished steps scroll off as lines; on a terminal the running ones are one line that is drawn again. */
class PeopleView implements View {
  readonly #cli: Cli;
  readonly #lines: PipelineLines;
  readonly #shown = new Map<string, string>();
  #last: PipelineDetail | undefined;
  #hasLiveLine = false;
  #hasSaidWhatItWaitsFor = false;

  constructor(cli: Cli) {
    this.#cli = cli;
    this.#lines = pipelineLines(cli, (colour, text) => cli.out.paintNote(colour, text));
  }

  async show(detail: PipelineDetail): Promise<void> {
    const { out } = this.#cli;
    if (!this.#last) await out.note(this.#lines.head(detail));
    this.#last = detail;
    for (const step of detail.steps) {
      const key = `${step.id}`;
      const isWorthALine = isFinished(step.status) || (!out.isLive && step.status === 'running');
      if (!isWorthALine || this.#shown.get(key) === step.status) continue;
      this.#shown.set(key, step.status);
      await this.#eraseLiveLine();
      for (const line of this.#lines.step(step, detail)) await out.note(line);
    }
    await this.#sayWhatItWaitsFor(detail);
    await this.#drawLiveLine();
  }

  /** Nothing happens until somebody decides: who watches may be the one. */
  async #sayWhatItWaitsFor({ approval, number }: PipelineDetail): Promise<void> {
    if (approval !== 'waiting' || this.#hasSaidWhatItWaitsFor) return;
    this.#hasSaidWhatItWaitsFor = true;
    await this.#eraseLiveLine();
    await this.#cli.out.note(this.#cli.texts.waitsForApproval(number));
  }

  heartbeat(): void {
    const { out, texts } = this.#cli;
    const running = this.#running();
    if (out.isLive) void this.#drawLiveLine();
    else if (this.#last && running !== '') void out.note(texts.stillRunning(this.#elapsed(), running));
  }

  async end(detail: PipelineDetail, webUrl: string): Promise<void> {
    await this.#eraseLiveLine();
    for (const line of this.#lines.ending(detail, webUrl)) await this.#cli.out.note(line);
  }

  #running(): string {
    const steps = this.#last?.steps.filter(({ status }) => status === 'running' || status === 'starting') ?? [];
    return steps.map(({ name }) => printable(name)).join(', ');
  }

  #elapsed(): string {
    const since = this.#last?.startedAt ?? this.#last?.createdAt;
    return since === undefined ? '' : formatDuration(Math.max(0, Date.now() - Date.parse(since)));
  }

  async #drawLiveLine(): Promise<void> {
    const { out, texts } = this.#cli;
    if (!out.isLive || !this.#last || isFinished(this.#last.status)) return;
    const what = this.#running() || texts.statuses[this.#last.status];
    const text = cutToWidth(` ${statusMark('running')} ${what}  ${this.#elapsed()}`, out.columns - 1);
    await out.draw(`\r\u001b[2K${out.paintNote(statusColour('running'), text)}`);
    this.#hasLiveLine = true;
  }

  async #eraseLiveLine(): Promise<void> {
    if (this.#hasLiveLine) await this.#cli.out.draw('\r\u001b[2K');
    this.#hasLiveLine = false;
  }
}

/** One line of JSON per change. */
class JsonView implements View {
  readonly #cli: Cli;
  readonly #fields: string;
  #last = '';

  constructor(cli: Cli, fields: string) {
    this.#cli = cli;
    this.#fields = fields;
  }

  async show(detail: PipelineDetail): Promise<void> {
    const text = JSON.stringify(detail);
    if (text === this.#last) return;
    this.#last = text;
    await this.#cli.out.jsonLine(detail, this.#fields);
  }

  heartbeat(): void {}

  async end(): Promise<void> {}
}

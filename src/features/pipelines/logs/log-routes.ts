import type { Context } from 'hono';
import { GantryError } from '../../../core/errors.ts';
import type { LogBus } from '../../../core/events.ts';
import { isFinished, type Step } from '../../../core/pipeline.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { LogState, LogStorage } from '../../../drivers/logs/logs.ts';
import type { RawRoute, RequestContext, ResourceName } from '../../feature.ts';
import { type ByteRange, parseByteRange } from './byte-range.ts';
import { getLogState, getPipelineSteps, getStep, type StepPlace } from './find-log.ts';
import { followLog } from './follow-log.ts';
import { countLines, type LineRange, readLines } from './read-lines.ts';
import { stampLines } from './stamp-lines.ts';

export interface LogRoutesDeps {
  readonly store: Pick<UnitOfWork, 'read'>;
  readonly logs: LogStorage;
  readonly logBus: LogBus;
}

const readBytes = 2 ** 20;
const defaultLines = 1_000;
const maxLines = 10_000;
const newline = 10;
const plainText = {
  'Content-Type': 'text/plain; charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
};
/** How often a stream that goes on asks whether its viewer still may see it. */
const authorizeEveryMs = 5_000;

/**
 * The bytes of a step's log, as plain text and never as anything else.
 * `follow=1` goes on until the end mark; `from` leaves out the bytes before it, and gives none where there are no more
 * yet: a viewer may have seen bytes that are on their way to the disk. `download=1` asks the browser to save it;
 * `timestamps=1` puts in front of each line when it came; `fromLine` and `limit` give some of its lines, counted from 1
 * or, when negative, from the end: headers tell which they are and how many there are.
 */
export function logRoutes(deps: LogRoutesDeps): readonly RawRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/projects/:owner/:project/pipelines/:number/steps/:step/log',
      summary:
        'The log of a step as plain text: whole, a range of bytes or lines, or as it grows; with timestamps on request',
      policy: ({ params }) => ({ action: 'pipeline:read', resource: projectOf(params) }),
      challenge: 'problem',
      handle: (context, request) => serveLog(deps, context, request),
    },
    {
      method: 'GET',
      path: '/api/v1/projects/:owner/:project/pipelines/:number/log',
      summary: 'The logs of all steps of a pipeline as one plain text, in their order; with timestamps on request',
      policy: ({ params }) => ({ action: 'pipeline:read', resource: projectOf(params) }),
      challenge: 'problem',
      handle: (context, request) => serveAllLogs(deps, context, request),
    },
  ];
}

async function serveLog(deps: LogRoutesDeps, context: Context, request: RequestContext): Promise<Response> {
  const step = await getStep(deps, placeOf(context.req.param()));
  const headers = new Headers(plainText);
  if (isOn(context.req.query('download')))
    headers.set('Content-Disposition', `attachment; filename="${fileName(context.req.param(), step)}"`);
  const isStamped = isOn(context.req.query('timestamps'));

  if (isOn(context.req.query('follow'))) {
    const stop = new AbortController();
    const from = isStamped ? 0 : wholeNumber(context.req.query('from'));
    const isOpen = (): Promise<boolean> => isStepOpen(deps, step.id);
    const pieces = followLog({ ...deps, isOpen, isStoredOnly: isStamped }, step.id, from, stop.signal);
    const mayGoOn = (): Promise<boolean> => request.may('pipeline:read', projectOf(context.req.param()));
    const shown = isStamped ? stamped(deps, step, 0, pieces) : pieces;
    return new Response(streamOf(authorized(shown, mayGoOn), stop), { headers });
  }

  const state = await getLogState(deps, step);
  const lines = readLineRange(context);
  if (lines) return serveLines(deps, step, state, lines, headers, isStamped);
  if (!isStamped) return serveStored(deps, context, step.id, state, headers);
  const pieces = storedPieces(deps.logs, step.id, { from: 0, to: state.sizeBytes });
  return new Response(streamOf(stamped(deps, step, 0, pieces), new AbortController()), { headers });
}

/** What there is now of the present attempts, each under a line with the name of its step. */
async function serveAllLogs(deps: LogRoutesDeps, context: Context, request: RequestContext): Promise<Response> {
  const { owner = '', project = '', number } = context.req.param() as Record<string, string>;
  const { pipeline, workflows, steps } = await getPipelineSteps(deps, { owner, project, number: wholeNumber(number) });
  const headers = new Headers(plainText);
  if (isOn(context.req.query('download'))) {
    const name = `${project}-${pipeline.number}`.replace(/[^A-Za-z0-9._-]+/g, '_');
    headers.set('Content-Disposition', `attachment; filename="${name.slice(0, 120)}.log"`);
  }
  const isStamped = isOn(context.req.query('timestamps'));
  const mayGoOn = (): Promise<boolean> => request.may('pipeline:read', projectOf(context.req.param()));

  async function* pieces(): AsyncGenerator<Buffer, void> {
    let isAtLineStart = true;
    for (const step of steps) {
      const state = await deps.logs.find(step.id);
      if (!state) continue;
      const head = `── ${workflows.get(step.workflowId) ?? ''}/${step.name}: ${step.status}\n`;
      // A log need not end its last line.
      yield Buffer.from((isAtLineStart ? '' : '\n') + plainLine(head));
      isAtLineStart = true;
      const stored = storedPieces(deps.logs, step.id, { from: 0, to: state.sizeBytes });
      for await (const piece of isStamped ? stamped(deps, step, 0, stored) : stored) {
        isAtLineStart = piece.at(-1) === newline;
        yield piece;
      }
    }
  }
  return new Response(streamOf(authorized(pieces(), mayGoOn), new AbortController()), { headers });
}

/** Some lines, and where they stand in the log as it is now. */
async function serveLines(
  deps: LogRoutesDeps,
  step: Step,
  state: LogState,
  range: LineRange,
  headers: Headers,
  isStamped: boolean,
): Promise<Response> {
  const [total, { firstLine, offset, bytes }] = await Promise.all([
    countLines(deps.logs, step.id, state),
    readLines(deps.logs, step.id, state, range),
  ]);
  headers.set('Log-First-Line', String(firstLine));
  headers.set('Log-Offset', String(offset));
  headers.set('Log-Lines', String(total));
  headers.set('Log-Size', String(state.sizeBytes));
  if (!isStamped) {
    headers.set('Content-Length', String(bytes.length));
    return new Response(new Uint8Array(bytes), { headers });
  }
  return new Response(streamOf(stamped(deps, step, offset, only(bytes)), new AbortController()), { headers });
}

function stamped(
  deps: LogRoutesDeps,
  step: Step,
  offset: number,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void> {
  const startedAt = async (): Promise<Date | undefined> =>
    step.startedAt ?? (await deps.store.read.pipelines.findStep(step.id))?.startedAt;
  return stampLines({ logs: deps.logs, startedAt }, step.id, offset, pieces);
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}

/** What is there now. A log that has ended is named by an ETag, since it never changes again. */
function serveStored(
  { logs }: LogRoutesDeps,
  context: Context,
  stepId: number,
  state: LogState,
  headers: Headers,
): Response {
  headers.set('Accept-Ranges', 'bytes');
  if (state.isEnded) {
    const etag = `"${stepId}-${state.sequence}-${state.sizeBytes}"`;
    headers.set('ETag', etag);
    headers.set('Cache-Control', 'private, no-cache');
    const known = context.req.header('If-None-Match');
    if (known?.split(',').some((each) => each.trim() === etag || each.trim() === '*'))
      return new Response(null, { status: 304, headers });
  }
  const tail = context.req.query('from');
  const asked = tail === undefined ? parseByteRange(context.req.header('Range'), state.sizeBytes) : undefined;
  if (asked === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${state.sizeBytes}`);
    return new Response(null, { status: 416, headers });
  }
  const from = Math.min(wholeNumber(tail), state.sizeBytes);
  const range: ByteRange = asked ?? { from, to: state.sizeBytes };
  if (asked) headers.set('Content-Range', `bytes ${range.from}-${range.to - 1}/${state.sizeBytes}`);
  headers.set('Content-Length', String(range.to - range.from));
  const stop = new AbortController();
  const body = range.to > range.from ? streamOf(storedPieces(logs, stepId, range), stop) : null;
  return new Response(body, { status: asked ? 206 : 200, headers });
}

async function* storedPieces(logs: LogStorage, stepId: number, range: ByteRange): AsyncGenerator<Buffer, void> {
  for (let from = range.from; from < range.to; ) {
    const bytes = await logs.read(stepId, from, Math.min(readBytes, range.to - from));
    if (!bytes || bytes.length === 0)
      throw new GantryError('LOG_NOT_FOUND', `Cannot go on with the log of step ${stepId}: it was removed`);
    from += bytes.length;
    yield bytes;
  }
}

/** Ends the stream when whoever looks on may no longer. */
async function* authorized(
  pieces: AsyncGenerator<Buffer, void>,
  mayGoOn: () => Promise<boolean>,
): AsyncGenerator<Buffer, void> {
  let askedAtMs = performance.now();
  for await (const piece of pieces) {
    if (performance.now() - askedAtMs > authorizeEveryMs) {
      if (!(await mayGoOn())) return;
      askedAtMs = performance.now();
    }
    yield piece;
  }
}

/** Pulled by whoever reads: a slow reader holds nothing but the piece it is at. */
function streamOf(pieces: AsyncGenerator<Buffer, void>, stop: AbortController): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        stop.abort();
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function isStepOpen({ store }: LogRoutesDeps, stepId: number): Promise<boolean> {
  const step = await store.read.pipelines.findStep(stepId);
  return step !== undefined && !isFinished(step.status);
}

/** `undefined` when whole lines are not what is asked for. */
function readLineRange(context: Context): LineRange | undefined {
  const [fromLine, limit] = [context.req.query('fromLine'), context.req.query('limit')];
  if (fromLine === undefined && limit === undefined) return undefined;
  if (!/^-?[1-9]\d{0,14}$/.test(fromLine ?? '1'))
    throw new GantryError('REQUEST_INVALID', `Cannot show lines from ${fromLine}: it must be a number that is not 0`);
  const lines = wholeNumber(limit ?? String(defaultLines));
  if (lines < 1 || lines > maxLines)
    throw new GantryError('REQUEST_INVALID', `Cannot show ${limit} lines: it must be a number from 1 to ${maxLines}`);
  return { fromLine: Number(fromLine ?? 1), limit: lines };
}

function placeOf({ owner = '', project = '', number, step }: Readonly<Record<string, string>>): StepPlace {
  return { owner, project, number: wholeNumber(number), step: wholeNumber(step) };
}

function projectOf(params: Readonly<Record<string, string>>): ResourceName {
  return { on: 'project', owner: params['owner'] ?? '', name: params['project'] ?? '' };
}

/** Names are anything: what they have of control characters must not write to a terminal. */
function plainLine(text: string): string {
  return text.replace(/[^\P{C}\n]/gu, '?');
}

/** Names of steps are anything; those of files are not. */
function fileName(params: Readonly<Record<string, string>>, step: Step): string {
  const plain = `${params['project']}-${params['number']}-${step.name}-${step.attempt}`.replace(
    /[^A-Za-z0-9._-]+/g,
    '_',
  );
  return `${plain.slice(0, 120)}.log`;
}

/** `undefined` and what is no number are 0: no row has that id. */
function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function isOn(text: string | undefined): boolean {
  return text === '1' || text === 'true' || text === '';
}

import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { isWanted } from '../../core/artifact.ts';
import { GantryError } from '../../core/errors.ts';
import type { RegistryCredentials } from '../../core/image.ts';
import type { Outcome } from '../../core/pipeline.ts';
import type { ArtifactPlan, StepPlan, TakenArtifact } from '../../core/plan.ts';
import type {
  ProgramRun,
  ReleaseSpec,
  RunningStep,
  RuntimeJob,
  StagedStep,
  StepLimits,
} from '../../drivers/runtime/runtime.ts';
import { ArtifactInterrupted, type ArtifactLine, ArtifactRefused } from './artifact-line.ts';
import { readArtifactPattern } from './artifact-pattern.ts';
import { packProgram } from './pack-program.ts';
import { unpackProgram } from './unpack-program.ts';

/** What the artifacts of a step are made with. */
export interface ArtifactPlace {
  readonly job: RuntimeJob;
  readonly line: ArtifactLine;
  readonly stepId: number;
  /** Unique in the job for each attempt of the step. */
  readonly jobStepId: string;
  readonly plan: StepPlan;
  readonly credentials: readonly RegistryCredentials[] | undefined;
  readonly limits: StepLimits;
  readonly writeLine: (line: string) => void;
}

/** Of what is packed and unpacked, before compression. */
const maxBytes = 16 * 2 ** 30;
const maxEntries = 200_000;
/** How long one artifact may take. */
const timeLimitMs = 30 * 60_000;
/** How often one is sent anew because the server went away. */
const maxAttempts = 20;
const pieceBytes = 512 * 1024;
const complaintLimitBytes = 8_192;

/** How long the end of a step may take beyond its own time because of its artifacts. */
export function artifactTimeMs({ artifacts, takes }: StepPlan): number {
  return ((artifacts?.length ?? 0) + (takes?.length ?? 0)) * timeLimitMs;
}

/** The step's own fault, in words for its log. */
class ArtifactFault extends Error {
  override readonly name = 'ArtifactFault';
}

/** A step whose artifacts are kept before its outcome is told. */
export function withArtifacts(running: RunningStep, place: ArtifactPlace): RunningStep {
  const stop = new AbortController();
  let cancelled: string | undefined;
  const outcome = running.outcome.then(async (end): Promise<Outcome> => {
    if (cancelled !== undefined || end.kind === 'cancelled' || end.kind === 'infrastructure') return end;
    const hasPassed = end.kind === 'exited' && end.exitCode === 0;
    const wanted = (place.plan.artifacts ?? []).filter((artifact) => isWanted(artifact, hasPassed));
    let worst: Outcome = end;
    for (const artifact of wanted) {
      const fault = await publish(artifact, place, stop.signal);
      if (cancelled !== undefined) return { kind: 'cancelled', reason: cancelled };
      // What the step's own commands say goes first.
      if (fault && hasPassed && (worst === end || fault.kind === 'infrastructure')) worst = fault;
    }
    return worst;
  });
  return {
    outcome,
    cancel(reason) {
      cancelled ??= reason;
      stop.abort(new Error(reason));
      running.cancel(reason);
    },
  };
}

/** The step that puts artifacts into the workspace. */
export function takingStep(place: ArtifactPlace): StagedStep {
  return {
    release: (release) => runTaking(place, release),
    discard: () => Promise.resolve(),
  };
}

function runTaking(place: ArtifactPlace, release: ReleaseSpec): RunningStep {
  const stop = new AbortController();
  let ended: Outcome | undefined;
  const timer = setTimeout(
    () => {
      ended ??= { kind: 'timed-out', timeoutMs: release.timeoutMs };
      stop.abort(new Error('The time is over'));
    },
    Math.min(release.timeoutMs, 2 ** 31 - 1),
  );
  const run = async (): Promise<Outcome> => {
    for (const taken of place.plan.takes ?? []) {
      const fault = await take(taken, place, stop.signal);
      if (ended) return ended;
      if (fault) return fault;
    }
    return { kind: 'exited', exitCode: 0 };
  };
  return {
    outcome: run().finally(() => clearTimeout(timer)),
    cancel(reason) {
      ended ??= { kind: 'cancelled', reason };
      stop.abort(new Error(reason));
    },
  };
}

async function publish(
  artifact: ArtifactPlan,
  place: ArtifactPlace,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const { line, stepId, writeLine } = place;
  const days = artifact.keepMs / 86_400_000;
  const kept = days >= 1 ? `${Math.round(days)} d` : `${Math.ceil(artifact.keepMs / 3_600_000)} h`;
  for (let attempt = 1; ; attempt += 1) {
    const packing = new Packing(artifact, place, attempt, signal);
    try {
      const { sizeBytes } = await line.store(
        { stepId, name: artifact.name },
        packing.pieces(),
        signal,
        () => packing.entries,
      );
      writeLine(`artifact ${artifact.name}: ${packing.entries} entries, ${sizeText(sizeBytes)}, kept for ${kept}`);
      return undefined;
    } catch (error) {
      packing.stop();
      if (signal.aborted) return undefined;
      // The packing tells more than the break of what it was sent over.
      const cause = packing.fault ?? error;
      if (cause instanceof ArtifactInterrupted && attempt < maxAttempts) continue;
      const { message, isInfrastructure } = wordsOf(cause);
      const sentence = `Cannot keep the artifact "${artifact.name}": ${message}`;
      writeLine(sentence);
      return isInfrastructure
        ? { kind: 'infrastructure', message: sentence }
        : { kind: 'artifact-failed', message: sentence };
    }
  }
}

/** One run of the packing program, and what it writes, compressed and in pieces. */
class Packing {
  entries = 0;
  fault: unknown;
  readonly #artifact: ArtifactPlan;
  readonly #place: ArtifactPlace;
  readonly #attempt: number;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(artifact: ArtifactPlan, place: ArtifactPlace, attempt: number, signal: AbortSignal) {
    this.#artifact = artifact;
    this.#place = place;
    this.#attempt = attempt;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  stop(): void {
    this.#stop.abort(new Error('It is not wanted any more'));
  }

  async *pieces(): AsyncGenerator<Buffer, void> {
    let isWhole = false;
    const tar = new PassThrough({ highWaterMark: pieceBytes });
    const packed = createZstdCompress();
    const compressing = pipeline(tar, packed, { signal: this.#signal });
    compressing.catch(() => undefined);
    const packing = this.#pack(tar).then(
      () => void tar.end(),
      (error: unknown) => {
        // What was ended because of something else has nothing to say.
        if (!this.#stop.signal.aborted) this.fault ??= error;
        tar.destroy(error instanceof Error ? error : new Error(String(error)));
      },
    );
    try {
      yield* inPieces(packed);
      await packing;
      if (this.fault) throw this.fault;
      isWhole = true;
    } finally {
      if (!isWhole) this.stop();
      await packing;
    }
  }

  async #pack(tar: PassThrough): Promise<void> {
    const { exclude, name, paths } = this.#artifact;
    const complaint = new Complaint();
    const end = await runProgram(this.#place, {
      id: `${this.#place.jobStepId}-pack-${name}-${this.#attempt}`,
      name: `${this.#place.plan.name} (artifact ${name})`,
      program: packProgram,
      args: [
        String(maxBytes),
        String(maxEntries),
        String(paths.length),
        ...paths.map(readArtifactPattern).flatMap(({ prefix, expression }) => [prefix, expression]),
        ...exclude.flatMap((pattern) => {
          const { expression } = readArtifactPattern(pattern);
          return [expression, `${expression}/.*`];
        }),
      ],
      onOutput: async (stream, bytes) => {
        if (stream === 'stderr') complaint.add(bytes);
        else if (!tar.write(Buffer.from(bytes)) && !tar.destroyed) await drained(tar);
      },
      signal: this.#signal,
    });
    for (const note of complaint.notes) this.#place.writeLine(`artifact ${name}: left out: ${note}`);
    this.entries = complaint.readEnd(end);
  }
}

async function take(taken: TakenArtifact, place: ArtifactPlace, signal: AbortSignal): Promise<Outcome | undefined> {
  const { line, stepId, writeLine } = place;
  const complaint = new Complaint();
  let sizeBytes = 0;
  let fetchFault: unknown;
  async function* fetched(): AsyncGenerator<Buffer, void> {
    try {
      for await (const piece of line.fetch({ stepId, name: taken.name }, signal)) {
        sizeBytes += piece.length;
        yield piece;
      }
    } catch (error) {
      fetchFault = error;
      throw error;
    }
  }
  const input = createZstdDecompress();
  const fetching = pipeline(Readable.from(fetched()), input, { signal });
  fetching.catch(() => undefined);
  try {
    const end = await runProgram(place, {
      id: `${place.jobStepId}-unpack-${taken.name}`,
      name: `${place.plan.name} (artifact ${taken.name})`,
      program: unpackProgram,
      args: [taken.path, String(maxBytes), String(maxEntries)],
      input: Readable.from(bounded(input)),
      onOutput: (stream, bytes) => {
        if (stream === 'stderr') complaint.add(bytes);
      },
      signal,
    });
    const entries = complaint.readEnd(end);
    await fetching;
    writeLine(`artifact ${taken.name}: ${entries} entries, ${sizeText(sizeBytes)}, from workflow ${taken.workflow}`);
    return undefined;
  } catch (error) {
    input.destroy();
    if (signal.aborted) return undefined;
    const { message, isInfrastructure } = wordsOf(fetchFault ?? error);
    const sentence = `Cannot take the artifact "${taken.name}" of workflow "${taken.workflow}": ${message}`;
    writeLine(sentence);
    return isInfrastructure
      ? { kind: 'infrastructure', message: sentence }
      : { kind: 'artifact-failed', message: sentence };
  }
}

async function runProgram(
  { job, plan, credentials, limits }: ArtifactPlace,
  run: Pick<ProgramRun, 'id' | 'name' | 'program' | 'args' | 'input' | 'onOutput' | 'signal'>,
): Promise<Outcome> {
  if (!job.runProgram) throw new ArtifactRefused('the steps of this runtime have no files', true);
  // What is there for the step itself need not be fetched again.
  const pull = plan.takes ? plan.pull : 'if-not-present';
  return job.runProgram({ ...run, image: plan.image, pull, credentials, limits, timeoutMs: timeLimitMs });
}

/** What the programs say on standard error. */
class Complaint {
  #text = '';

  add(bytes: Buffer): void {
    if (this.#text.length < complaintLimitBytes) this.#text += bytes.toString('utf8');
  }

  get notes(): readonly string[] {
    return this.#lines('~');
  }

  /** How many entries there were. Throws what went wrong. */
  readEnd(end: Outcome): number {
    const [fault] = this.#lines('!');
    const entries = this.#lines('=').at(-1);
    if (end.kind === 'exited' && end.exitCode === 0 && entries !== undefined) return Number(entries);
    if (fault !== undefined) throw new ArtifactFault(fault);
    switch (end.kind) {
      case 'timed-out':
        throw new ArtifactFault(`it took longer than ${Math.round(end.timeoutMs / 60_000)} minutes`);
      case 'disk-limit':
        throw new ArtifactFault(`the disk of the step is full (limit ${sizeText(end.limitBytes)})`);
      case 'oom':
        throw new ArtifactFault('there was not enough memory');
      case 'infrastructure':
        throw new ArtifactRefused(end.message, true);
      default:
        throw new ArtifactRefused(`the program for it ended early: ${this.#text.trim().slice(0, 300)}`, true);
    }
  }

  #lines(mark: string): readonly string[] {
    return this.#text.split('\n').flatMap((line) => (line.startsWith(mark) ? [line.slice(1)] : []));
  }
}

function wordsOf(error: unknown): { readonly message: string; readonly isInfrastructure: boolean } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ArtifactRefused) return { message, isInfrastructure: error.isInfrastructure };
  if (error instanceof ArtifactFault) return { message, isInfrastructure: false };
  return { message, isInfrastructure: !(error instanceof GantryError) || error.kind === 'unavailable' };
}

/** Bytes as they come, in pieces of one size: each is asked for and answered by itself. */
async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const part of source) {
    gathered.push(part);
    bytes += part.length;
    if (bytes < pieceBytes) continue;
    let whole = Buffer.concat(gathered);
    for (; whole.length >= pieceBytes; whole = whole.subarray(pieceBytes)) yield whole.subarray(0, pieceBytes);
    gathered = whole.length > 0 ? [whole] : [];
    bytes = whole.length;
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}

/** A few bytes can stand for very many. */
async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  // What heads of files take beside their bytes.
  const limit = maxBytes + maxEntries * 2_048;
  for await (const piece of source) {
    bytes += piece.length;
    if (bytes > limit) throw new ArtifactFault(`it has more than ${sizeText(maxBytes)} when unpacked`);
    yield piece;
  }
}

function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

function sizeText(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

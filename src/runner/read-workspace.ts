import { PassThrough, type Readable } from 'node:stream';
import type { RuntimeJob, StepLimits } from '../drivers/runtime/runtime.ts';

export interface WorkspaceReading {
  /** Unique per attempt, as ids of steps are. */
  readonly id: string;
  readonly name: string;
  /** Run by busybox in the workspace; what it writes is what is read. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: StepLimits;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The script's own refusal: its words are for the step's log. */
export class WorkspaceFault extends Error {
  override readonly name = 'WorkspaceFault';
}

/** Image of ours: nothing that a step of the job has left is run. */
const readerImage = 'base/gate';
const complaintLimitBytes = 4_096;

/**
 * Reads the workspace of a job from inside, in a step of its own: links that steps before have laid lead nowhere else.
 * The stream breaks with WorkspaceFault where the script says so (exit code 3), and with any other error where it was
 * ended.
 */
export function readWorkspace(job: RuntimeJob, reading: WorkspaceReading): Readable {
  const output = new PassThrough();
  // Whoever reads it hears of a break there; nobody may be reading yet.
  output.on('error', () => undefined);
  void copy(job, reading, output).then(
    () => output.end(),
    (error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return output;
}

async function copy(job: RuntimeJob, reading: WorkspaceReading, output: PassThrough): Promise<void> {
  const { environment, id, limits, name, script, signal, timeoutMs } = reading;
  const staged = await job.stage({
    id,
    name,
    kind: 'commands',
    image: readerImage,
    pull: 'default',
    limits,
    network: 'none',
    signal,
  });
  if (signal.aborted) {
    await staged.discard();
    throw signal.reason;
  }
  let complaint = '';
  const running = staged.release({
    script,
    environment,
    secrets: {},
    timeoutMs,
    graceMs: 1_000,
    onOutput(stream, bytes) {
      if (stream === 'stderr') {
        if (complaint.length < complaintLimitBytes) complaint += bytes.toString('utf8');
        return;
      }
      return pass(output, bytes);
    },
  });
  const end = (): void => running.cancel('Nobody reads on');
  signal.addEventListener('abort', end, { once: true });
  output.once('close', end);
  const outcome = await running.outcome;
  signal.removeEventListener('abort', end);
  output.removeListener('close', end);
  signal.throwIfAborted();
  if (outcome.kind === 'exited' && outcome.exitCode === 0) return;
  if (outcome.kind === 'exited' && outcome.exitCode === 3) throw new WorkspaceFault(complaint.trim());
  throw new Error(`The workspace could not be read: ${complaint.trim() || JSON.stringify(outcome)}`);
}

/** Waits while nobody takes what is there. */
function pass(output: PassThrough, bytes: Buffer): void | Promise<void> {
  if (output.destroyed || output.write(bytes)) return;
  return new Promise((resolve) => {
    const done = (): void => {
      output.removeListener('drain', done);
      output.removeListener('close', done);
      resolve();
    };
    output.once('drain', done);
    output.once('close', done);
  });
}

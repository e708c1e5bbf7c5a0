import type { Outcome } from '../../../core/pipeline.ts';
import type { PortPlan } from '../../../core/plan.ts';
import { parseDurationMs } from '../../../lib/duration.ts';
import { parsePort } from '../../../lib/parse-port.ts';

/** What a scripted step does, one act after the other. Without an ending it exits with 0. */
export type Act =
  | { readonly do: 'write'; readonly stream?: 'stdout' | 'stderr'; readonly text: string }
  /** Bytes that are no text, as often as `times` says. */
  | { readonly do: 'write-base64'; readonly base64: string; readonly times?: number }
  /** `count` lines of the form `line 1`. */
  | { readonly do: 'write-lines'; readonly stream?: 'stdout' | 'stderr'; readonly count: number }
  /** As many bytes of one letter, without a newline. */
  | { readonly do: 'write-bytes'; readonly stream?: 'stdout' | 'stderr'; readonly sizeBytes: number }
  /** What the step was given under this name, with a newline: environment and secrets. */
  | { readonly do: 'print-variable'; readonly name: string }
  | { readonly do: 'sleep'; readonly ms: number }
  /** From here on SIGTERM is ignored: only the end of the grace period ends the step. */
  | { readonly do: 'ignore-sigterm' }
  /** From here to its end the step answers on these ports. */
  | { readonly do: 'listen'; readonly ports: readonly PortPlan[] }
  /** Waits until it is cancelled or timed out. */
  | { readonly do: 'hang' }
  | { readonly do: 'end'; readonly outcome: Outcome };

/** Acts for the steps that match: all keys given must be equal. The first match counts. */
export interface ScriptRule {
  readonly job?: string | undefined;
  readonly step?: string | undefined;
  readonly image?: string | undefined;
  readonly acts: readonly Act[];
}

/**
 * Acts from the step's environment, for pipelines that drive this runtime by themselves:
 * `STEP_OUTPUT` and `STEP_ERROR_OUTPUT` (text), `STEP_OUTPUT_LINES` (count), `STEP_OUTPUT_BYTES`, `STEP_SLEEP` (`500ms`),
 * `STEP_IGNORE_SIGTERM`, `STEP_LISTEN` (ports with commas between them), `STEP_HANG`, and one ending: `STEP_EXIT_CODE`, `STEP_SIGNAL`, `STEP_OOM_KILLED`,
 * `STEP_CANNOT_START` (message), `STEP_INFRASTRUCTURE` (message). `STEP_ACTS` is the whole list as JSON instead.
 */
export function actsFromEnvironment(environment: Readonly<Record<string, string>>): readonly Act[] {
  const listed = environment['STEP_ACTS'];
  if (listed !== undefined) return JSON.parse(listed) as readonly Act[];

  const acts: Act[] = [];
  const given = (name: string): string | undefined => environment[name] || undefined;
  const isOn = (name: string): boolean => given(name) !== undefined && given(name) !== 'false' && given(name) !== '0';

  const output = given('STEP_OUTPUT');
  if (output) acts.push({ do: 'write', text: endedLine(output) });
  const errorOutput = given('STEP_ERROR_OUTPUT');
  if (errorOutput) acts.push({ do: 'write', stream: 'stderr', text: endedLine(errorOutput) });
  const lines = Number(given('STEP_OUTPUT_LINES') ?? 0);
  if (lines > 0) acts.push({ do: 'write-lines', count: lines });
  const sizeBytes = Number(given('STEP_OUTPUT_BYTES') ?? 0);
  if (sizeBytes > 0) acts.push({ do: 'write-bytes', sizeBytes });
  if (isOn('STEP_IGNORE_SIGTERM')) acts.push({ do: 'ignore-sigterm' });
  const sleepMs = parseDurationMs(given('STEP_SLEEP') ?? '');
  if (sleepMs) acts.push({ do: 'sleep', ms: sleepMs });
  const ports = given('STEP_LISTEN')
    ?.split(',')
    .flatMap((text) => parsePort(text) ?? []);
  if (ports) acts.push({ do: 'listen', ports });
  if (isOn('STEP_HANG')) acts.push({ do: 'hang' });

  const outcome = endingFromEnvironment(given, isOn);
  if (outcome) acts.push({ do: 'end', outcome });
  return acts;
}

function endingFromEnvironment(
  given: (name: string) => string | undefined,
  isOn: (name: string) => boolean,
): Outcome | undefined {
  const infrastructure = given('STEP_INFRASTRUCTURE');
  if (infrastructure) return { kind: 'infrastructure', message: infrastructure };
  const cannotStart = given('STEP_CANNOT_START');
  if (cannotStart) return { kind: 'cannot-start', message: cannotStart };
  if (isOn('STEP_OOM_KILLED')) return { kind: 'oom', limitBytes: 512 * 2 ** 20 };
  const signal = given('STEP_SIGNAL');
  if (signal) return { kind: 'killed', signal };
  const exitCode = given('STEP_EXIT_CODE');
  return exitCode === undefined ? undefined : { kind: 'exited', exitCode: Number(exitCode) };
}

function endedLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

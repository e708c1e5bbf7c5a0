import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPrivilegedFault } from '../../../core/admit-privileged.ts';
import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { PortPlan } from '../../../core/plan.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, isNotFound } from '../../container-engine/api/engine-error.ts';
import type { EngineImage } from '../../container-engine/api/engine-images.ts';
import type { EngineWatch } from '../../container-engine/api/engine-watch.ts';
import type { ReleaseSpec, RunningStep, StagedStep, StageSpec } from '../runtime.ts';
import { type GateEnd, GateReport } from './gate-report.ts';
import type { JobNames } from './job-names.ts';
import { OutputFrames } from './output-frames.ts';
import { privilegedRequest } from './privileged-request.ts';
import { encodeRelease } from './release-frame.ts';

/** After the end of a step its output ends at the latest when nothing came for so long. */
const drainIdleMs = 2_000;
/** What the gate waits for that has asked for the names. */
const goOn = '\n';
/** How long an engine may take to do what ends a container, and to tell how it ended. */
const killTimeoutMs = 20_000;
const recordTimeoutMs = 15_000;
const lateRecordMs = 300;
/** A container is taken down when the next step has had time to begin: both take the engine and the processors. */
const lingerMs = 250;

export interface DockerStepOptions {
  readonly client: EngineClient;
  readonly watch: EngineWatch;
  /** Name of the container. */
  readonly container: string;
  /** Attached, and started: the gate waits. */
  readonly socket: Socket;
  readonly step: StageSpec;
  readonly image: EngineImage;
  readonly defaults: Readonly<Record<string, string>>;
  readonly privilegedImages: readonly string[];
  /** Names of the job, for a step with a network. */
  readonly names?: JobNames | undefined;
  /** Whether it has the `/etc/hosts` that other steps may have overwritten. */
  readonly sharesNames: boolean;
  /** Whether the container may stay for a moment after the step: nothing waits for what it holds. */
  readonly lingers: boolean;
  /** Called once, when the container is to be removed. */
  readonly remove: () => Promise<void>;
}

/** Why we ended a step that would have gone on. */
type Ended =
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'timed-out'; readonly timeoutMs: number };

interface ContainerRecord {
  readonly State: {
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Error?: string;
  };
}

/** One step behind its gate, then running, in a container of its own. */
export class DockerStep implements StagedStep {
  readonly #options: DockerStepOptions;
  readonly #report: GateReport;
  /** The same mark at the end of the standard output. */
  readonly #outputEnd: GateReport;
  readonly #mark: string;
  #state: 'staged' | 'released' | 'discarded' = 'staged';
  #running: RunningStep | undefined;
  #hasEnded = false;
  #lingering: NodeJS.Timeout | undefined;
  #removed: Promise<void> | undefined;
  /** Resolved with why when the end of the step can no longer be waited for. */
  readonly #lost = Promise.withResolvers<string>();

  constructor(options: DockerStepOptions) {
    this.#options = options;
    this.#mark = `\0gantry ${randomBytes(16).toString('hex')} `;
    this.#report = new GateReport(this.#mark);
    this.#outputEnd = new GateReport(this.#mark);
    // Told by the reading, or of no interest when nothing is read.
    options.socket.on('error', () => undefined);
  }

  get ports(): readonly PortPlan[] {
    return this.#options.image.ports;
  }

  get container(): string {
    return this.#options.container;
  }

  /** Of the image that its container was made of. */
  get imageId(): string {
    return this.#options.image.id;
  }

  release(release: ReleaseSpec, input?: Readable): RunningStep {
    const { name } = this.#options.step;
    if (this.#state !== 'staged') throw new TypeError(`Cannot release step "${name}": it was already ${this.#state}`);
    this.#state = 'released';
    this.#running = this.#start(release, input);
    return this.#running;
  }

  async discard(): Promise<void> {
    if (this.#state === 'staged') this.#state = 'discarded';
    if (this.#state === 'discarded') this.#remove();
  }

  /** Ends the step, however far it is; what it held is given back beside other work. */
  async destroy(): Promise<void> {
    if (this.#state !== 'released') return this.discard();
    if (!this.#hasEnded) void this.#kill();
    await this.#running?.outcome;
    this.#remove();
  }

  /** Resolves when its container is gone. */
  get removed(): Promise<void> {
    return this.#removed ?? Promise.resolve();
  }

  #start(release: ReleaseSpec, input: Readable | undefined): RunningStep {
    const { step, image, defaults, socket, watch, names, sharesNames } = this.#options;
    let frame: Buffer;
    try {
      const fault = step.privileged && this.#findPrivilegedFault(release);
      if (fault) throw new GantryError('REQUEST_INVALID', fault);
      frame = encodeRelease({
        mark: this.#mark,
        step,
        release,
        image,
        defaults,
        // Its input is its own: there the gate cannot ask.
        ...(input ? { takesInput: true } : { hosts: sharesNames ? names?.file : undefined }),
      });
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      this.#end();
      return { outcome: Promise.resolve({ kind: 'cannot-start', message: error.message }), cancel: () => {} };
    }
    let ended: Ended | undefined;
    let graceTimer: NodeJS.Timeout | undefined;
    const takeBackWatch = watch.whenLost(this.#lost.resolve);
    const stop = (why: Ended): void => {
      if (ended || this.#hasEnded) return;
      ended = why;
      void this.#signal('SIGTERM').catch(() => undefined);
      graceTimer = setTimeout(() => void this.#kill(), release.graceMs);
    };
    const timeout = setTimeout(
      () => stop({ kind: 'timed-out', timeoutMs: release.timeoutMs }),
      // Longer than a timer can be is as good as never.
      Math.min(release.timeoutMs, 2 ** 31 - 1),
    );
    const run = async (): Promise<Outcome> => {
      await (input ? names?.write() : names?.settle());
      socket.write(frame);
      if (input) void this.#feed(input);
      const why = await Promise.race([this.#readAll(release.onOutput), this.#lost.promise]);
      if (why !== undefined) return { kind: 'infrastructure', message: why };
      return ended ?? (await this.#outcome());
    };
    const outcome = run()
      .catch((error: unknown): Outcome => ended ?? { kind: 'infrastructure', message: messageOf(error) })
      .finally(() => {
        clearTimeout(timeout);
        clearTimeout(graceTimer);
        takeBackWatch();
        this.#end();
      });
    return { outcome, cancel: (reason) => stop({ kind: 'cancelled', reason }) };
  }

  #findPrivilegedFault({ environment, secrets }: ReleaseSpec): string | undefined {
    const { step, privilegedImages } = this.#options;
    const variables = [...Object.keys(environment), ...Object.keys(secrets)];
    return findPrivilegedFault(privilegedRequest(step, variables), privilegedImages);
  }

  /** What comes after the release on the gate's input, for a step of ours. */
  async #feed(input: Readable): Promise<void> {
    const { socket } = this.#options;
    // The connection stays open: its end would tell the engine that nobody listens any more.
    const writer = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (socket.writable) socket.write(chunk, () => done());
        else done(new Error('the step has ended'));
      },
    });
    await pipeline(input, writer).catch(() => undefined);
  }

  /** Resolves at the end of the output, which the gate's marks tell before the engine does. */
  async #readAll(onOutput: ReleaseSpec['onOutput']): Promise<undefined> {
    const { socket } = this.#options;
    const frames = new OutputFrames();
    let idle: NodeJS.Timeout | undefined;
    try {
      // The end of the connection would end the gate too.
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        clearTimeout(idle);
        for (const { stream, bytes } of frames.read(chunk as Buffer)) {
          const own = (stream === 'stderr' ? this.#report : this.#outputEnd).take(bytes);
          if (own.length > 0) await onOutput(stream, own);
        }
        if (this.#report.takeQuestion()) {
          await this.#options.names?.write();
          socket.write(goOn);
        }
        if (this.#report.end && this.#outputEnd.isThere) break;
        if (this.#report.end) idle = setTimeout(() => socket.destroy(), drainIdleMs);
      }
    } catch (error) {
      // A line that broke is an end too; whether the step ended with it, its record tells.
      if (!socket.destroyed) throw error;
    } finally {
      clearTimeout(idle);
    }
    for (const [stream, end] of [
      ['stdout', this.#outputEnd],
      ['stderr', this.#report],
    ] as const) {
      const rest = end.rest();
      if (rest.length > 0) await onOutput(stream, rest);
    }
    return undefined;
  }

  async #outcome(): Promise<Outcome> {
    const end = this.#report.end;
    if (end?.kind === 'fault') return { kind: 'cannot-start', message: end.message };
    if (end?.kind === 'exit' && end.code === 0) return { kind: 'exited', exitCode: 0 };
    const limitBytes = this.#options.step.limits.memoryBytes;
    if (limitBytes !== undefined && end && (end.oomKills > 0 || (await this.#wasOutOfMemory(end))))
      return { kind: 'oom', limitBytes };
    if (end?.kind === 'exit') return { kind: 'exited', exitCode: end.code };
    if (end?.kind === 'signal') return { kind: 'killed', signal: signalName(end.number) };
    return this.#outcomeOfRecord();
  }

  /** Where the control group cannot be read inside, the engine's record tells; only such ends can be meant. */
  async #wasOutOfMemory(end: GateEnd): Promise<boolean> {
    const isKill = (end.kind === 'signal' && end.number === 9) || (end.kind === 'exit' && end.code === 137);
    if (!isKill) return false;
    const record = await this.#record().catch(() => undefined);
    return record?.State.OOMKilled ?? false;
  }

  /** The gate was ended without a word: nothing inside can do that but the kernel for want of memory. */
  async #outcomeOfRecord(): Promise<Outcome> {
    const { step } = this.#options;
    let record: ContainerRecord;
    try {
      record = await this.#record();
    } catch (error) {
      const message = isNotFound(error) ? 'Its container was removed from outside' : messageOf(error);
      return { kind: 'infrastructure', message };
    }
    const { Running, OOMKilled, ExitCode, Error: engineError } = record.State;
    if (Running) return { kind: 'infrastructure', message: 'The container engine broke off the output of the step' };
    const limitBytes = step.limits.memoryBytes;
    if (limitBytes !== undefined && (OOMKilled || (ExitCode === 137 && (await this.#isLateOutOfMemory()))))
      return { kind: 'oom', limitBytes };
    const how = engineError || (ExitCode > 128 ? signalName(ExitCode - 128) : `code ${ExitCode}`);
    return { kind: 'infrastructure', message: `Its container was ended from outside: ${how}` };
  }

  /** Podman hears of it from another process, a moment after the end. */
  async #isLateOutOfMemory(): Promise<boolean> {
    await sleep(lateRecordMs);
    return (await this.#record().catch(() => undefined))?.State.OOMKilled ?? false;
  }

  /** As it is once the container has ended, or a few seconds later. */
  async #record(): Promise<ContainerRecord> {
    const { client, container } = this.#options;
    await client
      .call('POST', `/containers/${container}/wait`, {
        query: { condition: 'not-running' },
        timeoutMs: recordTimeoutMs,
      })
      .catch((error: unknown) => {
        if (isNotFound(error)) throw error;
      });
    return client.call<ContainerRecord>('GET', `/containers/${container}/json`, { timeoutMs: recordTimeoutMs });
  }

  async #signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { client, container } = this.#options;
    try {
      await client.call('POST', `/containers/${container}/kill`, { query: { signal }, timeoutMs: killTimeoutMs });
    } catch (error) {
      // It has ended, or is gone.
      if (error instanceof EngineError && [404, 409].includes(error.status)) return;
      if (error instanceof EngineError && /not running|no such/i.test(error.message)) return;
      throw error;
    }
  }

  /** By a signal, or where that fails by removing it. */
  async #kill(): Promise<void> {
    try {
      await this.#signal('SIGKILL');
    } catch {
      this.#remove();
    }
    // The end of its output is its end; an engine that took the order may need a moment.
    await sleep(killTimeoutMs, undefined, { ref: false });
    if (!this.#hasEnded) this.#lost.resolve('The container engine did not end the step when it was told to');
  }

  #end(): void {
    this.#hasEnded = true;
    // Of a step whose gate told its end nothing is left.
    if (this.#options.lingers && this.#report.end) this.#lingering = setTimeout(() => this.#remove(), lingerMs);
    else this.#remove();
  }

  #remove(): void {
    clearTimeout(this.#lingering);
    this.#options.socket.destroy();
    this.#removed ??= this.#options.remove();
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found ? found[0] : `signal ${number}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

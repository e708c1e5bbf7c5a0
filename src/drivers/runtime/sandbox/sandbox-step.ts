import { constants } from 'node:os';
import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { PortPlan } from '../../../core/plan.ts';
import { watchDiskLimit } from '../caches/disk-usage.ts';
import type { ReleaseSpec, RunningStep, StagedStep, StepLimits } from '../runtime.ts';
import type { StepCgroup } from './cgroups.ts';
import type { Launched } from './namespace-holder.ts';
import { StepPipes } from './step-pipes.ts';

/** After the exit of a step its output ends at the latest when nothing came for so long. */
const drainIdleMs = 2_000;
/** The next step begins first; what the ended one held is given back after it. */
const restMs = 25;
/** How long the end of a launcher's process namespace may take before its control group is ended as well. */
const killPatienceMs = 500;

export interface SandboxStepOptions {
  readonly launched: Launched;
  /** Absent where the host has no control groups for us. */
  readonly cgroup: StepCgroup | undefined;
  readonly limits: StepLimits;
  /** Its folder, private to it. */
  readonly folder: string;
  readonly du: string;
  /** Gives back the control group and the folders; called once, after the last process has ended. */
  readonly cleanUp: () => Promise<void>;
}

/** What makes a sandbox that waits behind its gate a certain step's. */
export interface SandboxUse {
  readonly name: string;
  /** Folders whose size the disk limit is about. */
  readonly diskFolders: readonly string[];
  readonly encodeRelease: (release: ReleaseSpec) => Buffer;
  /** Called once, when nothing of it is left. */
  readonly onGone?: (() => void) | undefined;
}

/** Why we ended a step that would have gone on. */
type Ended =
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'timed-out'; readonly timeoutMs: number }
  | { readonly kind: 'disk-limit'; readonly limitBytes: number };

/** One step behind its gate, then running, in a sandbox of its own. */
export class SandboxStep implements StagedStep {
  /** Ports that the image of its step exposes. */
  ports: readonly PortPlan[] = [];
  readonly #options: SandboxStepOptions;
  readonly #pipes: StepPipes;
  readonly #oomKillsBefore: number;
  #use: SandboxUse | undefined;
  #hasDied = false;
  #state: 'staged' | 'released' | 'discarded' = 'staged';
  /** Settles when the step's processes and what it held are gone. */
  #gone: Promise<void> | undefined;
  #running: RunningStep | undefined;
  /** Its outcome is known: nothing of it is left to be killed. */
  #hasEnded = false;
  /** Resolved when what the step held is wanted back without delay. */
  readonly #hurry = Promise.withResolvers<void>();

  constructor(options: SandboxStepOptions) {
    this.#options = options;
    this.#pipes = new StepPipes(options.launched.pipes);
    this.#oomKillsBefore = options.cgroup?.oomKills() ?? 0;
    void options.launched.exited.then(() => {
      this.#hasDied = true;
    });
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** Whether its launcher has ended. */
  get hasDied(): boolean {
    return this.#hasDied;
  }

  /** From now on it is this step's. */
  assign(use: SandboxUse): void {
    this.#use = use;
  }

  /** Resolves when the gate waits inside the sandbox; rejects with the launcher's own message when it never will. */
  async ready(name: string): Promise<void> {
    const isReady = await Promise.race([
      new Promise<true>((resolve) => this.#pipes.onReady(() => resolve(true))),
      this.#options.launched.exited.then(() => false),
    ]);
    if (isReady) return;
    await this.#pipes.drain(drainIdleMs);
    const complaint = this.#pipes.complaint || 'the launcher ended without a word';
    await this.discard();
    throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot start a sandbox for step "${name}": ${complaint}`);
  }

  release(release: ReleaseSpec): RunningStep {
    const use = this.#use;
    if (!use) throw new TypeError('Cannot release a sandbox: it is no step yet');
    if (this.#state !== 'staged') {
      throw new TypeError(`Cannot release step "${use.name}": it was already ${this.#state}`);
    }
    this.#state = 'released';
    this.#running = this.#start(release, use);
    return this.#running;
  }

  async discard(): Promise<void> {
    if (this.#state === 'staged') {
      this.#state = 'discarded';
      this.#kill();
      this.#gone = this.#end();
    }
    await this.#gone;
  }

  /** Ends the step, however far it is, and waits until nothing of it is left. */
  async destroy(): Promise<void> {
    this.#hurry.resolve();
    if (this.#state !== 'released') return this.discard();
    if (!this.#hasEnded) this.#kill();
    await this.#running?.outcome;
    await this.#gone;
  }

  #start(release: ReleaseSpec, use: SandboxUse): RunningStep {
    let frame: Buffer;
    try {
      frame = use.encodeRelease(release);
    } catch (error) {
      if (!(error instanceof GantryError)) throw error;
      this.#kill();
      const message = error.message;
      this.#gone = this.#end();
      return { outcome: this.#gone.then(() => ({ kind: 'cannot-start', message })), cancel: () => {} };
    }
    let ended: Ended | undefined;
    let graceTimer: NodeJS.Timeout | undefined;
    const stop = (why: Ended): void => {
      if (ended) return;
      ended = why;
      this.#pipes.terminate();
      graceTimer = setTimeout(() => this.#kill(), release.graceMs);
    };
    const timeout = setTimeout(
      () => stop({ kind: 'timed-out', timeoutMs: release.timeoutMs }),
      // Longer than a timer can be is as good as never.
      Math.min(release.timeoutMs, 2 ** 31 - 1),
    );
    const diskBytes = this.#options.limits.diskBytes;
    const disk =
      diskBytes === undefined
        ? undefined
        : watchDiskLimit({
            du: this.#options.du,
            folders: use.diskFolders,
            limitBytes: diskBytes,
            fileBytes: () => this.#options.cgroup?.fileBytes() ?? 0,
            onExceeded: () => {
              ended ??= { kind: 'disk-limit', limitBytes: diskBytes };
              this.#kill();
            },
          });
    this.#pipes.release(frame, release.onOutput);
    const finish = async (): Promise<Outcome> => {
      const waitStatus = await this.#options.launched.exited;
      clearTimeout(timeout);
      const isOverDiskLimit = await disk?.stop();
      if (isOverDiskLimit && diskBytes !== undefined) ended ??= { kind: 'disk-limit', limitBytes: diskBytes };
      await this.#pipes.drain(drainIdleMs);
      clearTimeout(graceTimer);
      const outcome = await this.#outcome(waitStatus, ended);
      this.#hasEnded = true;
      // The next step need not wait for the removal; the end of the job does.
      this.#gone = this.#rest().then(() => this.#end());
      this.#gone.catch(() => undefined);
      return outcome;
    };
    const outcome = finish().catch(
      (error: unknown): Outcome => ({
        kind: 'infrastructure',
        message: `The sandbox could not be ended: ${String(error)}`,
      }),
    );
    return { outcome, cancel: (reason) => stop({ kind: 'cancelled', reason }) };
  }

  async #outcome(waitStatus: number | undefined, ended: Ended | undefined): Promise<Outcome> {
    const end = await this.#pipes.end();
    if (ended) return ended;
    if (end?.kind === 'exit' && end.code === 0) return { kind: 'exited', exitCode: 0 };
    const limitBytes = this.#options.limits.memoryBytes;
    const oomKills = (this.#options.cgroup?.oomKills() ?? 0) - this.#oomKillsBefore;
    if (limitBytes !== undefined && oomKills > 0) return { kind: 'oom', limitBytes };
    if (end?.kind === 'fault') return { kind: 'cannot-start', message: end.message };
    if (end?.kind === 'exit') return { kind: 'exited', exitCode: end.code };
    if (end?.kind === 'signal') return { kind: 'killed', signal: signalName(end.number) };
    if (waitStatus === undefined) {
      return { kind: 'infrastructure', message: "The process that held the job's namespaces ended" };
    }
    // The launcher lies outside of the step's reach: somebody on the host ended it.
    const launcherSignal = waitStatus & 0x7f;
    if (launcherSignal > 0) {
      return { kind: 'infrastructure', message: `The sandbox was ended from outside by ${signalName(launcherSignal)}` };
    }
    // The gate lies inside, and the step may end it: the launcher then reports 128 and the signal.
    const gateSignal = (waitStatus >> 8) - 128;
    if (gateSignal > 0) return { kind: 'killed', signal: signalName(gateSignal) };
    return {
      kind: 'infrastructure',
      message: `The sandbox ended with code ${waitStatus >> 8} without saying how its step ended`,
    };
  }

  /**
   * The launcher takes its process namespace along. The control group is for a holder that does not get to it: version 1
   * freezes before it kills, and whoever dies in between leaves processes that cannot die.
   */
  #kill(): void {
    const { cgroup, launched } = this.#options;
    launched.kill();
    const timer = setTimeout(() => cgroup?.kill(), killPatienceMs);
    void launched.exited.then(() => clearTimeout(timer));
  }

  async #rest(): Promise<void> {
    const timer = setTimeout(this.#hurry.resolve, restMs);
    await this.#hurry.promise;
    clearTimeout(timer);
  }

  async #end(): Promise<void> {
    await this.#options.launched.exited;
    this.#pipes.close();
    await this.#options.cleanUp();
    this.#use?.onGone?.();
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found ? found[0] : `signal ${number}`;
}

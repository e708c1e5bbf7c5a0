import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { PortPlan } from '../../../core/plan.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Timers } from '../../../lib/timers.ts';
import { awaitPorts } from '../await-ports.ts';
import type {
  JobSpec,
  PortAnswers,
  PortWait,
  ReleaseSpec,
  RunningStep,
  Runtime,
  RuntimeJob,
  StagedStep,
  StageSpec,
} from '../runtime.ts';
import { type Act, actsFromEnvironment, type ScriptRule } from './scripted-step.ts';

export interface ScriptedRuntimeOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** What steps do. Those that no rule matches follow the `STEP_…` variables of their environment, or echo their commands. */
  readonly rules?: readonly ScriptRule[];
  /** Ports that images expose, by their name. */
  readonly exposedPorts?: Readonly<Record<string, readonly PortPlan[]>>;
  /** What goes wrong at the boundary. */
  readonly faults?: {
    /** `prepare` of this job throws, once. */
    readonly prepareFailsFor?: string;
    /** Staging a step of one of these images throws IMAGE_NOT_FOUND. */
    readonly missingImages?: readonly string[];
    /** The first `destroy` of each job throws. */
    readonly destroyFailsOnce?: boolean;
  };
  /** Keeps every call in `calls`, for assertions. Off where the process lives long. */
  readonly isRecording?: boolean;
}

/** A call that reached the runtime, with what it was given. */
export type ScriptedCall =
  | { readonly call: 'prepare'; readonly job: JobSpec }
  | { readonly call: 'stage'; readonly job: string; readonly step: StageSpec }
  | { readonly call: 'release'; readonly job: string; readonly step: string; readonly release: ReleaseSpec }
  | { readonly call: 'discard' | 'cancel'; readonly job: string; readonly step: string }
  | { readonly call: 'destroy'; readonly job: string };

/** Runs nothing: plays scripts on the clock it was given. For tests, demos and `npm run dev`. */
export class ScriptedRuntime implements Runtime {
  readonly name = 'scripted';
  readonly calls: ScriptedCall[] = [];
  readonly #options: ScriptedRuntimeOptions;
  readonly #jobs = new Map<string, ScriptedJob>();
  #hasFailedPrepare = false;

  constructor(options: ScriptedRuntimeOptions) {
    this.#options = options;
  }

  probe(): ReturnType<Runtime['probe']> {
    return Promise.resolve({
      isUsable: true,
      findings: ['Steps are played from a script: nothing is run.'],
      capabilities: {
        memoryLimit: false,
        pidsLimit: false,
        oomReport: false,
        diskLimit: false,
        network: false,
        services: true,
        volumes: false,
        processes: false,
      },
    });
  }

  async prepare(spec: JobSpec): Promise<RuntimeJob> {
    this.record({ call: 'prepare', job: spec });
    if (this.#options.faults?.prepareFailsFor === spec.id && !this.#hasFailedPrepare) {
      this.#hasFailedPrepare = true;
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot prepare job ${spec.id}: the script says so`);
    }
    const existing = this.#jobs.get(spec.id);
    if (existing) return existing;
    const job = new ScriptedJob(spec, this, this.#options, () => this.#jobs.delete(spec.id));
    this.#jobs.set(spec.id, job);
    return job;
  }

  reap(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#jobs.values()].map((job) => job.destroy()));
  }

  /** Ids of jobs that were prepared and not yet destroyed. */
  liveJobs(): readonly string[] {
    return [...this.#jobs.keys()];
  }

  record(call: ScriptedCall): void {
    if (this.#options.isRecording) this.calls.push(call);
  }
}

class ScriptedJob implements RuntimeJob {
  readonly spec: JobSpec;
  readonly #runtime: ScriptedRuntime;
  readonly #options: ScriptedRuntimeOptions;
  readonly #onDestroyed: () => void;
  readonly #stagedIds = new Set<string>();
  readonly #running = new Set<Performance>();
  #isDestroyed = false;
  #hasFailedDestroy = false;

  constructor(spec: JobSpec, runtime: ScriptedRuntime, options: ScriptedRuntimeOptions, onDestroyed: () => void) {
    this.spec = spec;
    this.#runtime = runtime;
    this.#options = options;
    this.#onDestroyed = onDestroyed;
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    const job = this.spec.id;
    this.#runtime.record({ call: 'stage', job, step });
    if (this.#isDestroyed) throw new TypeError(`Cannot stage step ${step.id}: job ${job} is destroyed`);
    if (this.#stagedIds.has(step.id)) throw new TypeError(`Cannot stage step ${step.id}: it was staged before`);
    step.signal?.throwIfAborted();
    this.#stagedIds.add(step.id);
    if (this.#options.faults?.missingImages?.includes(step.image))
      throw new GantryError('IMAGE_NOT_FOUND', `Cannot provide image ${step.image}: there is none of this name`);

    let state: 'staged' | 'released' | 'discarded' = 'staged';
    return {
      ports: this.#options.exposedPorts?.[step.image] ?? [],
      release: (release) => {
        if (state !== 'staged') throw new TypeError(`Cannot release step ${step.id}: it was ${state} before`);
        if (this.#isDestroyed) throw new TypeError(`Cannot release step ${step.id}: job ${job} is destroyed`);
        state = 'released';
        this.#runtime.record({ call: 'release', job, step: step.id, release });
        const performance = new Performance(this.#actsOf(step, release), release, this.#options, () =>
          this.#runtime.record({ call: 'cancel', job, step: step.id }),
        );
        this.#running.add(performance);
        void performance.outcome.then(() => this.#running.delete(performance));
        return performance;
      },
      discard: async () => {
        if (state === 'released') throw new TypeError(`Cannot discard step ${step.id}: it was released before`);
        if (state === 'discarded') return;
        state = 'discarded';
        this.#runtime.record({ call: 'discard', job, step: step.id });
      },
    };
  }

  waitForPorts(wait: PortWait): Promise<PortAnswers> {
    const { clock, timers } = this.#options;
    return awaitPorts(wait, {
      answering: (ports) =>
        Promise.resolve(ports.filter((port) => [...this.#running].some((performance) => performance.listensOn(port)))),
      nowMs: () => clock.monotonicMs(),
      pause: (ms, signal) =>
        new Promise((resolve) => {
          const takeBack = timers.after(ms, resolve);
          signal.addEventListener(
            'abort',
            () => {
              takeBack();
              resolve();
            },
            { once: true },
          );
        }),
    });
  }

  async destroy(): Promise<void> {
    this.#runtime.record({ call: 'destroy', job: this.spec.id });
    const ended = [...this.#running].map((performance) => performance.kill());
    if (this.#options.faults?.destroyFailsOnce && !this.#hasFailedDestroy) {
      this.#hasFailedDestroy = true;
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot destroy job ${this.spec.id}: the script says so`);
    }
    this.#isDestroyed = true;
    this.#onDestroyed();
    await Promise.all(ended);
  }

  #actsOf(step: StageSpec, release: ReleaseSpec): readonly Act[] {
    const rule = this.#options.rules?.find(
      (candidate) =>
        (candidate.job ?? this.spec.id) === this.spec.id &&
        (candidate.step ?? step.name) === step.name &&
        (candidate.image ?? step.image) === step.image,
    );
    if (rule) return rule.acts;
    const acts = withItsPorts(step, actsFromEnvironment(release.environment));
    if (step.kind === 'clone')
      return [{ do: 'write', text: `HEAD is now at ${this.spec.repository?.commit ?? 'nothing'}\n` }, ...acts];
    const text = step.kind === 'commands' ? echoedCommands(release.script ?? '') : '';
    return text === '' ? acts : [{ do: 'write', text }, ...acts];
  }
}

/** A step that others reach by name answers on its ports and goes on until it is ended, unless its script ends it. */
function withItsPorts({ hostName, ports }: StageSpec, acts: readonly Act[]): readonly Act[] {
  if (hostName === undefined || acts.some((act) => act.do === 'end' || act.do === 'hang')) return acts;
  return [...(acts.some((act) => act.do === 'listen') ? acts : [...acts, listening(ports)]), { do: 'hang' }];
}

function listening(ports: readonly PortPlan[] = []): Act {
  return { do: 'listen', ports };
}

/** The `+ command` lines that the script would print before each of its commands. */
function echoedCommands(script: string): string {
  const lines = [...script.matchAll(/^(?:echo|printf '%s\\n') '?(\+ (?:[^'\n]|'\\'')*)'?$/gm)];
  return lines.map(([, line]) => `${line!.replaceAll(`'\\''`, `'`)}\n`).join('');
}

/** One step that plays. */
class Performance implements RunningStep {
  readonly outcome: Promise<Outcome>;
  readonly #release: ReleaseSpec;
  readonly #options: ScriptedRuntimeOptions;
  readonly #onCancel: () => void;
  readonly #takeBackTimeout: () => void;
  #isIgnoringSigterm = false;
  #ports: readonly PortPlan[] = [];
  #settle: (outcome: Outcome) => void = () => {};
  #isEnded = false;
  /** Why it is being ended: what an exit within the grace period counts as, too. */
  #ending: Outcome | undefined;
  /** Wakes whatever act waits, once the step has ended. */
  readonly #ended: Promise<void>;

  constructor(acts: readonly Act[], release: ReleaseSpec, options: ScriptedRuntimeOptions, onCancel: () => void) {
    this.#release = release;
    this.#options = options;
    this.#onCancel = onCancel;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#ended = this.outcome.then(() => {});
    this.#takeBackTimeout = options.timers.after(release.timeoutMs, () =>
      this.#terminate({ kind: 'timed-out', timeoutMs: release.timeoutMs }),
    );
    void this.#play(acts).then(
      (outcome) => this.#end(outcome),
      (error: unknown) =>
        this.#end({ kind: 'infrastructure', message: error instanceof Error ? error.message : String(error) }),
    );
  }

  listensOn({ port, protocol }: PortPlan): boolean {
    return this.#ports.some((one) => one.port === port && one.protocol === protocol);
  }

  cancel(reason: string): void {
    this.#onCancel();
    this.#terminate({ kind: 'cancelled', reason });
  }

  /** As the end of a job does it: at once, whatever the step ignores. */
  kill(): Promise<Outcome> {
    this.#end({ kind: 'cancelled', reason: 'the job was destroyed' });
    return this.outcome;
  }

  #terminate(outcome: Outcome): void {
    if (this.#ending || this.#isEnded) return;
    this.#ending = outcome;
    if (this.#isIgnoringSigterm) this.#options.timers.after(this.#release.graceMs, () => this.#end(outcome));
    else this.#end(outcome);
  }

  #end(outcome: Outcome): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#takeBackTimeout();
    this.#settle(this.#ending ?? outcome);
  }

  async #play(acts: readonly Act[]): Promise<Outcome> {
    for (const act of acts) {
      if (this.#isEnded) break;
      switch (act.do) {
        case 'write':
          await this.#write(act.stream, Buffer.from(act.text));
          break;
        case 'write-base64': {
          const bytes = Buffer.from(act.base64, 'base64');
          for (let left = act.times ?? 1; left > 0 && !this.#isEnded; left -= 1) await this.#write('stdout', bytes);
          break;
        }
        case 'write-lines':
          await this.#writeLines(act.stream, act.count);
          break;
        case 'write-bytes':
          for (let left = act.sizeBytes; left > 0 && !this.#isEnded; left -= 65_536)
            await this.#write(act.stream, Buffer.alloc(Math.min(left, 65_536), 'x'));
          break;
        case 'print-variable': {
          const value = this.#release.secrets[act.name] ?? this.#release.environment[act.name] ?? '';
          await this.#write('stdout', Buffer.from(`${value}\n`));
          break;
        }
        case 'sleep':
          await this.#sleep(act.ms);
          break;
        case 'ignore-sigterm':
          this.#isIgnoringSigterm = true;
          break;
        case 'listen':
          this.#ports = act.ports;
          break;
        case 'hang':
          await this.#ended;
          break;
        case 'end':
          return act.outcome;
      }
    }
    return { kind: 'exited', exitCode: 0 };
  }

  async #write(stream: 'stdout' | 'stderr' | undefined, bytes: Buffer): Promise<void> {
    await Promise.race([this.#release.onOutput(stream ?? 'stdout', bytes), this.#ended]);
  }

  async #writeLines(stream: 'stdout' | 'stderr' | undefined, count: number): Promise<void> {
    const linesPerWrite = 1_000;
    for (let from = 1; from <= count && !this.#isEnded; from += linesPerWrite) {
      let text = '';
      for (let line = from; line < from + linesPerWrite && line <= count; line += 1) text += `line ${line}\n`;
      await this.#write(stream, Buffer.from(text));
    }
  }

  async #sleep(ms: number): Promise<void> {
    let takeBack = (): void => {};
    const slept = new Promise<void>((resolve) => {
      takeBack = this.#options.timers.after(ms, resolve);
    });
    await Promise.race([slept, this.#ended]);
    takeBack();
  }
}

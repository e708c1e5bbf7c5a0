import type { RegistryCredentials } from '../../core/image.ts';
import type { Outcome } from '../../core/pipeline.ts';
import type { PullPolicy } from '../../core/plan.ts';

/**
 * Runs the steps of workflows somewhere: in sandboxes on this host, or by a script in tests.
 *
 * One driver serves many jobs at once; a job is one attempt of one workflow. Order of calls: `prepare`, then for each
 * step `stage` → `release` or `discard`; `destroy` always comes, also when `prepare` failed, and may come twice.
 * Up to three steps of a job may be staged ahead, and several may run at once. A staged step holds no script and no
 * secret: both arrive at `release`, when the server has recorded the start.
 */
export interface Runtime {
  readonly name: string;
  /** What the host offers; feeds `gantry doctor` and the contract suite. */
  probe(): Promise<RuntimeProbe>;
  /** Makes the job's surroundings: workspace, network, control group. The same job again answers the same object. */
  prepare(job: JobSpec): Promise<RuntimeJob>;
  /** Removes what jobs of dead runners left behind; answers what it removed, in words. Called at start and every 60 s. */
  reap(): Promise<readonly string[]>;
  /** Ends everything and gives back what the driver itself keeps ready (pools). */
  close(): Promise<void>;
}

/** A capability that is absent is told in words, and `prepare`/`stage` refuse what would need it. */
export interface RuntimeProbe {
  readonly isUsable: boolean;
  /** One sentence per finding, worst first: shown by `gantry doctor`. */
  readonly findings: readonly string[];
  readonly capabilities: {
    readonly memoryLimit: boolean;
    readonly pidsLimit: boolean;
    readonly oomReport: boolean;
    readonly diskLimit: boolean;
    readonly network: boolean;
    /** Real processes: a scripted runtime has none, and skips the cases that need them. */
    readonly processes: boolean;
  };
}

export interface JobSpec {
  /** Unique per attempt and token, safe as a file name: `w<workflow>-a<attempt>-t<token>`. Labels all that is made. */
  readonly id: string;
  /** Mount point of the workspace in every step, e.g. `/drone/src`. */
  readonly workspace: string;
  /** Where the checkout comes from; absent when the clone is disabled. */
  readonly repository?: RepositorySpec | undefined;
}

export interface RepositorySpec {
  /** The bare repository on this host, shown to the job read-only. */
  readonly folder: string;
  /** What `origin` is set to in the checkout. */
  readonly remoteUrl: string;
  readonly commit: string;
  readonly ref: string;
  /** Branch that HEAD is on after the checkout; absent = detached (tags). */
  readonly branch?: string | undefined;
}

export interface RuntimeJob {
  readonly spec: JobSpec;
  /**
   * Makes a step ready behind its gate. Rejects with a GantryError (IMAGE_…: the step's own fault is told by the code,
   * `unavailable` kinds are infrastructure).
   */
  stage(step: StageSpec): Promise<StagedStep>;
  /** Ends what runs and removes everything; tries all objects even if one removal fails. */
  destroy(): Promise<void>;
}

export interface StageSpec {
  /** Unique per attempt: `stage` twice for one id throws. */
  readonly id: string;
  readonly name: string;
  /** `clone`: the driver makes the checkout itself, without an image. */
  readonly kind: 'clone' | 'commands' | 'image';
  readonly image: string;
  readonly pull: PullPolicy;
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  /** For `kind: image`; absent = those of the image. */
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workingDirectory?: string | undefined;
  readonly limits: StepLimits;
  /** `none` cuts the step off the job's network. */
  readonly network: 'job' | 'none';
  /** Progress of a pull or of composing an image: whole lines for the step's log. */
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StepLimits {
  readonly memoryBytes?: number | undefined;
  readonly pids?: number | undefined;
  /** 1000 = one core. */
  readonly cpuMillis?: number | undefined;
  readonly diskBytes?: number | undefined;
}

export interface StagedStep {
  /** Opens the gate. Called at most once, and not after `discard`. */
  release(release: ReleaseSpec): RunningStep;
  discard(): Promise<void>;
}

export interface ReleaseSpec {
  /** For `kind: commands`: run by `/bin/sh` of the image. May be longer than an argument list may be. */
  readonly script?: string | undefined;
  /** Complete but for the image's own; never inherited from the host. May hold newlines and up to 128 KiB a value. */
  readonly environment: Readonly<Record<string, string>>;
  /** As the environment, and wins over it; never on a disk, in arguments or in a label. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /**
   * Receives output as it is read, from the first byte, each stream in order. While the returned promise is pending
   * nothing more is read, so the step waits in `write()` and nothing is cut.
   */
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void | Promise<void>;
}

export interface RunningStep {
  /** Settles exactly once, after the end of the output (at most 2 s after the exit). Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** SIGTERM, grace, SIGKILL to everything the step started. May be called twice. */
  cancel(reason: string): void;
}

import type { Readable } from 'node:stream';
import type { CacheAccess, CacheEvent } from '../../core/cache.ts';
import type { CheckoutSource, GatheredCheckout } from '../../core/checkout.ts';
import type { RegistryCredentials } from '../../core/image.ts';
import type { Outcome } from '../../core/pipeline.ts';
import type {
  CachePlan,
  DevicePlan,
  HostVolumePlan,
  PortPlan,
  PullPolicy,
  VolumeMountPlan,
  VolumePlan,
} from '../../core/plan.ts';
import type { ReuseOrigin, ReuseParts } from '../../core/step-reuse.ts';

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
  /** Whether steps get `cache`; where not, they run as without. */
  readonly keepsCaches?: boolean | undefined;
  /** Results of steps; absent = none are kept here, and every step runs. */
  readonly results?: StepResults | undefined;
  /**
   * Begins to fetch what a step will run in, as its `stage` would, so that it need not wait for all of it then. Rejects as
   * that would; whoever asks for the same image meanwhile waits for the same fetch.
   */
  fetchImage?(image: ImageWish): Promise<void>;
  /** What the host offers; feeds `gantry doctor` and the contract suite. */
  probe(): Promise<RuntimeProbe>;
  /** Makes the job's surroundings: workspace, network, control group. The same job again answers the same object. */
  prepare(job: JobSpec): Promise<RuntimeJob>;
  /** Removes what jobs of dead runners left behind; answers what it removed, in words. Called at start and every 60 s. */
  reap(): Promise<readonly string[]>;
  /** Ends everything and gives back what the driver itself keeps ready (pools). */
  close(): Promise<void>;
}

/** An image as a step asks for it. */
export interface ImageWish {
  readonly image: string;
  readonly pull: PullPolicy;
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Results of steps that stand for running them again. They lie where the runtime does. */
export interface StepResults {
  /** Checksum of what runtime and installation add to every step, whatever the step. */
  readonly surroundings: string;
  /** Why none can be kept here after all, as the end of a sentence; absent = they can. */
  findHindrance?(): Promise<string | undefined>;
  /** Digest of what the image is at this moment. Fetches no more than the step itself would; throws as `stage` would. */
  digestOf(image: ImageWish): Promise<string>;
  /** The result with this key that the pipeline may read, and holds it. */
  find(access: CacheAccess, key: string): KeptResult | undefined;
  /** The newest result of the same step with whatever key. */
  latest(access: CacheAccess, label: string): Pick<KeptResult, 'origin' | 'parts'> | undefined;
  /** Forgets what the pipeline's own branch has under the key. */
  forget(access: CacheAccess, key: string): void;
}

export interface KeptResult {
  readonly origin: ReuseOrigin;
  readonly parts: ReuseParts;
  /** From then on it may be collected. */
  release(): void;
}

/** `take`: the step does not run, what was kept under the key is put back instead. `keep`: what it leaves is kept. */
export type StepResultUse =
  | { readonly kind: 'take'; readonly access: CacheAccess; readonly key: string }
  | {
      readonly kind: 'keep';
      readonly access: CacheAccess;
      readonly key: string;
      readonly label: string;
      readonly parts: ReuseParts;
      readonly origin: ReuseOrigin;
      /** Relative to the workspace. */
      readonly outputs: readonly string[];
      /** The key holds for this image alone. */
      readonly imageDigest: string;
    };

/** What became of a step's result; `why` is the end of a sentence. */
export type StepResultEvent =
  | { readonly kind: 'taken' | 'kept'; readonly sizeBytes: number; readonly elapsedMs: number }
  | { readonly kind: 'not-kept'; readonly why: string };

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
    /** Steps of a job reach each other by `hostNames` and on localhost, and `waitForPorts` tells what answers. */
    readonly services: boolean;
    /** Temp volumes on disk and in memory. */
    readonly volumes: boolean;
    /** Jobs that are `isStrict`: untrusted work. A driver without it refuses them. */
    readonly strict?: boolean | undefined;
    /** Real processes: a scripted runtime has none, and skips the cases that need them. */
    readonly processes: boolean;
  };
}

/** What is told of a runtime that runs nothing, and why. */
export function unusable(finding: string): RuntimeProbe {
  return {
    isUsable: false,
    findings: [finding],
    capabilities: {
      memoryLimit: false,
      pidsLimit: false,
      oomReport: false,
      diskLimit: false,
      network: false,
      services: false,
      volumes: false,
      processes: false,
    },
  };
}

export interface JobSpec {
  /** Unique per attempt and token, safe as a file name: `w<workflow>-a<attempt>-t<token>`. Labels all that is made. */
  readonly id: string;
  /** Mount point of the workspace in every step, e.g. `/drone/src`. */
  readonly workspace: string;
  /** Where the checkout comes from; absent when the clone is disabled. */
  readonly repository?: RepositorySpec | undefined;
  /** Temp volumes: empty at first, writable for every user, gone with the job. Names are unique within the job. */
  readonly volumes?: readonly VolumePlan[] | undefined;
  /**
   * Names under which steps find those that run beside them (services, detached steps), from the first step on. All
   * share the job's network, so a name stands for 127.0.0.1 unless the driver gave its step an address of its own.
   */
  readonly hostNames?: readonly string[] | undefined;
  /** What its steps may read and save of caches; absent = none. */
  readonly caches?: CacheAccess | undefined;
  /** Its steps are held tighter than usual: the work of people who may not write to the project. */
  readonly isStrict?: boolean | undefined;
}

/** The repository of the checkout, shown to the job read-only. */
export interface RepositorySpec extends CheckoutSource {
  /** How many commits there are from the tip; absent or 0 = all of them. */
  readonly depth?: number | undefined;
  /** The repository's tags are in the checkout too. */
  readonly hasTags?: boolean | undefined;
  /** Folder below the workspace; absent = the workspace. */
  readonly path?: string | undefined;
  /** What lies in it is told by `ReleaseSpec.gather`: nothing is made before. */
  readonly isGathered?: boolean | undefined;
}

export interface RuntimeJob {
  readonly spec: JobSpec;
  /**
   * Makes a step ready behind its gate. Rejects with a GantryError (IMAGE_…: the step's own fault is told by the code,
   * `unavailable` kinds are infrastructure).
   */
  stage(step: StageSpec): Promise<StagedStep>;
  /**
   * Waits, inside the job's network, until a running step listens on its ports. Rejects with the signal's reason when
   * that aborts, and with RUNTIME_UNAVAILABLE when the job's network cannot be looked into any more.
   */
  waitForPorts(wait: PortWait): Promise<PortAnswers>;
  /**
   * Runs a program of Gantry's own, perl, in the job's workspace and in the file system of an image, as root and without
   * network: what it opens is what a step could open. Absent where there are no files. Rejects as `stage` does, and with
   * the signal's reason when that is aborted before it runs.
   */
  readonly runProgram?: ((run: ProgramRun) => Promise<Outcome>) | undefined;
  /** Ends what runs and removes everything; tries all objects even if one removal fails. */
  destroy(): Promise<void>;
}

export interface ProgramRun {
  /** Unique per attempt, as `StageSpec.id`. */
  readonly id: string;
  /** For messages. */
  readonly name: string;
  readonly image: string;
  readonly pull: PullPolicy;
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  /** Loads no module. */
  readonly program: string;
  readonly args: readonly string[];
  /** Its standard input. Where it ends the program must know by itself: behind it the line may stay open. */
  readonly input?: Readable | undefined;
  readonly onOutput: ReleaseSpec['onOutput'];
  readonly progress?: ((line: string) => void) | undefined;
  readonly limits: StepLimits;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface PortWait {
  /** `StageSpec.id` of the step that is to listen. */
  readonly stepId: string;
  readonly ports: readonly PortPlan[];
  /** How long none of them may answer. */
  readonly timeoutMs: number;
  /** How long the others are waited for once one has answered: an image names more ports than it listens on. */
  readonly settleMs: number;
  readonly signal: AbortSignal;
}

export interface PortAnswers {
  readonly answered: readonly PortPlan[];
  readonly silent: readonly PortPlan[];
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
  /** Where it starts without `workingDirectory`: in the workspace, or (services) in the folder that its image names. */
  readonly startsIn?: 'workspace' | 'image' | undefined;
  /** The one of the job's `hostNames` that stands for this step. */
  readonly hostName?: string | undefined;
  /** Ports that the file says it listens on; those of the image come to them (`StagedStep.ports`). */
  readonly ports?: readonly PortPlan[] | undefined;
  /** Which of the job's `volumes` it sees, and where. */
  readonly volumes?: readonly VolumeMountPlan[] | undefined;
  /** Restored at its release; saved when it has passed and no entry had the key. */
  readonly cache?: CachePlan | undefined;
  /** Only where the runtime has `results`. */
  readonly result?: StepResultUse | undefined;
  readonly limits: StepLimits;
  /**
   * Asks for all rights on the engine's host. A driver refuses (REQUEST_INVALID) before anything runs, unless an admin's
   * list admits the image and everything else about the step.
   */
  readonly privileged?: { readonly isProjectTrusted: boolean } | undefined;
  /** Devices and folders of the engine's host. A driver that gives none refuses (REQUEST_INVALID). */
  readonly devices?: readonly DevicePlan[] | undefined;
  readonly hostVolumes?: readonly HostVolumePlan[] | undefined;
  /** `none` cuts the step off the job's network; `host` is that of the engine's host, for a driver that has it. */
  readonly network: 'job' | 'none' | 'host';
  /** Progress of a pull or of composing an image: whole lines for the step's log. */
  readonly progress?: ((line: string) => void) | undefined;
  /** Told once its image is there, with the time that this took, in milliseconds. */
  readonly onImage?: ((elapsedMs: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StepLimits {
  readonly memoryBytes?: number | undefined;
  readonly pids?: number | undefined;
  /** 1000 = one core. */
  readonly cpuMillis?: number | undefined;
  readonly diskBytes?: number | undefined;
  /** Size of `/dev/shm`; absent = 64 MiB. */
  readonly shmBytes?: number | undefined;
}

export interface StagedStep {
  /** Ports that its image exposes; absent or empty when it names none. */
  readonly ports?: readonly PortPlan[] | undefined;
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
  /** Told what becomes of its cache, before its first output and after its end. */
  readonly onCache?: ((event: CacheEvent) => void) | undefined;
  /** Told what becomes of its result: put back before its end, or kept after it. */
  readonly onResult?: ((event: StepResultEvent) => void) | undefined;
  /**
   * Of the step `clone` whose repository `isGathered`: says what lies in it. `note` is told whole lines meanwhile. Rejects
   * with a GantryError that the step ends with.
   */
  readonly gather?: ((note: (line: string) => void) => Promise<GatheredCheckout>) | undefined;
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

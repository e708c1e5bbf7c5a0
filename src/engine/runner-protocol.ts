import type { CacheAccess, CacheReport } from '../core/cache.ts';
import type { CheckoutSource, GatheredCheckout } from '../core/checkout.ts';
import type { RegistryCredentials } from '../core/image.ts';
import type { CancelCause, FailureExcerpt, Outcome, StepStatus } from '../core/pipeline.ts';
import type { PullPolicy, WorkflowPlan } from '../core/plan.ts';
import type { RunnerLabels } from '../core/routing.ts';
import type { RuntimeName, WithheldRuntime } from '../core/runtime-choice.ts';
import type { ReuseOffer, ReuseReport } from '../core/step-reuse.ts';
import type { TraceEntry } from '../core/trace.ts';

/** Grows with each change that an older side would misread; one version back is understood. */
export const protocolVersion = 1;

/**
 * What server and runner say to each other, over any transport that keeps order and boundaries: a Unix socket between
 * two processes, or a pair of queues within one. Binary payloads (log bytes) travel beside the message.
 *
 * A claim is named by (workflow, attempt, token) everywhere; a message with an old token is answered `stale`.
 */
export interface ClaimName {
  readonly workflowId: number;
  readonly attempt: number;
  readonly token: number;
}

export type ToServer =
  | {
      readonly type: 'hello';
      readonly protocol: number;
      readonly runnerId: string;
      /** pid, start time and boot id: tells a restarted runner from one that reconnects. */
      readonly generation: string;
      /** Steps that may run there at once. */
      readonly slots: number;
      /** It finishes what it has, steps that have not begun included, and takes nothing new. */
      readonly isDraining?: boolean | undefined;
      readonly labels: Readonly<Record<string, string>>;
      /** Labels that it was given, beside those that it has by itself; absent = none. */
      readonly ownLabels?: RunnerLabels['own'] | undefined;
      readonly runtime: string;
      /** All that it can run steps on; absent = `runtime` alone. */
      readonly runtimes?: readonly RuntimeName[] | undefined;
      /** What it was asked to run steps on and cannot at the moment. */
      readonly withheld?: readonly WithheldRuntime[] | undefined;
      /** What it still has: the server re-attaches, answers what it missed, or disowns it. */
      readonly holds: readonly ClaimName[];
    }
  /**
   * The only message of a runner's second connection, sent by a thread of its own every third of the lease: the first
   * one binds that connection to the session of the same generation. Not answered.
   */
  | { readonly type: 'heartbeat'; readonly runnerId: string; readonly generation: string }
  /** Asks to record that a step starts. Answered `started` or `stale`; the gate opens only after `started`. */
  | (ClaimName & { readonly type: 'start'; readonly stepId: number; readonly request: number })
  /** `silence`: of a service that did not answer on these ports for so long, so that the others went on without it. */
  | (ClaimName & {
      readonly type: 'running';
      readonly stepId: number;
      readonly silence?: { readonly ports: string; readonly limitMs: number } | undefined;
    })
  /** Payload: the masked bytes. Sequences count from 1. Acknowledged by `log-stored` once they are on disk. */
  | (ClaimName & {
      readonly type: 'log';
      readonly stepId: number;
      readonly sequence: number;
      readonly stream: 'stdout' | 'stderr' | 'system';
      readonly atMs: number;
    })
  /**
   * The end mark. `sequence` is one above the last chunk's (1 for a step without output); acknowledged by `log-stored`
   * with this number, and only when all chunks before it are stored.
   */
  | (ClaimName & {
      readonly type: 'log-end';
      readonly stepId: number;
      readonly sequence: number;
      readonly isCut: boolean;
    })
  /** A step ended, or was skipped or cancelled before it ran. Repeated until `outcome-stored`. */
  | (ClaimName & {
      readonly type: 'outcome';
      readonly stepId: number;
      readonly status: StepStatus;
      readonly outcome?: Outcome | undefined;
      readonly reason?: TraceEntry | undefined;
      readonly failure?: FailureExcerpt | undefined;
      readonly cache?: CacheReport | undefined;
      readonly reuse?: ReuseReport | undefined;
    })
  /**
   * A piece of an artifact that a step leaves, as payload; one at a time. Answered `artifact-written` with how much there
   * is now: where that is not what was sent, the artifact is sent anew. `upload` tells attempts at it apart.
   */
  | (ClaimName & {
      readonly type: 'artifact-write';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      readonly offset: number;
    })
  /** It was the last one. Answered `artifact-stored` when it is on disk and in the record. */
  | (ClaimName & {
      readonly type: 'artifact-end';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      readonly sizeBytes: number;
      readonly entries: number;
    })
  /** Asks for a piece of an artifact that the step takes. Answered `artifact-part`. */
  | (ClaimName & {
      readonly type: 'artifact-read';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      readonly offset: number;
    })
  /**
   * Asks what lies in the checkout of a step `clone` whose plan says that it is gathered. Answered `gathered` or
   * `gather-refused`, with any number of `gather-note` before.
   */
  | (ClaimName & { readonly type: 'gather'; readonly stepId: number; readonly request: number })
  /** Nothing of this claim runs any more and its surroundings are gone. Repeated until `released`. */
  | (ClaimName & { readonly type: 'done' })
  /** A workflow it was given but cannot take (draining): queued again, nothing of it has started. */
  | (ClaimName & { readonly type: 'returned'; readonly reason: string });

export type ToRunner =
  | {
      readonly type: 'welcome';
      readonly protocol: number;
      readonly leaseMs: number;
      readonly disowned: readonly ClaimName[];
    }
  | (ClaimName & { readonly type: 'assign'; readonly assignment: Assignment })
  | (ClaimName & {
      readonly type: 'started';
      readonly stepId: number;
      readonly request: number;
      /** Variables known only now: status so far, times. */
      readonly environment: Readonly<Record<string, string>>;
      /** Values for the variables that the step names, for this event. Kept in memory until the step ends. */
      readonly secrets: Readonly<Record<string, string>>;
      /** Everything to be masked in this workflow, whether this step has it or not. */
      readonly mask: readonly string[];
    })
  | (ClaimName & {
      readonly type: 'stale';
      readonly stepId?: number | undefined;
      readonly request?: number | undefined;
    })
  | (ClaimName & { readonly type: 'log-stored'; readonly stepId: number; readonly sequence: number })
  | (ClaimName & { readonly type: 'outcome-stored'; readonly stepId: number })
  | (ClaimName & { readonly type: 'released' })
  /** `isFinal`: also what a first cancel lets go on. */
  | (ClaimName & {
      readonly type: 'cancel';
      readonly by: string;
      readonly cause?: CancelCause | undefined;
      readonly isFinal?: boolean | undefined;
    })
  /**
   * Workflows that wait will run there and need these images: fetched while nothing else is known of them. Not answered; a
   * runner that does not know of it fetches them with the steps.
   */
  | {
      readonly type: 'fetch-images';
      readonly images: readonly WishedImage[];
      readonly runtime?: RuntimeName | undefined;
      readonly registries: readonly RegistryCredentials[];
    }
  | (ClaimName & {
      readonly type: 'artifact-written' | 'artifact-stored';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      /** Bytes that there are. */
      readonly offset: number;
    })
  /** Payload: bytes from `offset` on. */
  | (ClaimName & {
      readonly type: 'artifact-part';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      readonly offset: number;
      /** Of the whole. */
      readonly sizeBytes: number;
    })
  /** It cannot be kept, or had; `message` is the end of a sentence. */
  | (ClaimName & {
      readonly type: 'artifact-refused';
      readonly stepId: number;
      readonly name: string;
      readonly upload: number;
      readonly message: string;
      /** Nobody's verdict on the step. */
      readonly isInfrastructure: boolean;
    })
  /** A line for the log of the step. */
  | (ClaimName & {
      readonly type: 'gather-note';
      readonly stepId: number;
      readonly request: number;
      readonly line: string;
    })
  | (ClaimName & {
      readonly type: 'gathered';
      readonly stepId: number;
      readonly request: number;
      readonly checkout: GatheredCheckout;
    })
  /** `message` is a whole sentence; `isInfrastructure`: nobody's verdict on the step. */
  | (ClaimName & {
      readonly type: 'gather-refused';
      readonly stepId: number;
      readonly request: number;
      readonly message: string;
      readonly isInfrastructure: boolean;
    })
  /** Finish what is there, take nothing new, then leave. */
  | { readonly type: 'drain' };

/** An image as a step names it. */
export interface WishedImage {
  readonly image: string;
  readonly pull: PullPolicy;
}

/** A workflow as a runner gets it: the plan, and the row ids of this attempt's steps by position. */
export interface Assignment {
  readonly plan: WorkflowPlan;
  readonly stepIds: readonly number[];
  /** Which of the runner's runtimes; absent = its first. */
  readonly runtime?: RuntimeName | undefined;
  readonly projectSlug: string;
  readonly pipelineNumber: number;
  readonly repository: CheckoutSource;
  readonly logLimitBytes: number;
  /** What its steps may read and save of caches; absent = none. */
  readonly caches?: CacheAccess | undefined;
  /** What results of its steps are found and kept with; absent = none of them may be reused. */
  readonly reuse?: ReuseOffer | undefined;
  /** Logins of registries that its images may be pulled with; their passwords are masked from the first line on. */
  readonly registries?: readonly RegistryCredentials[] | undefined;
}

/** One end of the line between server and runner. */
export interface Connection<Out, In> {
  /** Messages arrive in the order sent. Never throws: a message to a closed line is dropped, `onClose` has told. */
  send(message: Out, payload?: Uint8Array): void;
  onMessage(listener: (message: In, payload: Buffer) => void): void;
  onClose(listener: () => void): void;
  /** Bytes that wait to be sent: what back-pressure goes by. */
  readonly bufferedBytes: number;
  close(): void;
}

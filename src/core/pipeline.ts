import type { ApprovalState } from './approval.ts';
import type { EventKind } from './event.ts';
import type { IncludedPlace } from './included-place.ts';
import type { Page, PageRequest } from './paging.ts';
import type { HostTrust } from './pipeline-settings.ts';
import type { PipelinePlan, WorkflowPlan } from './plan.ts';
import type { PullRequestFacts } from './pull-request.ts';
import type { PushedImage } from './pushed-image.ts';
import type { RuntimePolicy } from './runtime-choice.ts';
import type { TraceEntry } from './trace.ts';
import type { Trust } from './trust.ts';
import type { Visibility } from './visibility.ts';

/** One vocabulary for all three levels: the same words in code, table, API, CLI and page. */
export const stepStatuses = [
  'waiting',
  'ready',
  'starting',
  'running',
  'passed',
  'failed',
  'cancelled',
  'skipped',
  'infrastructure',
] as const;
export type StepStatus = (typeof stepStatuses)[number];

export const workflowStatuses = [
  'blocked',
  'queued',
  'claimed',
  'running',
  'passed',
  'failed',
  'cancelled',
  'skipped',
  'infrastructure',
] as const;
export type WorkflowStatus = (typeof workflowStatuses)[number];

export const pipelineStatuses = [
  'blocked',
  'queued',
  'running',
  'passed',
  'failed',
  'cancelled',
  'infrastructure',
] as const;
export type PipelineStatus = (typeof pipelineStatuses)[number];

export type FinishedStatus = 'passed' | 'failed' | 'cancelled' | 'skipped' | 'infrastructure';

export function isFinished(status: StepStatus | WorkflowStatus | PipelineStatus): status is FinishedStatus {
  return (
    status === 'passed' ||
    status === 'failed' ||
    status === 'cancelled' ||
    status === 'skipped' ||
    status === 'infrastructure'
  );
}

/** Parts of its time that only the runner of a step sees, in whole milliseconds; absent = there was none. */
export interface StepPhases {
  /** Until its image was there. */
  readonly pullMs?: number;
  /** Until its cache was mounted. */
  readonly restoreMs?: number;
  /** Until its cache was kept. */
  readonly saveMs?: number;
}

/** How a step ended, in one vocabulary for every runtime (executors 1). */
export type Outcome =
  | {
      readonly kind: 'exited';
      readonly exitCode: number;
      /** What a build put into registries, also one that failed at a later name; absent = nothing. */
      readonly pushed?: readonly PushedImage[];
      readonly phases?: StepPhases;
    }
  | { readonly kind: 'killed'; readonly signal: string }
  | { readonly kind: 'oom'; readonly limitBytes: number }
  | { readonly kind: 'disk-limit'; readonly limitBytes: number }
  | { readonly kind: 'timed-out'; readonly timeoutMs: number }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** The step's own fault: no such image, command or user; with the message of who refused. */
  | { readonly kind: 'cannot-start'; readonly message: string }
  /** Its commands passed, and what it promised to leave, or was to be given, is not there. */
  | { readonly kind: 'artifact-failed'; readonly message: string }
  /** Nobody's verdict on the code: runner lost, container gone, registry down. Never success. */
  | { readonly kind: 'infrastructure'; readonly message: string };

/** Where a failure shows itself in a log: stored with the pipeline, so that page, CLI and mail show the same. */
export interface FailureExcerpt {
  /** Counts from 1 in the step's log. */
  readonly line: number;
  readonly lines: readonly { readonly number: number; readonly text: string }[];
}

export interface PipelineError {
  readonly message: string;
  /** Rule of lint that the file breaks; absent where none says it. */
  readonly code?: string | undefined;
  readonly path?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** Its place in an included file: `line` and `column` are those of the `include` then. */
  readonly included?: IncludedPlace | undefined;
}

export interface Pipeline {
  readonly id: number;
  readonly projectId: number;
  /** Counts from 1 within its project; this is the number people see. */
  readonly number: number;
  readonly eventId: number;
  readonly event: EventKind;
  readonly status: PipelineStatus;
  readonly ref: string;
  /** The branch; for a tag, the tag's name; for a pull request, the branch that it is for. */
  readonly branch: string;
  readonly commit: string;
  readonly before: string;
  readonly message: string;
  readonly authorName: string;
  readonly authorEmail: string;
  readonly personName: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Where a promotion or rollback goes. */
  readonly target?: string | undefined;
  /** Number of the pipeline that a promotion, a rollback or a rerun with other parameters repeats. */
  readonly parentNumber?: number | undefined;
  /** Name of the cron that started it. */
  readonly cron?: string | undefined;
  /** The pull request as it was when this was planned. */
  readonly pullRequest?: PullRequestFacts | undefined;
  /** Whose work it is; absent = `trusted`. */
  readonly trust?: Trust | undefined;
  /** Whether somebody has to let it run, and whether somebody did; absent = nobody was asked. */
  readonly approval?: ApprovalState | undefined;
  /** Whoever let it run said that its steps may have secrets. */
  readonly hasApprovedSecrets?: boolean | undefined;
  /** Why the file did not compile. Such a pipeline has no workflows and has failed. */
  readonly error?: PipelineError | undefined;
  readonly path: string;
  readonly dialect: string;
  readonly createdAt: Date;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

/** Why a workflow was cancelled, beside by whom. */
export type CancelCause =
  | { readonly kind: 'person' }
  /** Pipeline `number` is newer on the same reference. */
  | { readonly kind: 'superseded'; readonly number: number; readonly ref: string }
  /** The pipeline ran for as long as its project lets it. */
  | { readonly kind: 'timed-out'; readonly timeoutMs: number }
  /** A step failed that cancels whatever is left. */
  | { readonly kind: 'step-failed'; readonly workflow: string; readonly step: string };

export interface Workflow {
  readonly id: number;
  readonly pipelineId: number;
  readonly projectId: number;
  /** Position in the file, from 0. */
  readonly position: number;
  readonly name: string;
  readonly status: WorkflowStatus;
  /** Counts from 1; each rerun is a new attempt of all its steps. */
  readonly attempt: number;
  readonly plan: WorkflowPlan;
  /** Fencing token: grows with each claim. A result that carries another one is refused. */
  readonly token: number;
  readonly runnerId?: string | undefined;
  /** Set once somebody asked to cancel; a workflow that nobody holds is cancelled at once. */
  readonly cancelledBy?: string | undefined;
  /** Absent for one that was cancelled before causes were kept. */
  readonly cancelCause?: CancelCause | undefined;
  /** It was cancelled a second time: not even steps that run after a cancel start any more. */
  readonly isCancelFinal?: boolean | undefined;
  /** How often it was run again by itself since a person ran it last. */
  readonly retries?: number | undefined;
  readonly queuedAt?: Date | undefined;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

/** One attempt of one step. */
export interface Step {
  readonly id: number;
  readonly workflowId: number;
  readonly pipelineId: number;
  readonly attempt: number;
  /** Position in the workflow, from 0. */
  readonly position: number;
  readonly name: string;
  readonly status: StepStatus;
  readonly outcome?: Outcome | undefined;
  /** The rule that skipped, cancelled or failed it, where one did. */
  readonly reason?: TraceEntry | undefined;
  readonly failure?: FailureExcerpt | undefined;
  /** When its runner was told to start it. */
  readonly startedAt?: Date | undefined;
  /** When its first process ran: until then its image was fetched and its sandbox made. */
  readonly runningAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

/**
 * What a pipeline file was read with beside its event. Kept with the pipeline, since settings change and what it was
 * planned with does not. Holds no secret.
 */
export interface PipelineFacts {
  readonly project: {
    readonly owner: string;
    readonly name: string;
    readonly visibility: Visibility;
    readonly defaultBranch: string;
    readonly link: string;
    readonly cloneUrl: string;
  };
  readonly instanceUrl: string;
  readonly architecture?: string | undefined;
  /** Commit whose pipeline files were read, where it is not the pipeline's own: the tip of a pull request's target. */
  readonly filesFrom?: string | undefined;
  /** What its file included, as it was read: references of other projects may lead elsewhere later. */
  readonly includes?:
    | readonly {
        readonly name: string;
        readonly text?: string | undefined;
        readonly fault?: string | undefined;
        readonly commit?: string | undefined;
      }[]
    | undefined;
  /** Plain variables of project and organisation. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Settings of the project that change what a file means. */
  readonly rules?:
    | {
        readonly path?: string | undefined;
        readonly evaluatesDronePaths?: boolean;
        readonly toleratesFilteredSteps?: boolean;
        readonly ignoresCaches?: 'project' | 'start';
        readonly ignoresReuse?: 'start';
        readonly trusts?: readonly HostTrust[] | undefined;
        readonly privilegedImages?: readonly string[] | undefined;
        readonly forbidsSandbox?: boolean;
        readonly runtime?: RuntimePolicy | undefined;
      }
    | undefined;
}

/** How long a step took in the past, image and start included. */
export interface StepDuration {
  readonly workflow: string;
  readonly step: string;
  readonly durationMs: number;
}

export interface NewPipeline extends Omit<Pipeline, 'id' | 'number' | 'startedAt' | 'finishedAt'> {
  /** The number that its plan was compiled with (it enters the environment); `create` refuses when it is taken. */
  readonly expectedNumber: number;
  readonly facts?: PipelineFacts | undefined;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

/** What changes of a step; an absent key stays as it is. */
export interface StepChange {
  readonly id: number;
  readonly status: StepStatus;
  readonly outcome?: Outcome | undefined;
  readonly reason?: TraceEntry | undefined;
  readonly failure?: FailureExcerpt | undefined;
  readonly startedAt?: Date | undefined;
  readonly runningAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

/** What changes of a workflow; an absent key stays as it is, `null` clears. */
export interface WorkflowChange {
  readonly id: number;
  readonly status?: WorkflowStatus | undefined;
  readonly attempt?: number | undefined;
  readonly token?: number | undefined;
  readonly runnerId?: string | null | undefined;
  readonly cancelledBy?: string | null | undefined;
  readonly cancelCause?: CancelCause | null | undefined;
  readonly isCancelFinal?: boolean | undefined;
  readonly retries?: number | undefined;
  readonly queuedAt?: Date | null | undefined;
  readonly startedAt?: Date | null | undefined;
  readonly finishedAt?: Date | null | undefined;
}

/** A person who ran a workflow again. */
export interface RerunBy {
  readonly personId: number;
  /** Projects that their token was limited to; absent = all that they may see. */
  readonly tokenProjectIds?: readonly number[] | undefined;
}

/** A workflow under the fencing token that whoever decides about it believes in. */
export interface WorkflowClaim {
  readonly workflowId: number;
  readonly attempt: number;
  readonly token: number;
}

/** How many numbers before a pipeline are looked through for what to compare it with. */
export const maxPassedLookback = 2_000;

export interface PipelineStore {
  find(id: number): Promise<Pipeline | undefined>;
  findByNumber(projectId: number, number: number): Promise<Pipeline | undefined>;
  /** What its file was read with; `undefined` for a pipeline that is older than this record. */
  facts(id: number): Promise<PipelineFacts | undefined>;
  /**
   * Every passed step of the last `pipelines` pipelines of a branch that passed before this one, each in its last
   * attempt. Looks no further back than `maxPassedLookback` numbers.
   */
  passedStepDurations(before: Pipeline, pipelines: number): Promise<readonly StepDuration[]>;
  findByEvent(eventId: number): Promise<Pipeline | undefined>;
  list(
    projectId: number,
    page: PageRequest & {
      readonly status?: readonly PipelineStatus[] | undefined;
      readonly branch?: string | undefined;
      readonly event?: EventKind | undefined;
    },
  ): Promise<Page<Pipeline>>;
  /** The newest of each project, for the list of projects. */
  latest(projectIds: readonly number[]): Promise<ReadonlyMap<number, Pipeline>>;
  /** The number that the next pipeline of the project gets. */
  nextNumber(projectId: number): Promise<number>;
  /**
   * Creates the pipeline with the next number of its project, its workflows (`queued`, or `blocked` where they have
   * dependencies or no runner, or the pipeline waits for an approval) and their first attempt of steps (`waiting`), in one go.
   * Answers `undefined`, and writes nothing, when `expectedNumber` is not the next one any more.
   */
  create(
    pipeline: NewPipeline,
    plan: PipelinePlan,
  ): Promise<{ pipeline: Pipeline; workflows: readonly Workflow[]; steps: readonly Step[] } | undefined>;
  setStatus(
    id: number,
    change: {
      readonly status: PipelineStatus;
      readonly startedAt?: Date | undefined;
      readonly finishedAt?: Date | null | undefined;
    },
  ): Promise<void>;

  setApproval(id: number, approval: ApprovalState, hasSecrets: boolean): Promise<void>;

  /** Has a finished pipeline run again by itself from `dueAt` on. One that is waiting for that already gets the new time. */
  scheduleRetry(pipelineId: number, dueAt: Date): Promise<void>;
  /** Pipelines whose time to be run again has come, the longest overdue first; not more than a hundred. */
  dueRetries(at: Date): Promise<readonly number[]>;
  /** Whether the pipeline was to be run again by itself; it is no more. */
  takeRetry(pipelineId: number): Promise<boolean>;

  findWorkflow(id: number): Promise<Workflow | undefined>;
  workflows(pipelineId: number): Promise<readonly Workflow[]>;
  /** Those that nobody has finished, over all projects, oldest first: what a starting server rebuilds its queue from. */
  openWorkflows(): Promise<readonly Workflow[]>;
  updateWorkflow(change: WorkflowChange): Promise<void>;
  /** Notes who ran a workflow again; whoever did before is forgotten. */
  noteRerun(workflowId: number, by: RerunBy): Promise<void>;
  /** Who ran it again last; `undefined` when nobody did. */
  rerunBy(workflowId: number): Promise<RerunBy | undefined>;
  /**
   * Of these claims, the ids of workflows whose record has another attempt or token by now, or that are gone: what was
   * decided about them must not be written. Within a write nobody changes the others until it ends.
   */
  staleClaims(claims: readonly WorkflowClaim[]): Promise<readonly number[]>;

  findStep(id: number): Promise<Step | undefined>;
  /** All attempts of the pipeline's steps, by workflow, attempt and position. */
  steps(pipelineId: number): Promise<readonly Step[]>;
  /** The present attempt of one workflow, by position. */
  stepsOf(workflowId: number, attempt: number): Promise<readonly Step[]>;
  /** Many rows, one statement compiled once: the engine's hot write. */
  updateSteps(changes: readonly StepChange[]): Promise<void>;
  /** A new attempt: the same steps again, `waiting` (or `skipped` where their condition does not match). */
  createSteps(workflow: Workflow): Promise<readonly Step[]>;

  addTrace(pipelineId: number, entries: readonly TraceEntry[], at: Date): Promise<void>;
  trace(pipelineId: number): Promise<readonly (TraceEntry & { readonly at: Date })[]>;
}

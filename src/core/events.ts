import type { PipelineStatus, StepStatus, WorkflowStatus } from './pipeline.ts';

/**
 * Everything that happens, in one list: the product's story. Stored in the transaction that made it true,
 * published after the commit and never before, replayed to viewers who were away.
 */
export type Happening =
  | { readonly type: 'project-created'; readonly projectId: number; readonly slug: string }
  | { readonly type: 'project-changed'; readonly projectId: number; readonly slug: string }
  | { readonly type: 'members-changed'; readonly projectId: number }
  | {
      readonly type: 'push-received';
      readonly projectId: number;
      readonly eventId: number;
      readonly ref: string;
      readonly after: string;
    }
  | {
      readonly type: 'pull-request-changed';
      readonly projectId: number;
      readonly number: number;
      readonly eventId: number;
    }
  | {
      readonly type: 'event-planned';
      readonly projectId: number;
      readonly eventId: number;
      readonly pipelineId: number | null;
    }
  | {
      readonly type: 'pipeline-changed';
      readonly projectId: number;
      readonly pipelineId: number;
      readonly number: number;
      readonly status: PipelineStatus;
    }
  | {
      readonly type: 'workflow-changed';
      readonly projectId: number;
      readonly pipelineId: number;
      readonly number: number;
      readonly workflowId: number;
      readonly workflow: string;
      readonly status: WorkflowStatus;
      readonly attempt: number;
    }
  | {
      readonly type: 'step-changed';
      readonly projectId: number;
      readonly pipelineId: number;
      readonly number: number;
      readonly workflow: string;
      readonly stepId: number;
      readonly step: string;
      readonly status: StepStatus;
    }
  | { readonly type: 'access-changed'; readonly personId: number };

export type HappeningType = Happening['type'];

export interface StoredHappening {
  /** Global and increasing: the `id:` of the event stream. */
  readonly sequence: number;
  readonly at: Date;
  readonly happening: Happening;
}

export interface HappeningStore {
  /** Within the transaction of the change it tells of; published after the commit. */
  append(happenings: readonly Happening[], at: Date): Promise<void>;
  /** Those after `sequence`, oldest first. `undefined` when that point is no longer kept (24 h): the viewer starts anew. */
  since(sequence: number, limit: number): Promise<readonly StoredHappening[] | undefined>;
  lastSequence(): Promise<number>;
  prune(before: Date): Promise<void>;
}

/** Tells those in this process what was committed, in the order of the commits. */
export interface HappeningBus {
  subscribe(listener: (happening: StoredHappening) => void): () => void;
}

/** Live output of steps: never stored as events, since the log itself is the record. */
export interface LogBus {
  subscribe(stepId: number, listener: (piece: LogPiece) => void): () => void;
}

export interface LogPiece {
  readonly stepId: number;
  /** Where these bytes stand in the step's log; what a viewer compares with what it has. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** The end mark: nothing follows. */
  readonly isEnd: boolean;
}

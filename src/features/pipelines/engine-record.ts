import type { ChangeSet } from './change-set.ts';
import type { OpenPipeline } from './open-pipelines.ts';
import type { RunnerSession } from './runner-session.ts';

/** What dispatch and loss see of the engine: who is there, what is open, and how a decision comes into the record. */
export interface EngineRecord {
  /** By runner id. */
  readonly sessions: Map<string, RunnerSession>;
  find(pipelineId: number): OpenPipeline | undefined;
  changes(): ChangeSet;
  /** Resolves with whether it is on disk. */
  commit(changes: ChangeSet): Promise<boolean>;
  /** Work whose failure is logged, since nobody waits for it. */
  inBackground(work: Promise<unknown>): void;
}

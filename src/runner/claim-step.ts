import type { CacheReport } from '../core/cache.ts';
import type { StepPhases } from '../core/pipeline.ts';
import type { StepPlan } from '../core/plan.ts';
import type { RunningStep, RuntimeJob, StagedStep } from '../drivers/runtime/runtime.ts';
import type { ToServer } from '../engine/runner-protocol.ts';
import type { StepOutput } from './step-output.ts';

type OutcomeMessage = Extract<ToServer, { type: 'outcome' }>;

/** What the runner knows of a step beyond its place in the state machine. */
export interface ClaimStep {
  readonly id: number;
  readonly plan: StepPlan;
  readonly output: StepOutput;
  staging: Promise<void> | undefined;
  readonly stop: AbortController;
  /** In which it was staged. */
  job: RuntimeJob | undefined;
  staged: StagedStep | undefined;
  running: RunningStep | undefined;
  /** Number of the start that was asked for and not yet answered. */
  asked: number | undefined;
  isTurn: boolean;
  isDiscarded: boolean;
  /** Lines about its image from before its turn: shown when it has come. */
  earlyLines: string[];
  cache: CacheReport | undefined;
  phases: StepPhases;
  /** Sent until the server has it on disk. */
  outcome: OutcomeMessage | undefined;
}

export function newClaimStep(id: number, plan: StepPlan, output: StepOutput): ClaimStep {
  return {
    id,
    plan,
    output,
    staging: undefined,
    stop: new AbortController(),
    job: undefined,
    staged: undefined,
    running: undefined,
    asked: undefined,
    isTurn: false,
    isDiscarded: false,
    earlyLines: [],
    cache: undefined,
    phases: {},
    outcome: undefined,
  };
}

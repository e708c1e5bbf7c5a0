import { isFinished } from '../../core/pipeline.ts';
import { unmetRouting } from '../../core/routing.ts';
import { chooseRuntime, type RuntimeName } from '../../core/runtime-choice.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { StepState, WorkflowState } from '../../engine/advance-state.ts';
import type { OpenWorkflow } from './open-pipelines.ts';
import type { RunnerSession } from './runner-session.ts';

/** Which runtimes a workflow may run on, why, and what there is instead. */
export interface MissingRuntime extends Readonly<Record<string, string>> {
  readonly runtime: string;
  readonly reason: string;
  readonly offered: string;
  /** What keeps runners that have one from offering it: sentences, or nothing. */
  readonly why: string;
}

/** Of what runners say of themselves, so much is told. */
const longestWhy = 400;

/**
 * Says which runner may take which workflow, and keeps those that none of the connected ones may: they are not in the way
 * of others, and are looked at again when somebody calls.
 */
export class Placement {
  readonly #sessions: ReadonlyMap<string, RunnerSession>;
  /** With what they ask for that nobody had when it was looked at; `undefined` for those that lack a runtime. */
  readonly #unplaced = new Map<OpenWorkflow, string | undefined>();

  constructor(sessions: ReadonlyMap<string, RunnerSession>) {
    this.#sessions = sessions;
  }

  fits(session: RunnerSession, { plan }: OpenWorkflow): boolean {
    // Most ask for nothing.
    if (!plan.runtime && !plan.routing) return true;
    if (!hasLabels(session, plan.routing)) return false;
    return chooseRuntime(plan.runtime, session.runtimes) !== undefined;
  }

  /** Whether somebody is connected who takes work: until then nobody knows what may be taken. */
  get hasRunners(): boolean {
    return this.#present().length > 0;
  }

  /** Of those that wait, the ones that no connected runner may take. They are kept from now on. */
  setApart(waiting: Iterable<OpenWorkflow>): readonly OpenWorkflow[] {
    const present = this.#present();
    const apart: OpenWorkflow[] = [];
    for (const workflow of waiting) {
      if (!workflow.plan.runtime && !workflow.plan.routing) continue;
      if (present.some((session) => this.fits(session, workflow))) continue;
      this.#unplaced.set(workflow, this.unmet(workflow));
      apart.push(workflow);
    }
    return apart;
  }

  /** What a workflow that was set apart waits for. */
  awaited(workflow: OpenWorkflow): string | undefined {
    return this.#unplaced.get(workflow);
  }

  forget(workflow: OpenWorkflow): void {
    this.#unplaced.delete(workflow);
  }

  /** Those that were kept, and are no longer. */
  takeUnplaced(): readonly OpenWorkflow[] {
    const all = [...this.#unplaced.keys()];
    this.#unplaced.clear();
    return all;
  }

  /** What no connected runner has of what the workflow asks for, as few of it as there are; `undefined` when one has all. */
  unmet({ plan }: OpenWorkflow): string | undefined {
    if (!plan.routing) return undefined;
    const unmet = this.#present().map(({ labels }) => unmetRouting(plan.routing, labels));
    const [least] = unmet.toSorted((a, b) => a.length - b.length);
    return least && least.length > 0 ? least.join(', ') : undefined;
  }

  /** Its labels are there, and a runtime that it may run on is not. */
  findMissingRuntime({ plan }: OpenWorkflow): MissingRuntime | undefined {
    if (!plan.runtime) return undefined;
    const labelled = this.#present().filter((session) => hasLabels(session, plan.routing));
    if (labelled.length === 0) return undefined;
    const offered = new Set(labelled.flatMap(({ runtimes }) => runtimes));
    return {
      runtime: plan.runtime.allowed.join(', '),
      reason: plan.runtime.reason,
      offered: [...offered].join(', ') || '-',
      why: whyWithheld(labelled, plan.runtime.allowed),
    };
  }

  #present(): readonly RunnerSession[] {
    const present: RunnerSession[] = [];
    for (const session of this.#sessions.values()) if (session.connection && !session.isDraining) present.push(session);
    return present;
  }
}

function whyWithheld(sessions: readonly RunnerSession[], wanted: readonly RuntimeName[]): string {
  const withheld = sessions.flatMap((session) => session.withheld).filter(({ name }) => wanted.includes(name));
  return [...new Set(withheld.map(({ why }) => `${why}.`))].join(' ').slice(0, longestWhy);
}

function hasLabels({ labels }: RunnerSession, routing: OpenWorkflow['plan']['routing']): boolean {
  return routing === undefined || unmetRouting(routing, labels).length === 0;
}

/**
 * How a workflow ends, before its first step, that nothing there is can run: as infrastructure, which is nobody's verdict on
 * its code. The first step that counts carries the reason.
 */
export function endBeforeStart(state: WorkflowState, because: Pick<TraceEntry, 'rule' | 'values'>): WorkflowState {
  const { plan, steps } = state;
  const isOpen = (position: number): boolean => !isFinished(steps[position]!.status);
  const counting = plan.steps.findIndex(({ onFailure }, position) => onFailure === 'fail' && isOpen(position));
  const carrier = counting === -1 ? steps.findIndex((_, position) => isOpen(position)) : counting;
  const end = (step: StepState, position: number): StepState => {
    if (isFinished(step.status)) return step;
    const subject = { kind: 'step', workflow: plan.name, step: plan.steps[position]!.name } as const;
    const isCarrier = position === carrier;
    return {
      ...step,
      status: isCarrier ? 'infrastructure' : 'skipped',
      reason: { subject, verdict: isCarrier ? 'failed' : 'skipped', ...because },
    };
  };
  return { ...state, steps: steps.map(end) };
}

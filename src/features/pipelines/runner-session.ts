import type { RunnerLabels } from '../../core/routing.ts';
import type { RuntimeName, WithheldRuntime } from '../../core/runtime-choice.ts';
import type { ClaimName, Connection, ToRunner, ToServer } from '../../engine/runner-protocol.ts';
import { type OpenWorkflow, type SlotHolder, slotsTaken } from './open-pipelines.ts';

export type RunnerConnection = Connection<ToRunner, ToServer>;

/** A runner as the server sees it: one generation of one process, over however many connections it takes. */
export class RunnerSession implements SlotHolder {
  readonly runnerId: string;
  /** Absent for a runner that only the record knows: the server was restarted and it has not called yet. */
  readonly generation: string | undefined;
  /** Steps that may run there at once. */
  slots: number;
  /** It finishes what it has and takes nothing new: steps of what it has may still start. */
  isDraining = false;
  /** All that it can run steps on, the first one where nothing else is said. */
  runtimes: readonly RuntimeName[] = [];
  /** What it would offer as well, were it not for something. */
  withheld: readonly WithheldRuntime[] = [];
  labels: RunnerLabels = { known: {}, own: {} };
  connection: RunnerConnection | undefined;
  /** The line over which it called last: a greeting that was overtaken by another one is void. */
  calling: RunnerConnection | undefined;
  lastHeartbeatMs: number;
  /** Claims were read from the record that the runner was not compared with. */
  hasUnsettledClaims = false;
  /** Steps that run there, and slots that are taken: kept up to date by what changes, since both are asked at every turn. */
  #activeSteps = 0;
  #takenSlots = 0;
  /** By workflow: one that was run again may be there twice, until its runner has let go of the attempt before. */
  readonly #claims = new Map<number, Claim[]>();

  constructor(runner: { runnerId: string; generation?: string; slots: number; nowMs: number }) {
    this.runnerId = runner.runnerId;
    this.generation = runner.generation;
    this.slots = runner.slots;
    this.lastHeartbeatMs = runner.nowMs;
  }

  get claims(): readonly OpenWorkflow[] {
    return [...this.#claims.values()].flat().map(({ workflow }) => workflow);
  }

  get claimCount(): number {
    return this.#claims.size;
  }

  get activeSteps(): number {
    return this.#activeSteps;
  }

  get takenSlots(): number {
    return this.#takenSlots;
  }

  /** Whoever held it before does not any more. */
  hold(workflow: OpenWorkflow): void {
    workflow.holder?.letGo(workflow);
    workflow.holder = this;
    this.recount(workflow.activeSteps, slotsTaken(workflow));
    const claim: Claim = { workflow, attempt: workflow.attempt, token: workflow.token };
    const others = this.#claims.get(workflow.id);
    if (others) others.push(claim);
    else this.#claims.set(workflow.id, [claim]);
  }

  /** As `hold`, for a claim that only the record knows of: the runner has to say anew what it has. */
  holdByRecord(workflow: OpenWorkflow): void {
    this.hold(workflow);
    this.hasUnsettledClaims = true;
    this.connection?.close();
  }

  find(name: ClaimName): OpenWorkflow | undefined {
    const claims = this.#claims.get(name.workflowId);
    if (!claims) return undefined;
    for (const claim of claims) if (isNamed(claim, name)) return claim.workflow;
    return undefined;
  }

  /** Whether it holds the workflow under the token that it has now. */
  holds(workflow: OpenWorkflow): boolean {
    const claims = this.#claims.get(workflow.id);
    if (!claims) return false;
    for (const claim of claims)
      if (claim.workflow === workflow && claim.token === workflow.token && claim.attempt === workflow.attempt)
        return true;
    return false;
  }

  release(name: ClaimName): void {
    const claim = this.#claims.get(name.workflowId)?.find((each) => isNamed(each, name));
    if (claim) this.letGo(claim.workflow);
  }

  letGo(workflow: OpenWorkflow): void {
    if (workflow.holder !== this) return;
    workflow.holder = undefined;
    this.recount(-workflow.activeSteps, -slotsTaken(workflow));
    const others = this.#claims.get(workflow.id)?.filter((claim) => claim.workflow !== workflow) ?? [];
    if (others.length > 0) this.#claims.set(workflow.id, others);
    else this.#claims.delete(workflow.id);
  }

  recount(activeSteps: number, takenSlots: number): void {
    this.#activeSteps += activeSteps;
    this.#takenSlots += takenSlots;
  }

  /** Slots that a further workflow may use. */
  get freeSlots(): number {
    return this.isDraining ? 0 : this.slots - this.#takenSlots;
  }

  send(message: ToRunner, payload?: Uint8Array): void {
    this.connection?.send(message, payload);
  }
}

interface Claim {
  readonly workflow: OpenWorkflow;
  readonly attempt: number;
  readonly token: number;
}

/** What its runner is told once it was cancelled. */
export function cancelMessage(workflow: OpenWorkflow): ToRunner | undefined {
  const { cancelledBy, cancelCause, isCancelFinal } = workflow;
  if (cancelledBy === undefined) return undefined;
  return {
    type: 'cancel',
    ...claimOf(workflow),
    by: cancelledBy,
    ...(cancelCause ? { cause: cancelCause } : {}),
    ...(isCancelFinal ? { isFinal: true } : {}),
  };
}

export function claimOf(workflow: OpenWorkflow): ClaimName {
  return { workflowId: workflow.id, attempt: workflow.attempt, token: workflow.token };
}

function isNamed(claim: Claim, name: ClaimName): boolean {
  return claim.token === name.token && claim.attempt === name.attempt;
}

import type { ClaimName, Connection, ToRunner, ToServer } from '../../engine/runner-protocol.ts';
import { slotsTaken } from './change-set.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

export type RunnerConnection = Connection<ToRunner, ToServer>;

/** A runner as the server sees it: one generation of one process, over however many connections it takes. */
export class RunnerSession {
  readonly runnerId: string;
  /** Absent for a runner that only the record knows: the server was restarted and it has not called yet. */
  readonly generation: string | undefined;
  /** Steps that may run there at once. */
  slots: number;
  /** It finishes what it has and takes nothing new: steps of what it has may still start. */
  isDraining = false;
  connection: RunnerConnection | undefined;
  /** The line over which it called last: a greeting that was overtaken by another one is void. */
  calling: RunnerConnection | undefined;
  lastHeartbeatMs: number;
  /** Claims were read from the record that the runner was not compared with. */
  hasUnsettledClaims = false;
  readonly #claims = new Map<string, OpenWorkflow>();

  constructor(runner: { runnerId: string; generation?: string; slots: number; nowMs: number }) {
    this.runnerId = runner.runnerId;
    this.generation = runner.generation;
    this.slots = runner.slots;
    this.lastHeartbeatMs = runner.nowMs;
  }

  get claims(): readonly OpenWorkflow[] {
    return [...this.#claims.values()];
  }

  hold(workflow: OpenWorkflow): void {
    this.#claims.set(claimKey(claimOf(workflow)), workflow);
  }

  /** As `hold`, for a claim that only the record knows of: the runner has to say anew what it has. */
  holdByRecord(workflow: OpenWorkflow): void {
    this.hold(workflow);
    this.hasUnsettledClaims = true;
    this.connection?.close();
  }

  find(claim: ClaimName): OpenWorkflow | undefined {
    return this.#claims.get(claimKey(claim));
  }

  release(claim: ClaimName): void {
    this.#claims.delete(claimKey(claim));
  }

  releaseAll(): void {
    this.#claims.clear();
  }

  /** Slots that a further workflow may use. */
  freeSlots(): number {
    if (this.isDraining) return 0;
    let free = this.slots;
    for (const workflow of this.#claims.values()) free -= slotsTaken(workflow);
    return free;
  }

  activeSteps(): number {
    let active = 0;
    for (const workflow of this.#claims.values()) active += workflow.activeSteps;
    return active;
  }

  send(message: ToRunner): void {
    this.connection?.send(message);
  }
}

export function claimOf(workflow: OpenWorkflow): ClaimName {
  return { workflowId: workflow.id, attempt: workflow.attempt, token: workflow.token };
}

function claimKey({ workflowId, attempt, token }: ClaimName): string {
  return `${workflowId}/${attempt}/${token}`;
}

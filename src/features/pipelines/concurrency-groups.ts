import { isFinished } from '../../core/pipeline.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

/** Why a workflow may not begin yet. */
export interface FullGroup {
  readonly group: string;
  readonly running: number;
  readonly limit: number;
  /** Numbers of the pipelines that hold the places. */
  readonly pipelines: readonly number[];
}

/**
 * Which workflows with a limit of concurrency hold a place: those that were claimed and have not ended. Nothing is stored
 * for it: it follows from the state of the open workflows, also after a restart, a cancel or the loss of a runner.
 */
export class ConcurrencyGroups {
  /** By project and group, then by the id of the workflow: one that is read anew takes the place of its former self. */
  readonly #groups = new Map<string, Map<number, OpenWorkflow>>();

  /** Knows the workflow from now on; one that has ended is forgotten. */
  note(workflow: OpenWorkflow): void {
    const key = keyOf(workflow);
    if (key === undefined) return;
    if (isFinished(workflow.status)) {
      this.#forget(key, workflow.id);
      return;
    }
    const group = this.#groups.get(key) ?? new Map<number, OpenWorkflow>();
    this.#groups.set(key, group);
    group.set(workflow.id, workflow);
  }

  /** `undefined` when the workflow may begin. */
  findFull(workflow: OpenWorkflow): FullGroup | undefined {
    const { concurrency } = workflow.plan;
    const key = keyOf(workflow);
    if (!concurrency || key === undefined) return undefined;
    const holders = this.#holders(key).filter(({ id }) => id !== workflow.id);
    if (holders.length < concurrency.limit) return undefined;
    const pipelines = [...new Set(holders.map(({ pipeline }) => pipeline.row.number))];
    return { ...concurrency, running: holders.length, pipelines };
  }

  /** Says which of those that wait may begin; each answer of `true` takes a place, for as long as this round lasts. */
  round(): (workflow: OpenWorkflow) => boolean {
    const counts = new Map<string, number>();
    return (workflow) => {
      const { concurrency } = workflow.plan;
      const key = keyOf(workflow);
      if (!concurrency || key === undefined) return true;
      const running = counts.get(key) ?? this.#holders(key).length;
      const mayBegin = running < concurrency.limit;
      counts.set(key, mayBegin ? running + 1 : running);
      return mayBegin;
    };
  }

  #forget(key: string, id: number): void {
    const group = this.#groups.get(key);
    group?.delete(id);
    if (group?.size === 0) this.#groups.delete(key);
  }

  #holders(key: string): readonly OpenWorkflow[] {
    const group = this.#groups.get(key);
    if (!group) return [];
    const holders: OpenWorkflow[] = [];
    for (const workflow of group.values())
      if (workflow.status === 'claimed' || workflow.status === 'running') holders.push(workflow);
    return holders;
  }
}

function keyOf({ plan, pipeline }: OpenWorkflow): string | undefined {
  return plan.concurrency && `${pipeline.row.projectId} ${plan.concurrency.group}`;
}

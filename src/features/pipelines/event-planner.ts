import { GantryError } from '../../core/errors.ts';
import { endOvertaken } from './approvals/decide-approval.ts';
import type { Engine } from './engine.ts';
import { failEvent, type PlanEventDeps, type Planned, planEvent } from './plan-event.ts';
import { cancelSuperseded } from './superseded.ts';

/** So often an event may fail to be planned before it becomes a pipeline that failed: a bad one must not be tried forever. */
const triesPerEvent = 3;

/** Plans events, one after the other within a project: a plan knows the number of its pipeline. */
export class EventPlanner {
  readonly #deps: PlanEventDeps;
  readonly #engine: Engine;
  /** The last planning of each project that has one under way. */
  readonly #tails = new Map<number, Promise<unknown>>();
  readonly #underWay = new Map<number, Promise<Planned>>();
  readonly #failures = new Map<number, number>();

  constructor(deps: Omit<PlanEventDeps, 'engine'>, engine: Engine) {
    this.#deps = { ...deps, engine };
    this.#engine = engine;
  }

  /** Events that are being planned, or wait for their turn. */
  isPlanning(eventId: number): boolean {
    return this.#underWay.has(eventId);
  }

  /** Plans the event and lets its pipeline loose. Asked twice at once, it is planned once. */
  planNow(eventId: number, projectId: number): Promise<Planned> {
    const underWay = this.#underWay.get(eventId);
    if (underWay) return underWay;
    const before = this.#tails.get(projectId);
    // Without anybody before it, it starts in this very tick.
    const planning = (before ? before.then(() => this.#plan(eventId)) : this.#plan(eventId)).finally(() =>
      this.#underWay.delete(eventId),
    );
    this.#underWay.set(eventId, planning);
    const tail = planning.then(
      () => {},
      () => {},
    );
    this.#tails.set(projectId, tail);
    void tail.then(() => {
      if (this.#tails.get(projectId) === tail) this.#tails.delete(projectId);
    });
    return planning;
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay.values());
  }

  async #plan(eventId: number): Promise<Planned> {
    try {
      const planned = await planEvent(this.#deps, eventId);
      return await this.#letLoose(planned);
    } catch (error) {
      const failures = (this.#failures.get(eventId) ?? 0) + 1;
      this.#failures.set(eventId, failures);
      this.#deps.logger.error('An event could not be planned', { error, eventId, failures });
      if (failures < triesPerEvent) throw error;
      const message = error instanceof GantryError ? error.message : 'Cannot plan the pipeline: see the server log';
      return this.#letLoose(await failEvent(this.#deps, eventId, message));
    }
  }

  async #letLoose(planned: Planned): Promise<Planned> {
    this.#failures.delete(planned.event.id);
    if (planned.open) await this.#engine.adopt(planned.open);
    if (planned.pipeline && planned.settings)
      await endOvertaken({ ...this.#deps, engine: this.#engine }, planned.pipeline);
    if (planned.pipeline && planned.settings) await cancelSuperseded(this.#engine, planned.settings, planned.pipeline);
    return planned;
  }
}

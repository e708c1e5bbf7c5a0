import { GantryError } from '../../../src/core/errors.ts';
import type { Event, EventStore } from '../../../src/core/event.ts';
import type { Happening, HappeningBus, HappeningStore, StoredHappening } from '../../../src/core/events.ts';
import {
  isFinished,
  type Pipeline,
  type PipelineStore,
  type RerunBy,
  type Step,
  type Workflow,
} from '../../../src/core/pipeline.ts';
import type { Project, ProjectStore } from '../../../src/core/project.ts';
import type { TraceEntry } from '../../../src/core/trace.ts';
import type { Stores, UnitOfWork } from '../../../src/core/unit-of-work.ts';
import type { VariableStore } from '../../../src/core/variable.ts';
import { runsAfterCancel } from '../../../src/engine/cancel-reason.ts';

interface PendingWrite {
  readonly work: (stores: Stores) => Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Says what must never happen to a record. */
export type Violated = (message: string) => void;

/**
 * A database that the scheduler drives: a write waits until it is committed, its caller until it is answered, and
 * between the two the server may die. What is committed stays; what is not is as if it had never been.
 */
export class SimulatedStore {
  readonly project: Project;
  readonly events = new Map<number, Event>();
  readonly eventTraces = new Map<number, readonly TraceEntry[]>();
  readonly pipelines = new Map<number, Pipeline>();
  readonly workflows = new Map<number, Workflow>();
  readonly steps = new Map<number, Step>();
  /** When pipelines are to run again by themselves. */
  readonly retries = new Map<number, Date>();
  readonly reruns = new Map<number, RerunBy>();
  /** A store with a mistake: it says yes to some writes and does not keep them. */
  forgets: () => boolean = () => false;
  readonly #violated: Violated;
  /** The same for every process: they hold nothing. */
  readonly #stores: Stores;
  readonly #undo: (() => void)[] = [];
  readonly #listeners = new Set<(happening: StoredHappening) => void>();
  #happenings: Happening[] = [];
  #writes: PendingWrite[] = [];
  #answers: (() => void)[] = [];
  #ids = 0;
  #sequence = 0;
  #lastNumber = 0;
  #isCommitting = false;

  constructor(project: Project, violated: Violated) {
    this.project = project;
    this.#violated = violated;
    this.#stores = this.#makeStores();
  }

  get waitingWrites(): number {
    return this.#isCommitting ? 0 : this.#writes.length;
  }

  get waitingAnswers(): number {
    return this.#answers.length;
  }

  /** What one server process has of it. */
  connect(): { readonly unitOfWork: UnitOfWork; readonly happenings: HappeningBus } {
    const stores = this.#stores;
    return {
      unitOfWork: {
        read: stores,
        write: <T>(work: (stores: Stores) => Promise<T>) =>
          new Promise<T>((resolve, reject) => {
            this.#writes.push({ work, resolve: resolve as (value: unknown) => void, reject });
          }),
      },
      happenings: {
        subscribe: (listener) => {
          this.#listeners.add(listener);
          return () => void this.#listeners.delete(listener);
        },
      },
    };
  }

  /** The oldest writes become durable, several at once as in a group commit. */
  async commit(atMost: number): Promise<void> {
    this.#isCommitting = true;
    const stores = this.#stores;
    for (const write of this.#writes.splice(0, atMost)) {
      this.#undo.length = 0;
      const happened = this.#happenings.length;
      try {
        const value = await write.work(stores);
        if (this.forgets()) {
          while (this.#undo.length > 0) this.#undo.pop()!();
          this.#happenings.length = happened;
        }
        this.#answers.push(() => write.resolve(value));
      } catch (error) {
        while (this.#undo.length > 0) this.#undo.pop()!();
        this.#happenings.length = happened;
        this.#answers.push(() => write.reject(error));
      }
    }
    const told = this.#happenings;
    this.#happenings = [];
    for (const happening of told) {
      this.#sequence += 1;
      for (const listener of this.#listeners) listener({ sequence: this.#sequence, at: new Date(0), happening });
    }
    this.#isCommitting = false;
  }

  /** Callers hear of their commits, in order. */
  answer(atMost: number): void {
    for (const answer of this.#answers.splice(0, atMost)) answer();
  }

  /** The server is dead: what waits is gone, and nobody listens. */
  die(): void {
    this.#writes = [];
    this.#answers = [];
    this.#listeners.clear();
  }

  #set<T>(map: Map<number, T>, id: number, value: T): void {
    const before = map.get(id);
    this.#undo.push(() => void (before === undefined ? map.delete(id) : map.set(id, before)));
    map.set(id, value);
  }

  #nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  #makeStores(): Stores {
    return {
      people: absent('people'),
      organisations: absent('organisations'),
      tokens: absent('tokens'),
      sessions: absent('sessions'),
      deviceLogins: absent('deviceLogins'),
      passwordLinks: absent('passwordLinks'),
      rateLimits: absent('rateLimits'),
      audit: absent('audit'),
      secrets: absent('secrets'),
      variables: { ...absentMethods<VariableStore>(), valuesFor: () => Promise.resolve({}) },
      registryLogins: absent('registryLogins'),
      gitLogins: absent('gitLogins'),
      idempotency: absent('idempotency'),
      settings: absent('settings'),
      projects: this.#projectStore(),
      crons: absent('crons'),
      cacheUses: absent('cacheUses'),
      artifacts: absent('artifacts'),
      webhooks: absent('webhooks'),
      incomingWebhooks: absent('incomingWebhooks'),
      events: this.#eventStore(),
      pipelines: this.#pipelineStore(),
      pullRequests: absent('pullRequests'),
      approvals: absent('approvals'),
      signingKeys: absent('signingKeys'),
      happenings: this.#happeningStore(),
    };
  }

  /** Whether nobody's verdict ended the pipeline, as its workflows now stand. */
  #isLost(pipelineId: number): boolean {
    const own = [...this.workflows.values()].filter((workflow) => workflow.pipelineId === pipelineId);
    return own.every(({ status }) => status !== 'cancelled') && own.some(({ status }) => status === 'infrastructure');
  }

  #projectStore(): ProjectStore {
    const find = (): Promise<Project> => Promise.resolve(this.project);
    return { ...absentMethods<ProjectStore>(), find, findBySlug: find };
  }

  #happeningStore(): HappeningStore {
    return {
      ...absentMethods<HappeningStore>(),
      append: (happenings) => {
        this.#happenings.push(...happenings);
        return Promise.resolve();
      },
    };
  }

  #eventStore(): EventStore {
    const all = (): Event[] => [...this.events.values()];
    return {
      ...absentMethods<EventStore>(),
      find: (id) => Promise.resolve(this.events.get(id)),
      create: (event) => {
        const known = all().find(({ key }) => key === event.key);
        if (known) return Promise.resolve({ event: known, isNew: false });
        const created: Event = { ...event, id: this.#nextId() };
        this.#set(this.events, created.id, created);
        return Promise.resolve({ event: created, isNew: true });
      },
      listUnplanned: (limit) =>
        Promise.resolve(
          all()
            .filter(({ plannedAt }) => !plannedAt)
            .slice(0, limit),
        ),
      markPlanned: (id, plannedAt, pipelineId, trace) => {
        const event = this.events.get(id)!;
        if (event.plannedAt) this.#violated(`event ${id} was planned twice`);
        this.#set(this.events, id, { ...event, plannedAt, ...(pipelineId === undefined ? {} : { pipelineId }) });
        this.#set(this.eventTraces, id, trace);
        return Promise.resolve();
      },
      trace: (id) => Promise.resolve(this.eventTraces.get(id) ?? []),
    };
  }

  #pipelineStore(): PipelineStore {
    const stepsOf = (workflowId: number, attempt: number): Step[] =>
      [...this.steps.values()].filter((step) => step.workflowId === workflowId && step.attempt === attempt);
    const workflowsOf = (pipelineId: number): Workflow[] =>
      [...this.workflows.values()].filter((workflow) => workflow.pipelineId === pipelineId);
    const createSteps = (workflow: Workflow): Step[] =>
      workflow.plan.steps.map((plan, position) => {
        const step: Step = {
          id: this.#nextId(),
          workflowId: workflow.id,
          pipelineId: workflow.pipelineId,
          attempt: workflow.attempt,
          position,
          name: plan.name,
          status: plan.skipped ? 'skipped' : 'waiting',
          ...(plan.skipped ? { reason: plan.skipped } : {}),
        };
        this.#set(this.steps, step.id, step);
        return step;
      });
    return {
      ...absentMethods<PipelineStore>(),
      find: (id) => Promise.resolve(this.pipelines.get(id)),
      findByNumber: (_, number) => Promise.resolve([...this.pipelines.values()].find((each) => each.number === number)),
      nextNumber: () => Promise.resolve(this.#lastNumber + 1),
      create: (pipeline, plan) => {
        if (pipeline.expectedNumber !== this.#lastNumber + 1) return Promise.resolve(undefined);
        const { expectedNumber: number, ...rest } = pipeline;
        const before = this.#lastNumber;
        this.#undo.push(() => {
          this.#lastNumber = before;
        });
        this.#lastNumber = number;
        const created: Pipeline = { ...rest, id: this.#nextId(), number };
        this.#set(this.pipelines, created.id, created);
        const workflows = plan.workflows.map((workflowPlan, position): Workflow => {
          const waits = workflowPlan.dependsOn.length > 0 || workflowPlan.blocked !== undefined;
          return {
            id: this.#nextId(),
            pipelineId: created.id,
            projectId: created.projectId,
            position,
            name: workflowPlan.name,
            status: waits ? 'blocked' : 'queued',
            attempt: 1,
            plan: workflowPlan,
            token: 0,
            ...(waits ? {} : { queuedAt: created.createdAt }),
          };
        });
        for (const workflow of workflows) this.#set(this.workflows, workflow.id, workflow);
        return Promise.resolve({ pipeline: created, workflows, steps: workflows.flatMap(createSteps) });
      },
      setStatus: (id, change) => {
        const { finishedAt, ...rest } = change;
        const next = { ...this.pipelines.get(id)!, ...rest };
        if (finishedAt !== undefined) Object.assign(next, { finishedAt: finishedAt ?? undefined });
        this.#set(this.pipelines, id, next);
        return Promise.resolve();
      },
      scheduleRetry: (id, dueAt) => {
        if (!this.#isLost(id)) this.#violated(`pipeline ${id} is to run again, and has a verdict or was cancelled`);
        this.#set(this.retries, id, dueAt);
        return Promise.resolve();
      },
      dueRetries: (at) => Promise.resolve([...this.retries].flatMap(([id, dueAt]) => (dueAt <= at ? [id] : []))),
      takeRetry: (id) => {
        const dueAt = this.retries.get(id);
        if (dueAt) this.#undo.push(() => void this.retries.set(id, dueAt));
        return Promise.resolve(this.retries.delete(id));
      },
      noteRerun: (workflowId, by) => {
        this.#set(this.reruns, workflowId, by);
        return Promise.resolve();
      },
      rerunBy: (workflowId) => Promise.resolve(this.reruns.get(workflowId)),
      findWorkflow: (id) => Promise.resolve(this.workflows.get(id)),
      workflows: (pipelineId) => Promise.resolve(workflowsOf(pipelineId)),
      openWorkflows: () => Promise.resolve([...this.workflows.values()].filter(({ status }) => !isFinished(status))),
      updateWorkflow: ({ id, ...change }) => {
        const before = this.workflows.get(id)!;
        const next = { ...before };
        for (const [key, value] of Object.entries(change))
          if (value !== undefined) Object.assign(next, { [key]: value ?? undefined });
        if (next.token < before.token) this.#violated(`the token of workflow ${id} went back`);
        if (isFinished(before.status) && next.status !== before.status && next.attempt === before.attempt)
          this.#violated(`workflow ${id} went from ${before.status} to ${next.status}`);
        this.#set(this.workflows, id, next);
        return Promise.resolve();
      },
      staleClaims: (claims) =>
        Promise.resolve(
          claims.flatMap(({ workflowId, attempt, token }) => {
            const now = this.workflows.get(workflowId);
            return now?.attempt === attempt && now.token === token ? [] : [workflowId];
          }),
        ),
      findStep: (id) => Promise.resolve(this.steps.get(id)),
      steps: (pipelineId) => Promise.resolve([...this.steps.values()].filter((step) => step.pipelineId === pipelineId)),
      stepsOf: (workflowId, attempt) => Promise.resolve(stepsOf(workflowId, attempt)),
      updateSteps: (changes) => {
        for (const { id, ...change } of changes) {
          const before = this.steps.get(id)!;
          if (isFinished(before.status) && change.status !== before.status)
            this.#violated(`step ${before.name} (${id}) went from ${before.status} to ${change.status}`);
          const workflow = this.workflows.get(before.workflowId)!;
          const mayStart =
            workflow.cancelledBy === undefined ||
            (!workflow.isCancelFinal && runsAfterCancel(workflow.plan.steps[before.position]!));
          if (change.status === 'starting' && before.status !== 'starting' && !mayStart)
            this.#violated(`step ${before.name} (${id}) was to start after the cancel`);
          const next = { ...before };
          for (const [key, value] of Object.entries(change))
            if (value !== undefined) Object.assign(next, { [key]: value });
          this.#set(this.steps, id, next);
        }
        return Promise.resolve();
      },
      createSteps: (workflow) => Promise.resolve(createSteps(workflow)),
      addTrace: () => Promise.resolve(),
      trace: () => Promise.resolve([]),
    };
  }
}

/** A store that nobody in the simulation may need. */
function absent<T extends object>(name: string): T {
  return new Proxy({} as T, {
    get() {
      throw new GantryError('DATABASE_FAILED', `Cannot use ${name}: the simulation has none`);
    },
  });
}

/** Methods that the simulation does not offer: calling one is a mistake of the simulation, and fails it. */
function absentMethods<T>(): T {
  return {} as T;
}

import { isFinished, type Outcome } from '../../src/core/pipeline.ts';
import type { RunnerLabels } from '../../src/core/routing.ts';
import type { RuntimeName, WithheldRuntime } from '../../src/core/runtime-choice.ts';
import { advance, type Effect, endedSteps, type Occurrence } from '../../src/engine/advance.ts';
import { initialWorkflow, type WorkflowState } from '../../src/engine/advance-state.ts';
import {
  type Assignment,
  type ClaimName,
  type Connection,
  protocolVersion,
  type ToRunner,
  type ToServer,
} from '../../src/engine/runner-protocol.ts';

/** What a step does: ends like this, or runs until the test says so. */
export type Script = (step: string, workflow: string, attempt: number) => Outcome | 'hold';

interface Job {
  readonly claim: ClaimName;
  readonly assignment: Assignment;
  state: WorkflowState;
  /** Starts that were asked for and not answered, by position. */
  readonly asked: Map<number, number>;
  /** Outcomes that the server has not acknowledged. */
  readonly unstored: Map<number, Extract<ToServer, { type: 'outcome' }>>;
  /** Highest number of each step's log, and the chunks that the server has not acknowledged. */
  readonly sequences: Map<number, number>;
  unstoredLogs: {
    readonly at: number;
    readonly sequence: number;
    readonly message: ToServer;
    readonly payload?: Buffer;
  }[];
  isDone: boolean;
}

/** Everything that ran, as an outsider would see it: what invariants are checked on. */
export interface Started {
  readonly workflowId: number;
  readonly attempt: number;
  readonly token: number;
  readonly stepId: number;
  readonly step: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly mask: readonly string[];
}

/** The secrets that a step's file names: without what every step may fetch its own project with. */
export function namedSecrets({ secrets }: Pick<Started, 'secrets'>): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => !name.startsWith('DRONE_NETRC_')));
}

export const passed: Outcome = { kind: 'exited', exitCode: 0 };
export const failed: Outcome = { kind: 'exited', exitCode: 1 };

/**
 * A runner within the process of the test: it speaks the protocol and drives `advance`, and its steps follow a script.
 * Nothing in it waits for time.
 */
export class ScriptedRunner {
  readonly id: string;
  readonly generation: string;
  readonly slots: number;
  readonly started: Started[] = [];
  readonly cancelled: string[] = [];
  readonly stale: ToRunner[] = [];
  readonly assigned: ClaimName[] = [];
  readonly assignments: Assignment[] = [];
  /** Images that it was told to fetch for workflows that wait. */
  readonly wishes: Extract<ToRunner, { type: 'fetch-images' }>[] = [];
  readonly #script: Script;
  #isDraining: boolean;
  #tellsOfDraining = false;
  readonly #runtimes: readonly RuntimeName[];
  readonly #withheld: readonly WithheldRuntime[];
  readonly #labels: RunnerLabels;
  readonly #isHasty: boolean;
  readonly #waitsToRise: boolean;
  readonly #isSilent: boolean;
  readonly #onAssigned: () => void;
  readonly #onStart: (started: Started) => void;
  readonly #onPrint: (stepId: number, text: string) => void;
  readonly #jobs = new Map<string, Job>();
  readonly #watchers: (() => void)[] = [];
  #connection: Connection<ToServer, ToRunner> | undefined;
  isWelcome = false;
  #requests = 0;
  isAlive = true;

  constructor(
    options: {
      id?: string;
      generation?: string;
      slots?: number;
      script?: Script;
      isDraining?: boolean;
      /** What it says that it runs steps on; whatever it is, they follow the script. */
      runtimes?: readonly RuntimeName[];
      /** What it says that it cannot run steps on for now. */
      withheld?: readonly WithheldRuntime[];
      labels?: RunnerLabels;
      /** A runner with a mistake: it opens the gate without being told that the start is recorded. */
      isHasty?: boolean;
      /** What runs beside the others is up only when the test says so. */
      waitsToRise?: boolean;
      /** Its steps print nothing, and it keeps no list of them: for measuring what an engine does. */
      isSilent?: boolean;
      onAssigned?: () => void;
      onStarted?: (started: Started) => void;
      onPrinted?: (stepId: number, text: string) => void;
    } = {},
  ) {
    this.id = options.id ?? 'r1';
    this.generation = options.generation ?? 'first';
    this.slots = options.slots ?? 10;
    this.#script = options.script ?? (() => passed);
    this.#isDraining = options.isDraining ?? false;
    this.#runtimes = options.runtimes ?? ['scripted'];
    this.#withheld = options.withheld ?? [];
    this.#labels = options.labels ?? { known: {}, own: {} };
    this.#isHasty = options.isHasty ?? false;
    this.#waitsToRise = options.waitsToRise ?? false;
    this.#isSilent = options.isSilent ?? false;
    this.#onAssigned = options.onAssigned ?? (() => {});
    this.#onStart = options.onStarted ?? (() => {});
    this.#onPrint = options.onPrinted ?? (() => {});
  }

  /** Steps that run now. */
  get running(): readonly string[] {
    const names: string[] = [];
    for (const { assignment, state } of this.#jobs.values())
      for (const [at, { status }] of state.steps.entries())
        if (status === 'running') names.push(assignment.plan.steps[at]!.name);
    return names;
  }

  /** Services and detached steps that the others still wait for. */
  get rising(): readonly string[] {
    const names: string[] = [];
    for (const { assignment, state } of this.#jobs.values())
      for (const [at, { status, isUp }] of state.steps.entries()) {
        const { background, name } = assignment.plan.steps[at]!;
        if (background && status === 'running' && !isUp) names.push(name);
      }
    return names;
  }

  /** Lets the others go on, because it answers or in spite of its silence. */
  rise(step: string, silence?: { readonly ports: string; readonly limitMs: number }): void {
    for (const job of this.#jobs.values()) {
      const at = job.assignment.plan.steps.findIndex(({ name }) => name === step);
      if (job.state.steps[at]?.status === 'running' && !job.state.steps[at].isUp) this.#rise(job, at, silence);
    }
  }

  #rise(job: Job, at: number, silence: { readonly ports: string; readonly limitMs: number } | undefined): void {
    this.#happen(job, { type: 'up', step: at, silence });
    const stepId = job.assignment.stepIds[at]!;
    if (silence) this.#send({ type: 'running', ...job.claim, stepId, silence });
  }

  get holds(): readonly ClaimName[] {
    return [...this.#jobs.values()].map(({ claim }) => claim);
  }

  connect(connection: Connection<ToServer, ToRunner>): void {
    this.#connection = connection;
    this.isWelcome = false;
    connection.onMessage((message) => {
      if (this.isAlive && this.#connection === connection) this.#hear(message);
    });
    connection.onClose(() => {
      if (this.#connection === connection) this.#connection = undefined;
    });
    connection.send({
      type: 'hello',
      protocol: protocolVersion,
      runnerId: this.id,
      generation: this.generation,
      slots: this.slots,
      ...(this.#tellsOfDraining ? { isDraining: true } : {}),
      labels: this.#labels.known,
      ownLabels: this.#labels.own,
      runtime: this.#runtimes[0] ?? 'scripted',
      runtimes: this.#runtimes,
      ...(this.#withheld.length > 0 ? { withheld: this.#withheld } : {}),
      holds: this.holds,
    });
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** The line is cut; what runs goes on. */
  disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Finishes what it has and takes nothing new; its next greeting says so. */
  drain(): void {
    this.#isDraining = true;
    this.#tellsOfDraining = true;
  }

  /** The process is gone, and its steps with it. */
  kill(): void {
    this.isAlive = false;
    this.disconnect();
    this.#jobs.clear();
  }

  /** Ends a running step. */
  end(step: string, outcome: Outcome = passed): void {
    for (const job of this.#jobs.values()) {
      const at = job.assignment.plan.steps.findIndex(({ name }) => name === step);
      if (job.state.steps[at]?.status === 'running') {
        this.#exit(job, at, outcome);
        return;
      }
    }
    throw new Error(`Cannot end the step ${step}: it does not run`);
  }

  /** Says again what was said: a line that repeats. */
  repeat(message: ToServer, payload?: Buffer): void {
    this.#send(message, payload);
  }

  print(step: string, text: string): void {
    for (const job of this.#jobs.values()) {
      const at = job.assignment.plan.steps.findIndex(({ name }) => name === step);
      if (job.state.steps[at]?.status === 'running') this.#print(job, at, text);
    }
  }

  /** Resolves when the predicate holds; asked again after each message. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#watchers.push(() => {
        if (holds()) resolve();
      });
    });
  }

  #send(message: ToServer, payload?: Buffer): void {
    // Until it is welcome everything waits: what is unanswered is said again then, in its order.
    if (this.isAlive && this.isWelcome) this.#connection?.send(message, payload);
  }

  #hear(message: ToRunner): void {
    switch (message.type) {
      case 'welcome':
        this.isWelcome = true;
        for (const claim of message.disowned) this.#jobs.delete(keyOf(claim));
        for (const job of this.#jobs.values()) this.#resend(job);
        break;
      case 'assign':
        this.#take(message, message.assignment);
        break;
      case 'fetch-images':
        this.wishes.push(message);
        break;
      case 'started':
        this.#onStarted(message);
        break;
      case 'stale':
        this.stale.push(message);
        this.#jobs.delete(keyOf(message));
        break;
      case 'log-stored':
        this.#onLogStored(message);
        break;
      case 'outcome-stored': {
        const job = this.#jobs.get(keyOf(message));
        const at = job?.assignment.stepIds.indexOf(message.stepId) ?? -1;
        job?.unstored.delete(at);
        if (job) this.#sayDone(job);
        break;
      }
      case 'released':
        this.#jobs.delete(keyOf(message));
        break;
      case 'cancel': {
        const job = this.#jobs.get(keyOf(message));
        if (job)
          this.#happen(job, { type: 'cancelled', by: message.by, cause: message.cause, isFinal: message.isFinal });
        break;
      }
      case 'drain':
        break;
    }
    for (const watch of this.#watchers) watch();
  }

  #take(claim: ClaimName, assignment: Assignment): void {
    const key = keyOf(claim);
    if (this.#jobs.has(key)) return;
    const { workflowId, attempt, token } = claim;
    this.assigned.push({ workflowId, attempt, token });
    if (!this.#isSilent) this.assignments.push(assignment);
    this.#onAssigned();
    if (this.#isDraining) {
      this.#send({ type: 'returned', workflowId, attempt, token, reason: 'draining' });
      return;
    }
    const job: Job = {
      claim: { workflowId, attempt, token },
      assignment,
      state: initialWorkflow(assignment.plan),
      asked: new Map(),
      unstored: new Map(),
      sequences: new Map(),
      unstoredLogs: [],
      isDone: false,
    };
    this.#jobs.set(key, job);
    this.#happen(job, { type: 'claimed' });
  }

  #happen(job: Job, occurrence: Occurrence): void {
    const before = job.state;
    const { workflow, effects } = advance(before, occurrence);
    job.state = workflow;
    for (const at of endedSteps(before, workflow)) this.#report(job, at);
    for (const effect of effects) this.#do(job, effect);
  }

  #do(job: Job, effect: Effect): void {
    switch (effect.type) {
      case 'release':
        this.#requests += 1;
        job.asked.set(effect.step, this.#requests);
        this.#send({
          type: 'start',
          ...job.claim,
          stepId: job.assignment.stepIds[effect.step]!,
          request: this.#requests,
        });
        if (this.#isHasty) this.#open(job, effect.step, { environment: {}, secrets: {}, mask: [] });
        return;
      case 'discard':
        job.asked.delete(effect.step);
        return;
      case 'cancel':
        this.cancelled.push(job.assignment.plan.steps[effect.step]!.name);
        this.#exit(job, effect.step, { kind: 'cancelled', reason: effect.reason });
        return;
      case 'finish':
        job.isDone = true;
        this.#sayDone(job);
        return;
      default:
        return;
    }
  }

  #onStarted(message: Extract<ToRunner, { type: 'started' }>): void {
    const job = this.#jobs.get(keyOf(message));
    if (!job) return;
    const at = job.assignment.stepIds.indexOf(message.stepId);
    if (job.asked.get(at) !== message.request) return;
    this.#open(job, at, message);
  }

  #open(job: Job, at: number, given: Pick<Started, 'environment' | 'secrets' | 'mask'>): void {
    job.asked.delete(at);
    const { name, background } = job.assignment.plan.steps[at]!;
    const stepId = job.assignment.stepIds[at]!;
    const { environment, secrets, mask } = given;
    const started: Started = { ...job.claim, stepId, step: name, environment, secrets, mask };
    if (!this.#isSilent) this.started.push(started);
    this.#onStart(started);
    this.#happen(job, { type: 'started', step: at, atMs: 0 });
    this.#send({ type: 'running', ...job.claim, stepId });
    if (!this.#isSilent) this.#print(job, at, `${name} says hello\n`);
    if (background && !this.#waitsToRise) this.#happen(job, { type: 'up', step: at });
    const outcome = this.#script(name, job.assignment.plan.name, job.claim.attempt);
    if (outcome !== 'hold') this.#exit(job, at, outcome);
  }

  #exit(job: Job, at: number, outcome: Outcome): void {
    if (!this.#isSilent) {
      const sequence = this.#nextSequence(job, at);
      const stepId = job.assignment.stepIds[at]!;
      this.#keep(job, at, { type: 'log-end', ...job.claim, stepId, sequence, isCut: false });
    }
    this.#happen(job, { type: 'exited', step: at, outcome, atMs: 0 });
    this.#happen(job, { type: 'output-ended', step: at, atMs: 0 });
  }

  #print(job: Job, at: number, text: string): void {
    const sequence = this.#nextSequence(job, at);
    const stepId = job.assignment.stepIds[at]!;
    const message = { type: 'log', ...job.claim, stepId, sequence, stream: 'stdout', atMs: 0 } as const;
    this.#onPrint(stepId, text);
    this.#keep(job, at, message, Buffer.from(text));
  }

  #nextSequence(job: Job, at: number): number {
    const sequence = (job.sequences.get(at) ?? 0) + 1;
    job.sequences.set(at, sequence);
    return sequence;
  }

  #keep(job: Job, at: number, message: Extract<ToServer, { type: 'log' | 'log-end' }>, payload?: Buffer): void {
    job.unstoredLogs.push({ at, sequence: message.sequence, message, ...(payload ? { payload } : {}) });
    this.#send(message, payload);
  }

  #onLogStored({ stepId, sequence, ...claim }: Extract<ToRunner, { type: 'log-stored' }>): void {
    const job = this.#jobs.get(keyOf(claim));
    if (!job) return;
    const at = job.assignment.stepIds.indexOf(stepId);
    job.unstoredLogs = job.unstoredLogs.filter((each) => each.at !== at || each.sequence > sequence);
    this.#sayDone(job);
  }

  #report(job: Job, at: number): void {
    const step = job.state.steps[at]!;
    const message: Extract<ToServer, { type: 'outcome' }> = {
      type: 'outcome',
      ...job.claim,
      stepId: job.assignment.stepIds[at]!,
      status: step.status,
      outcome: step.outcome,
      reason: step.reason,
    };
    job.unstored.set(at, message);
    this.#send(message);
  }

  #sayDone(job: Job): void {
    const isTold = job.unstored.size === 0 && job.unstoredLogs.length === 0;
    if (job.isDone && isTold && isFinished(job.state.status)) this.#send({ type: 'done', ...job.claim });
  }

  /** After a new greeting everything unanswered is said again. */
  #resend(job: Job): void {
    for (const { message, payload } of job.unstoredLogs) this.#send(message, payload);
    for (const [at, request] of job.asked)
      this.#send({ type: 'start', ...job.claim, stepId: job.assignment.stepIds[at]!, request });
    job.state.steps.forEach(({ status }, at) => {
      if (status === 'running') this.#send({ type: 'running', ...job.claim, stepId: job.assignment.stepIds[at]! });
    });
    for (const message of job.unstored.values()) this.#send(message);
    this.#sayDone(job);
  }
}

function keyOf({ workflowId, attempt, token }: ClaimName): string {
  return `${workflowId}/${attempt}/${token}`;
}

import type { Person } from '../../../src/core/person.ts';
import { isFinished, type Outcome } from '../../../src/core/pipeline.ts';
import { defaultPipelineSettings } from '../../../src/core/pipeline-settings.ts';
import type { Project } from '../../../src/core/project.ts';
import { endOf, pipelineStatusOf } from '../../../src/engine/level-status.ts';
import type { ToRunner, ToServer } from '../../../src/engine/runner-protocol.ts';
import { type PipelinesFeature, pipelinesFeature } from '../../../src/features/pipelines/index.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { requestOf } from '../request-of.ts';
import { failed, passed, ScriptedRunner, type Started } from '../scripted-runner.ts';
import { Random } from './random.ts';
import { randomPlan, simulatedGroups } from './random-plan.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedLine } from './simulated-line.ts';
import { SimulatedLogs } from './simulated-logs.ts';
import { SimulatedStore } from './simulated-store.ts';

export interface SimulationOptions {
  /** How many things happen while everything may go wrong. */
  readonly chaosActions?: number;
  /** A mistake to plant, so that the simulation is seen to find it. */
  readonly sabotage?: 'store-forgets' | 'gate-opens-unrecorded';
}

export interface SimulationReport {
  readonly actions: number;
  readonly pipelines: number;
  readonly serverDeaths: number;
  readonly runnerDeaths: number;
  readonly started: number;
}

type Line = SimulatedLine<ToServer, ToRunner>;

interface SimulatedRunner {
  readonly runner: ScriptedRunner;
  line: Line | undefined;
  /** Stopped by SIGSTOP: its socket is open, its heartbeats stay away. */
  isPaused: boolean;
}

const leaseMs = 30_000;
const calmActionsLimit = 20_000;

const person: Person = {
  id: 1,
  name: 'mei',
  displayName: 'Mei',
  email: '',
  isSiteAdmin: false,
  createdAt: new Date(0),
};
const project: Project = {
  id: 1,
  ownerId: 1,
  ownerName: 'mei',
  name: 'shop',
  description: '',
  visibility: 'private',
  defaultBranch: 'main',
  protectedRefs: [],
  stepTimeoutMs: 3_600_000,
  pipelines: defaultPipelineSettings,
  createdAt: new Date(0),
};
const request = requestOf(person);

/**
 * Runs one world from its seed: the real pipelines feature and the real state machine over a store, logs, lines and
 * runners that a scheduler moves one step at a time, in an order, and with deaths, cuts, delays and repetitions, that
 * follow from the seed. Afterwards everything is let to work, and what must hold after every fault is checked. Throws
 * with the seed and what had happened; the same seed happens again in the same way.
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationReport> {
  const simulation = new Simulation(seed, options);
  try {
    await simulation.run(options.chaosActions ?? 150);
    simulation.check();
  } catch (error) {
    const story = simulation.story.slice(-60).join('\n  ');
    throw new Error(`Seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n  ${story}`, {
      cause: error,
    });
  }
  return simulation.report();
}

class Simulation {
  readonly story: string[] = [];
  readonly #random: Random;
  readonly #planSeed: number;
  readonly #sabotage: SimulationOptions['sabotage'];
  readonly #clock = new SimulatedClock();
  readonly #store: SimulatedStore;
  readonly #logs = new SimulatedLogs();
  readonly #runners: SimulatedRunner[] = [];
  readonly #started: Started[] = [];
  /** What each step printed, whoever heard it. */
  readonly #printed = new Map<number, string>();
  /** Keys of events whose author was told that they are stored. */
  readonly #acknowledged = new Set<string>();
  readonly #violations: string[] = [];
  #feature: PipelinesFeature | undefined;
  #actions = 0;
  #pushes = 0;
  #generations = 0;
  #serverDeaths = 0;
  #runnerDeaths = 0;

  constructor(seed: number, options: SimulationOptions) {
    this.#random = new Random(seed);
    this.#planSeed = seed;
    this.#sabotage = options.sabotage;
    this.#store = new SimulatedStore(project, (message) => this.#violations.push(message));
    if (options.sabotage === 'store-forgets') this.#store.forgets = () => this.#random.chance(0.02);
  }

  async run(chaosActions: number): Promise<void> {
    await this.#startServer();
    for (const id of ['r1', 'r2']) this.#startRunner(id);
    for (let at = 0; at < chaosActions; at += 1) await this.#act(true);
    await this.#calm();
  }

  report(): SimulationReport {
    return {
      actions: this.#actions,
      pipelines: this.#store.pipelines.size,
      serverDeaths: this.#serverDeaths,
      runnerDeaths: this.#runnerDeaths,
      started: this.#started.length,
    };
  }

  /** I2–I5 of reliability-security 7, and that each level's state follows from its children. */
  check(): void {
    const { events, pipelines, workflows, steps } = this.#store;
    for (const violation of this.#violations) throw new Error(violation);
    for (const key of this.#acknowledged)
      expectThat(
        [...events.values()].some((event) => event.key === key),
        `the acknowledged event ${key} is lost`,
      );
    for (const event of events.values()) {
      const own = [...pipelines.values()].filter(({ eventId }) => eventId === event.id);
      expectThat(event.plannedAt !== undefined, `event ${event.id} was never planned`);
      expectThat(own.length === 1, `event ${event.id} has ${own.length} pipelines`);
    }
    const numbers = [...pipelines.values()].map(({ number }) => number);
    expectThat(new Set(numbers).size === numbers.length, 'a number was given twice');
    for (const pipeline of pipelines.values()) {
      const own = [...workflows.values()].filter(({ pipelineId }) => pipelineId === pipeline.id);
      expectThat(isFinished(pipeline.status), `pipeline ${pipeline.number} is ${pipeline.status}`);
      expectThat(
        pipelineStatusOf(own) === pipeline.status,
        `pipeline ${pipeline.number} does not follow from its workflows`,
      );
    }
    for (const workflow of workflows.values()) {
      expectThat((workflow.retries ?? 0) <= 2, `workflow ${workflow.id} ran again ${workflow.retries} times by itself`);
      const own = [...steps.values()].filter(
        (step) => step.workflowId === workflow.id && step.attempt === workflow.attempt,
      );
      const end = endOf(
        own.map(({ status, position }) => ({
          status,
          isIgnored: workflow.plan.steps[position]!.onFailure === 'ignore',
        })),
        { isCancelled: workflow.cancelledBy !== undefined && workflow.cancelCause?.kind !== 'step-failed' },
      );
      expectThat(
        end === workflow.status || (workflow.status === 'skipped' && end === 'passed'),
        `workflow ${workflow.name} (${workflow.id}) is ${workflow.status}, its steps say ${end}`,
      );
    }
    this.#checkSteps();
    this.#checkServices();
    this.#checkLogs();
  }

  /** At no moment does the record have more of a concurrency group at work than its limit. */
  #checkGroups(): void {
    const atWork = [...this.#store.workflows.values()].filter(
      ({ status }) => status === 'claimed' || status === 'running',
    );
    for (const { group, limit } of simulatedGroups) {
      const count = atWork.filter(({ plan }) => plan.concurrency?.group === group).length;
      if (count > limit)
        this.#violations.push(`${count} workflows of the group "${group}" are at work, and may be ${limit}`);
    }
  }

  #checkSteps(): void {
    const runs = new Map<number, number>();
    for (const { stepId } of this.#started) runs.set(stepId, (runs.get(stepId) ?? 0) + 1);
    for (const [stepId, count] of runs) expectThat(count === 1, `step ${stepId} ran ${count} times`);
    for (const step of this.#store.steps.values()) {
      expectThat(isFinished(step.status), `step ${step.name} (${step.id}) is ${step.status}`);
      if (step.status === 'passed') expectThat(runs.has(step.id), `step ${step.id} passed and never ran`);
      if (step.status === 'skipped' || step.status === 'cancelled')
        expectThat(step.reason !== undefined, `step ${step.id} is ${step.status} without a reason`);
      if (step.status === 'skipped') expectThat(!runs.has(step.id), `step ${step.id} ran and is skipped`);
    }
  }

  /** No step runs before what it needs beside it has started or ended, and nobody's verdict makes a success. */
  #checkServices(): void {
    const startedAt = new Map(this.#started.map(({ stepId }, at) => [stepId, at]));
    for (const step of this.#store.steps.values()) {
      const workflow = this.#store.workflows.get(step.workflowId)!;
      const own = [...this.#store.steps.values()].filter(
        (other) => other.workflowId === step.workflowId && other.attempt === step.attempt,
      );
      if (step.outcome?.kind === 'infrastructure') {
        expectThat(
          step.status === 'infrastructure' || step.status === 'cancelled',
          `step ${step.id} was lost and is ${step.status}`,
        );
        if (workflow.attempt === step.attempt)
          expectThat(workflow.status !== 'passed', `workflow ${workflow.id} passed, and its step ${step.id} was lost`);
      }
      const began = startedAt.get(step.id);
      if (began === undefined) continue;
      for (const other of own) {
        const { background } = workflow.plan.steps[other.position]!;
        if (!background || !workflow.plan.steps[step.position]!.dependsOn.includes(other.name)) continue;
        const before = startedAt.get(other.id);
        expectThat(
          before === undefined ? isFinished(other.status) : before < began,
          `step ${step.id} began before ${other.name}, which it needs beside it`,
        );
      }
    }
  }

  #checkLogs(): void {
    for (const [stepId, log] of this.#logs.durable) {
      log.chunks.forEach(({ sequence }, at) =>
        expectThat(sequence === at + 1, `the log of step ${stepId} has ${sequence} where ${at + 1} belongs`),
      );
      expectThat(log.isEnded, `the log of step ${stepId} has no end mark`);
    }
    for (const { stepId, step } of this.#started) {
      const recorded = this.#store.steps.get(stepId)!;
      const workflow = this.#store.workflows.get(recorded.workflowId)!;
      const text =
        this.#logs.durable
          .get(stepId)
          ?.chunks.map(({ bytes }) => bytes.toString())
          .join('') ?? '';
      const printed = this.#printed.get(stepId) ?? '';
      expectThat(printed.startsWith(text), `the log of step ${stepId} (${step}) says what nobody printed: ${text}`);
      // Of a workflow that came to its own end everything was waited for; of one that was lost, what had arrived is kept.
      const isOwnEnd = workflow.status === 'passed' || workflow.status === 'failed';
      if (workflow.attempt === recorded.attempt && isOwnEnd)
        expectThat(text === printed, `the log of step ${stepId} (${step}) is not whole: ${text}`);
    }
  }

  /** One thing that may happen now. In chaos everything may; afterwards only what helps. */
  async #act(isChaos: boolean): Promise<boolean> {
    const possible = this.#possible(isChaos);
    if (possible.length === 0) return false;
    const [name, act] = weighted(this.#random, possible);
    this.story.push(name);
    this.#actions += 1;
    await act();
    await quiet();
    this.#checkGroups();
    if (this.#violations.length > 0) throw new Error(this.#violations[0]);
    return true;
  }

  #possible(isChaos: boolean): Possible[] {
    const random = this.#random;
    const list: Possible[] = [];
    const add = (weight: number, name: string, act: () => void | Promise<void>): void => {
      list.push({ weight, name, act });
    };
    const upTo = (count: number): number => 1 + random.below(count);

    if (this.#store.waitingWrites > 0) add(8, 'commit', () => this.#store.commit(upTo(4)));
    if (this.#store.waitingAnswers > 0) add(8, 'answer', () => this.#store.answer(upTo(4)));
    if (this.#logs.waiting > 0) add(6, 'sync logs', () => this.#logs.sync(upTo(3)));
    for (const simulated of this.#runners) this.#addRunner(add, simulated, isChaos);
    if (!this.#feature) add(isChaos ? 2 : 20, 'server starts', () => this.#startServer());
    if (!isChaos) return list;

    add(1.5, 'time', () => this.#passTime(random.pick([100, 2_000, 12_000, 45_000])));
    if (!this.#feature) return list;
    add(1.5, 'push', () => this.#push());
    add(0.7, 'start by hand', () => this.#startByHand());
    if (this.#store.pipelines.size > 0) {
      const numbers = [...this.#store.pipelines.values()].map(({ number }) => number);
      add(0.6, 'cancel', () => this.#cancel(random.pick(numbers)));
      add(0.6, 'rerun', () => this.#rerun(random.pick(numbers)));
    }
    add(0.5, 'server dies', () => this.#killServer());
    return list;
  }

  #addRunner(
    add: (weight: number, name: string, act: () => void | Promise<void>) => void,
    simulated: SimulatedRunner,
    isChaos: boolean,
  ): void {
    const { runner, line } = simulated;
    const { id } = runner;
    const isTwice = (): boolean => isChaos && this.#random.chance(0.05);
    if (!runner.isAlive) {
      add(isChaos ? 1 : 10, `${id} is started anew`, () => this.#replaceRunner(simulated));
      return;
    }
    if (line && !line.isCut) {
      if (line.waitingAtA > 0) add(6, `server hears ${id}`, () => line.deliverToA(isTwice()));
      if (line.waitingAtB > 0 && !simulated.isPaused) add(6, `${id} hears`, () => line.deliverToB(isTwice()));
      if (isChaos) add(0.3, `line of ${id} is cut`, () => line.cut());
    } else if (this.#feature && !simulated.isPaused) add(4, `${id} calls`, () => this.#connect(simulated));
    if (!simulated.isPaused)
      for (const step of new Set(runner.rising))
        add(3, `${id} has ${step} up`, () =>
          runner.rise(step, this.#random.chance(0.2) ? { ports: '5432', limitMs: 60_000 } : undefined),
        );
    if (!simulated.isPaused)
      for (const step of new Set(runner.running))
        add(2, `${id} ends ${step}`, () => {
          if (this.#random.chance(0.4)) runner.print(step, `${step} goes on\n`);
          runner.end(step, this.#outcome());
        });
    if (simulated.isPaused)
      add(isChaos ? 1 : 10, `${id} wakes`, () => {
        simulated.isPaused = false;
      });
    if (!isChaos) return;
    if (!simulated.isPaused)
      add(0.2, `${id} is paused`, () => {
        simulated.isPaused = true;
      });
    add(0.25, `${id} dies`, () => {
      this.#runnerDeaths += 1;
      runner.kill();
      line?.cut();
    });
  }

  #outcome(): Outcome {
    const dice = this.#random.next();
    if (dice < 0.7) return passed;
    if (dice < 0.85) return failed;
    if (dice < 0.9) return { kind: 'exited', exitCode: 78 };
    return dice < 0.95 ? { kind: 'killed', signal: 'SIGKILL' } : { kind: 'infrastructure', message: 'disk gone' };
  }

  /** Nothing goes wrong any more: everything that was begun has to come to its end. */
  async #calm(): Promise<void> {
    this.story.push('— calm —');
    for (let at = 0; at < calmActionsLimit; at += 1) {
      if (await this.#act(false)) continue;
      if (this.#isOver()) return;
      this.#passTime(2_000);
      await quiet();
    }
    throw new Error(`nothing ends: ${this.#whatIsOpen()}`);
  }

  #isOver(): boolean {
    const { events, pipelines } = this.#store;
    return (
      [...events.values()].every(({ plannedAt }) => plannedAt) &&
      [...pipelines.values()].every(({ status }) => isFinished(status)) &&
      this.#store.retries.size === 0 &&
      this.#runners.every(({ runner }) => runner.holds.length === 0)
    );
  }

  #whatIsOpen(): string {
    const { events, steps, workflows } = this.#store;
    return JSON.stringify({
      events: [...events.values()].filter(({ plannedAt }) => !plannedAt).map(({ id }) => id),
      workflows: [...workflows.values()]
        .filter(({ status }) => !isFinished(status))
        .map(({ id, status, runnerId, token }) => ({ id, status, runnerId, token })),
      steps: [...steps.values()].filter(({ status }) => !isFinished(status)).map(({ id, status }) => ({ id, status })),
      holds: this.#runners.map(({ runner }) => runner.holds),
    });
  }

  #passTime(ms: number): void {
    for (let left = ms; left > 0; left -= 10_000) {
      // A heartbeat has a thread and a line of its own: it comes while the process runs.
      for (const { runner, isPaused } of this.#runners)
        if (runner.isAlive && !isPaused) this.#feature?.noteHeartbeat(runner.id);
      this.#clock.advanceBy(Math.min(left, 10_000));
    }
  }

  async #startServer(): Promise<void> {
    const { unitOfWork, happenings } = this.#store.connect();
    const feature = pipelinesFeature({
      unitOfWork,
      happenings,
      repository: {
        resolve: () => Promise.resolve({ commit: 'c'.repeat(40), ref: 'refs/heads/main' }),
        commit: () => Promise.resolve(undefined),
        readFile: () => Promise.resolve(undefined),
        listFolder: () => Promise.resolve(undefined),
        changedPaths: () => Promise.resolve(undefined),
        diffOf: () => Promise.resolve(undefined),
        mergeBase: () => Promise.resolve(undefined),
        folder: () => '/repositories/1.git',
      },
      compiler: {
        // The same event has the same plan, however often it is compiled.
        compile: (input) => {
          const plan = randomPlan(new Random(this.#planSeed * 1_000 + Number(input.event.before.slice(0, 8))));
          return Promise.resolve({ kind: 'planned', plan, trace: [] });
        },
        lint: () => Promise.reject(new Error('nothing is linted here')),
        resolve: () => Promise.reject(new Error('nothing is resolved here')),
      },
      secrets: {
        list: () => Promise.resolve([]),
        reveal: () => Promise.resolve({ forStep: () => new Map() }),
        keyFor: (purpose) => Buffer.from(purpose),
        signingKey: () => Promise.resolve(undefined),
        importedKey: () => Promise.resolve(undefined),
        openEncrypted: () => Promise.resolve([]),
        listLogins: () => Promise.resolve([]),
        maskValues: () => Promise.resolve([]),
        registries: () => Promise.resolve([]),
      },
      logs: this.#logs,
      clock: this.#clock,
      timers: this.#clock,
      logger: silentLogger,
      publicUrl: () => 'http://gantry.test',
      config: { leaseMs },
    });
    this.#feature = feature;
    void feature.start();
    await quiet();
  }

  #killServer(): void {
    this.#serverDeaths += 1;
    this.#feature = undefined;
    this.#store.die();
    this.#logs.die();
    this.#clock.forgetTimers();
    for (const { line } of this.#runners) line?.cut();
  }

  #startRunner(id: string): void {
    this.#runners.push({ runner: this.#newRunner(id), line: undefined, isPaused: false });
  }

  #replaceRunner(simulated: SimulatedRunner): void {
    simulated.line?.cut();
    this.#runners[this.#runners.indexOf(simulated)] = {
      runner: this.#newRunner(simulated.runner.id),
      line: undefined,
      isPaused: false,
    };
  }

  #newRunner(id: string): ScriptedRunner {
    this.#generations += 1;
    return new ScriptedRunner({
      waitsToRise: true,
      id,
      generation: `g${this.#generations}`,
      slots: 1 + this.#random.below(3),
      script: () => 'hold',
      isHasty: this.#sabotage === 'gate-opens-unrecorded',
      onStarted: (started) => this.#noteStarted(started),
      onPrinted: (stepId, text) => this.#printed.set(stepId, (this.#printed.get(stepId) ?? '') + text),
    });
  }

  #noteStarted(started: Started): void {
    this.#started.push(started);
    const { status } = this.#store.steps.get(started.stepId)!;
    if (status === 'waiting' || status === 'ready')
      this.#violations.push(`step ${started.stepId} runs and the record says ${status}`);
  }

  #connect(simulated: SimulatedRunner): void {
    const line: Line = new SimulatedLine();
    simulated.line = line;
    this.#feature!.acceptRunner(line.a);
    simulated.runner.connect(line.b);
  }

  #push(): void {
    this.#pushes += 1;
    const key = `push:${this.#pushes}`;
    const before = String(this.#pushes).padStart(8, '0').padEnd(40, '0');
    const { unitOfWork } = this.#store.connect();
    const ref = 'refs/heads/main';
    const after = 'c'.repeat(40);
    const at = this.#clock.now();
    void unitOfWork
      .write(async (stores) => {
        const { event } = await stores.events.create({
          projectId: project.id,
          kind: 'push',
          key,
          ref,
          before,
          after,
          personName: person.name,
          personId: person.id,
          parameters: {},
          createdAt: at,
        });
        await stores.happenings.append(
          [{ type: 'push-received', projectId: project.id, eventId: event.id, ref, after }],
          at,
        );
      })
      .then(() => this.#acknowledged.add(key));
  }

  #startByHand(): void {
    const idempotencyKey = `k${this.#random.below(4)}`;
    const params = { owner: 'mei', project: 'shop' };
    this.#ask(
      this.#feature!.operations!.startPipeline!(
        { params, query: undefined, body: { parameters: {} } },
        { ...request, idempotencyKey },
      ).then(() => this.#acknowledged.add(`manual:1:1:${idempotencyKey}`)),
    );
  }

  #cancel(number: number): void {
    const params = { owner: 'mei', project: 'shop', number };
    this.#ask(this.#feature!.operations!.cancelPipeline!({ params, query: undefined, body: undefined }, request));
  }

  #rerun(number: number): void {
    const params = { owner: 'mei', project: 'shop', number };
    const only = this.#random.pick(['all', 'failed'] as const);
    this.#ask(this.#feature!.operations!.rerunPipeline!({ params, query: undefined, body: { only } }, request));
  }

  /** Refusals are answers; anything else is a bug. */
  #ask(answer: Promise<unknown>): void {
    answer.catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === undefined) this.#violations.push(`a request ended with ${String(error)}`);
    });
  }
}

interface Possible {
  readonly weight: number;
  readonly name: string;
  readonly act: () => void | Promise<void>;
}

function weighted(random: Random, list: readonly Possible[]): [string, () => void | Promise<void>] {
  let at = random.next() * list.reduce((sum, { weight }) => sum + weight, 0);
  for (const { weight, name, act } of list) {
    at -= weight;
    if (at < 0) return [name, act];
  }
  const last = list.at(-1)!;
  return [last.name, last.act];
}

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** Everything that can go on without the scheduler has gone on: all of it is promises. */
function quiet(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

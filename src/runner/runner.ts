import { GantryError } from '../core/errors.ts';
import type { RuntimeName, WithheldRuntime } from '../core/runtime-choice.ts';
import type { Runtime, StepLimits } from '../drivers/runtime/runtime.ts';
import {
  type Assignment,
  type ClaimName,
  type Connection,
  protocolVersion,
  type ToRunner,
  type ToServer,
} from '../engine/runner-protocol.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Timers } from '../lib/timers.ts';
import type { BuildPlace } from './build-step.ts';
import { Claim } from './claim.ts';
import { ImageFetcher } from './image-fetcher.ts';
import { OutputBudget, type OutputBudgetLimits } from './output-budget.ts';

export type ServerConnection = Connection<ToServer, ToRunner>;

export interface RunnerOptions {
  /** Calls the server. Rejects when nobody answers; the runner tries again. */
  readonly connect: () => Promise<ServerConnection>;
  readonly runtime: Runtime;
  /** Further ones, by name; a workflow runs on the one that the server names, `runtime` where it names none. */
  readonly furtherRuntimes?: readonly Runtime[];
  /** What it was asked to run steps on and cannot for now; `offer` says so later. */
  readonly withheld?: readonly WithheldRuntime[];
  /** Steps that may run at once. */
  readonly slots: number;
  readonly runnerId: string;
  /** pid, start time and boot id of this process. */
  readonly generation: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Those that it was given, beside those that it has by itself. */
  readonly ownLabels?: Readonly<Record<string, string>>;
  readonly stepLimits?: StepLimits;
  /** What builds images; absent = steps that build any fail. The runner closes it when it leaves. */
  readonly build?: BuildPlace | undefined;
  /** What no log may show, whatever the workflow: credentials of the installation's proxy and mirrors. */
  readonly alwaysMasked?: readonly string[];
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs?: number;
  /** How long a service may stay silent before the steps go on without it; absent = one minute. */
  readonly serviceReadyLimitMs?: number | undefined;
  readonly outputLimits?: OutputBudgetLimits;
  /** An idle runner without a server leaves after this time. Absent = it stays. */
  readonly leaveAfterMs?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Told the lease of each greeting: heartbeats go by it. */
  readonly onWelcome?: (leaseMs: number) => void;
}

export interface Runner {
  /** Takes nothing new, finishes what it has, then leaves. */
  drain(): void;
  /**
   * Runs steps on these from now on, the first one where nothing else is said, and tells its server. What runs goes on
   * where it is. It closes all that it was ever given when it leaves.
   */
  offer(runtimes: readonly [Runtime, ...Runtime[]], withheld: readonly WithheldRuntime[]): void;
  /** Ends everything now and leaves. What ran is reported by nobody: its server finds it lost. */
  stop(): Promise<void>;
  /** Resolves when it has left. */
  readonly left: Promise<void>;
  readonly claims: readonly ClaimName[];
  /** Output that is kept in memory because the server does not have it yet. */
  readonly keptBytes: number;
}

const reconnectMs = { first: 50, most: 2_000 };
const reapEveryMs = 60_000;
const returnAfterMs = 500;

/** Starts to run steps for a server: calls it, takes workflows from it, and calls again whenever the line breaks. */
export function startRunner(options: RunnerOptions): Runner {
  const runner = new ConnectedRunner(options);
  runner.start();
  return runner;
}

class ConnectedRunner implements Runner {
  readonly left: Promise<void>;
  readonly #options: RunnerOptions;
  readonly #budget: OutputBudget;
  readonly #claims = new Map<string, Claim>();
  readonly #fetcher: ImageFetcher;
  #runtimes: readonly [Runtime, ...Runtime[]];
  #withheld: readonly WithheldRuntime[];
  /** Those that are not offered any more too: jobs may still be there. */
  readonly #everOffered = new Set<Runtime>();
  /** Workflows that are given back before long. */
  readonly #returns = new Set<() => void>();
  #connection: ServerConnection | undefined;
  /** Greeted on the present line: until then nothing but the greeting is sent. */
  #isWelcome = false;
  #isDraining = false;
  #hasLeft = false;
  #attempts = 0;
  #settle: () => void = () => {};
  #takeBackLeave: (() => void) | undefined;
  #takeBackReap: (() => void) | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#budget = new OutputBudget(options.outputLimits);
    this.#fetcher = new ImageFetcher(options.logger);
    this.#runtimes = [options.runtime, ...(options.furtherRuntimes ?? [])];
    this.#withheld = options.withheld ?? [];
    for (const runtime of this.#runtimes) this.#everOffered.add(runtime);
    this.left = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get claims(): readonly ClaimName[] {
    return [...this.#claims.values()].map(({ name }) => name);
  }

  get keptBytes(): number {
    return this.#budget.totalBytes;
  }

  start(): void {
    void this.#connect();
    void this.#reap();
    this.#considerLeaving();
  }

  drain(): void {
    this.#isDraining = true;
    this.#leaveIfDone();
  }

  offer(runtimes: readonly [Runtime, ...Runtime[]], withheld: readonly WithheldRuntime[]): void {
    this.#runtimes = runtimes;
    this.#withheld = withheld;
    for (const runtime of runtimes) this.#everOffered.add(runtime);
    // The greeting says what there is: it calls again, as after any break of the line.
    this.#connection?.close();
  }

  async stop(): Promise<void> {
    for (const claim of this.#claims.values()) claim.disown();
    await Promise.all([...this.#claims.values()].map(({ released }) => released));
    await this.#leave();
  }

  async #connect(): Promise<void> {
    const { logger, timers } = this.#options;
    try {
      const connection = await this.#options.connect();
      if (this.#hasLeft) {
        connection.close();
        return;
      }
      this.#use(connection);
    } catch (error) {
      this.#attempts += 1;
      if (this.#attempts === 1 || this.#attempts % 60 === 0)
        logger.info('The server does not answer', { attempts: this.#attempts, error });
      const delayMs = Math.min(reconnectMs.first * 2 ** Math.min(this.#attempts - 1, 10), reconnectMs.most);
      timers.after(delayMs, () => {
        if (!this.#hasLeft) void this.#connect();
      });
    }
  }

  #use(connection: ServerConnection): void {
    const { generation, labels, ownLabels = {}, runnerId, slots } = this.#options;
    this.#connection = connection;
    this.#isWelcome = false;
    connection.onMessage((message, payload) => {
      if (connection === this.#connection) this.#hear(message, payload);
    });
    connection.onClose(() => {
      if (connection !== this.#connection) return;
      this.#connection = undefined;
      const wasWelcome = this.#isWelcome;
      this.#isWelcome = false;
      // A server that only just went may be back at once; one that refuses us is not to be called without end.
      if (!wasWelcome) this.#attempts += 1;
      this.#considerLeaving();
      if (this.#hasLeft) return;
      const delayMs = wasWelcome
        ? reconnectMs.first
        : Math.min(reconnectMs.first * 2 ** this.#attempts, reconnectMs.most);
      this.#options.timers.after(delayMs, () => {
        if (!this.#hasLeft) void this.#connect();
      });
    });
    connection.send({
      type: 'hello',
      protocol: protocolVersion,
      runnerId,
      generation,
      slots,
      ...(this.#isDraining ? { isDraining: true } : {}),
      labels: labels ?? {},
      ownLabels,
      runtime: this.#runtimes[0].name,
      runtimes: this.#runtimes.map(({ name }) => name as RuntimeName),
      ...(this.#withheld.length > 0 ? { withheld: this.#withheld } : {}),
      holds: this.claims,
    });
  }

  #hear(message: ToRunner, payload: Buffer): void {
    if (message.type === 'welcome') {
      this.#welcome(message);
      return;
    }
    if (!this.#isWelcome) return;
    if (message.type === 'drain') {
      this.drain();
      return;
    }
    if (message.type === 'assign') {
      this.#take(message, message.assignment);
      return;
    }
    if (message.type === 'fetch-images') {
      this.#fetchAhead(message);
      return;
    }
    const claim = this.#claims.get(keyOf(message));
    if (!claim) return;
    switch (message.type) {
      case 'started':
        claim.noteStarted(message);
        return;
      case 'stale':
        claim.disown();
        return;
      case 'log-stored':
        claim.noteLogStored(message.stepId, message.sequence);
        return;
      case 'artifact-written':
      case 'artifact-stored':
      case 'artifact-part':
      case 'artifact-refused':
        claim.noteArtifact(message, payload);
        return;
      case 'gather-note':
      case 'gathered':
      case 'gather-refused':
        claim.noteCheckout(message);
        return;
      case 'outcome-stored':
        claim.noteOutcomeStored(message.stepId);
        return;
      case 'released':
        claim.noteReleased();
        return;
      case 'cancel':
        claim.cancel(message);
        return;
    }
  }

  #welcome(message: Extract<ToRunner, { type: 'welcome' }>): void {
    this.#isWelcome = true;
    this.#attempts = 0;
    this.#takeBackLeave?.();
    this.#takeBackLeave = undefined;
    this.#options.onWelcome?.(message.leaseMs);
    for (const name of message.disowned) this.#claims.get(keyOf(name))?.disown();
    for (const claim of this.#claims.values()) claim.resend();
  }

  /** Never another than the one that was named: what may not run there does not run here instead. */
  #runtimeOf({ runtime: name }: Assignment): Runtime {
    if (name === undefined) return this.#runtimes[0];
    return this.#runtimes.find((runtime) => runtime.name === name) ?? missingRuntime(name);
  }

  #fetchAhead({ images, registries, runtime: name }: Extract<ToRunner, { type: 'fetch-images' }>): void {
    const runtime = name === undefined ? this.#runtimes[0] : this.#runtimes.find((each) => each.name === name);
    if (runtime && !this.#isDraining)
      this.#fetcher.fetch(
        runtime,
        images.map((wish) => ({ ...wish, credentials: registries })),
      );
  }

  #take(name: ClaimName, assignment: Assignment): void {
    const key = keyOf(name);
    // Told twice: it is in hand already.
    if (this.#claims.has(key)) return;
    if (this.#isDraining) {
      this.#giveBack(name);
      return;
    }
    const { clock, graceMs, logger, serviceReadyLimitMs, stepLimits, timers } = this.#options;
    const runtime = this.#runtimeOf(assignment);
    const claim = new Claim(name, assignment, {
      runtime,
      clock,
      timers,
      logger,
      budget: this.#budget,
      stepLimits: stepLimits ?? {},
      build: this.#options.build,
      alwaysMasked: this.#options.alwaysMasked ?? [],
      graceMs: graceMs ?? 10_000,
      serviceReadyLimitMs,
      fetchImages: (wishes) => this.#fetcher.fetch(runtime, wishes),
      send: (message, payload) => this.#send(message, payload),
    });
    this.#claims.set(key, claim);
    void claim.released.then(() => {
      this.#claims.delete(key);
      this.#considerLeaving();
      this.#leaveIfDone();
    });
    claim.begin();
  }

  /** Not at once: a server with nobody else would give it to us again, and again. */
  #giveBack({ workflowId, attempt, token }: ClaimName): void {
    const answer: ToServer = { type: 'returned', workflowId, attempt, token, reason: 'The runner is draining' };
    const give = (): void => {
      takeBack();
      this.#returns.delete(give);
      this.#send(answer);
    };
    const takeBack = this.#options.timers.after(returnAfterMs, give);
    this.#returns.add(give);
  }

  #send(message: ToServer, payload?: Uint8Array): void {
    if (this.#isWelcome) this.#connection?.send(message, payload);
  }

  #leaveIfDone(): void {
    if (this.#isDraining && this.#claims.size === 0) void this.#leave();
  }

  /** Nothing to do and nobody to do it for: a server that comes back starts another one. */
  #considerLeaving(): void {
    const { leaveAfterMs, logger, timers } = this.#options;
    if (leaveAfterMs === undefined || this.#isWelcome || this.#claims.size > 0 || this.#takeBackLeave) return;
    this.#takeBackLeave = timers.after(leaveAfterMs, () => {
      this.#takeBackLeave = undefined;
      if (this.#isWelcome || this.#claims.size > 0) return;
      logger.info('The runner leaves: it has nothing to do and its server is gone');
      void this.#leave();
    });
  }

  async #reap(): Promise<void> {
    const { build, logger, timers } = this.#options;
    // Each by itself: an engine that is away keeps nothing from being cleared up elsewhere.
    for (const place of [...this.#everOffered, ...(build ? [build.builder] : [])])
      try {
        for (const what of await place.reap()) logger.info('Removed what a dead runner left behind', { what });
      } catch (error) {
        logger.warn('What dead runners left behind could not be removed', { error });
      }
    if (!this.#hasLeft)
      this.#takeBackReap = timers.after(reapEveryMs, () => {
        void this.#reap();
      });
  }

  async #leave(): Promise<void> {
    if (this.#hasLeft) return;
    for (const give of this.#returns) give();
    this.#hasLeft = true;
    this.#takeBackLeave?.();
    this.#takeBackReap?.();
    this.#connection?.close();
    this.#fetcher.stop();
    try {
      await this.#options.build?.builder.close();
      await Promise.all([...this.#everOffered].map((runtime) => runtime.close()));
    } catch (error) {
      this.#options.logger.warn('The runtime could not be closed', { error });
    }
    this.#settle();
  }
}

/** Refuses every job: nothing that may run it is here. */
function missingRuntime(name: RuntimeName): Runtime {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new GantryError('RUNTIME_UNAVAILABLE', `Cannot run a workflow: this runner does not offer the runtime ${name}`),
    );
  return {
    name,
    probe: refuse,
    prepare: refuse,
    reap: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

function keyOf({ workflowId, attempt, token }: ClaimName): string {
  return `${workflowId}/${attempt}/${token}`;
}

import type { StepPlan } from '../../src/core/plan.ts';
import type { LogStorage } from '../../src/drivers/logs/logs.ts';
import {
  type Assignment,
  type ClaimName,
  type Connection,
  protocolVersion,
  type ToRunner,
  type ToServer,
} from '../../src/engine/runner-protocol.ts';
import { pairedConnection } from '../../src/lib/paired-connection.ts';
import { workflowPlan } from './plans.ts';

type Outcome = Extract<ToServer, { type: 'outcome' }>;
type Hello = Extract<ToServer, { type: 'hello' }>;
export type ServerEnd = Connection<ToRunner, ToServer>;

/**
 * The server's side of the runner protocol in its plainest form, with real storage for logs: for tests that want to
 * hold an answer back, cut the line, or say a thing twice.
 */
export class ProtocolServer {
  readonly #logs: LogStorage;
  readonly heard: ToServer[] = [];
  readonly outcomes = new Map<number, Outcome>();
  /** Services that never answered, as their runner told. */
  readonly silences: (readonly [number, { readonly ports: string; readonly limitMs: number }])[] = [];
  readonly released = new Set<number>();
  readonly hellos: Hello[] = [];
  /** Of runners that said hello; the last one is the one that is spoken to. */
  #lines: ServerEnd[] = [];
  #isUp = true;
  #waiters: { holds: () => boolean; resolve: () => void }[] = [];

  /** What is answered to a start; `undefined` answers nothing. */
  answerStart: (start: Extract<ToServer, { type: 'start' }>) => ToRunner | undefined = ({
    workflowId,
    attempt,
    token,
    stepId,
    request,
  }) => ({
    type: 'started',
    workflowId,
    attempt,
    token,
    stepId,
    request,
    environment: this.environment,
    secrets: this.secrets,
    mask: this.mask,
  });
  environment: Record<string, string> = {};
  secrets: Record<string, string> = {};
  mask: string[] = [];
  disowned: ClaimName[] = [];
  /** Log chunks are stored, and not acknowledged. */
  isKeepingAcknowledgements = false;
  /** Nothing that is said is heard at all. */
  isDeaf = false;

  constructor(logs: LogStorage) {
    this.#logs = logs;
  }

  /** For `connect` of a runner. */
  readonly connect = async (): Promise<Connection<ToServer, ToRunner>> => {
    if (!this.#isUp) throw new Error('connect ECONNREFUSED');
    const [runnerEnd, serverEnd] = pairedConnection<ToServer, ToRunner>();
    this.accept(serverEnd);
    return runnerEnd;
  };

  accept(line: ServerEnd): void {
    line.onMessage((message, payload) => {
      if (message.type === 'hello') this.#lines.push(line);
      if ((!this.#lines.includes(line) && message.type !== 'heartbeat') || this.isDeaf) return;
      void this.#hear(line, message, payload);
    });
  }

  goAway(): void {
    this.#isUp = false;
    for (const line of this.#lines.splice(0)) line.close();
  }

  comeBack(): void {
    this.#isUp = true;
  }

  send(message: ToRunner): void {
    this.#lines.at(-1)?.send(message);
  }

  /** Resolves once it holds; looked at after each message. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ holds, resolve }));
  }

  heardOf<Type extends ToServer['type']>(type: Type): Extract<ToServer, { type: Type }>[] {
    return this.heard.filter((message): message is Extract<ToServer, { type: Type }> => message.type === type);
  }

  async #hear(line: ServerEnd, message: ToServer, payload: Buffer): Promise<void> {
    this.heard.push(message);
    await this.#answer(line, message, payload);
    const ready = this.#waiters.filter(({ holds }) => holds());
    this.#waiters = this.#waiters.filter(({ holds }) => !holds());
    for (const { resolve } of ready) resolve();
  }

  async #answer(line: ServerEnd, message: ToServer, payload: Buffer): Promise<void> {
    if (message.type === 'running' && message.silence) this.silences.push([message.stepId, message.silence]);
    if (message.type === 'heartbeat' || message.type === 'returned' || message.type === 'running') return;
    if (message.type === 'hello') {
      this.hellos.push(message);
      line.send({ type: 'welcome', protocol: protocolVersion, leaseMs: 3_000, disowned: this.disowned });
      return;
    }
    const { workflowId, attempt, token } = message;
    const claim = { workflowId, attempt, token };
    if (message.type === 'done') {
      this.released.add(workflowId);
      line.send({ type: 'released', ...claim });
      return;
    }
    const { stepId } = message;
    switch (message.type) {
      case 'start': {
        const answer = this.answerStart(message);
        if (answer) line.send(answer);
        return;
      }
      case 'outcome':
        this.outcomes.set(stepId, message);
        line.send({ type: 'outcome-stored', ...claim, stepId });
        return;
      case 'log': {
        const writer = await this.#logs.open(stepId);
        const { sequence, stream, atMs } = message;
        const stored = await writer.append({ sequence, stream, atMs, bytes: payload });
        if (!this.isKeepingAcknowledgements) line.send({ type: 'log-stored', ...claim, stepId, sequence: stored });
        return;
      }
      case 'log-end': {
        const writer = await this.#logs.open(stepId);
        await writer.end(message.isCut);
        if (!this.isKeepingAcknowledgements)
          line.send({ type: 'log-stored', ...claim, stepId, sequence: message.sequence });
        return;
      }
    }
  }
}

/** Steps that follow each other, unless they say on what they depend. */
export function assignmentOf(steps: readonly StepPlan[], change: Partial<Assignment> = {}): Assignment {
  const plan = workflowPlan('default', steps, { workspace: { base: '/drone/src', path: '' } });
  return {
    plan,
    stepIds: steps.map((_, position) => 100 + position),
    projectSlug: 'ada/hello',
    pipelineNumber: 1,
    repository: {
      folder: '/nowhere',
      remoteUrl: 'http://localhost/ada/hello.git',
      commit: 'c0ffee',
      ref: 'refs/heads/main',
    },
    logLimitBytes: 64 * 2 ** 20,
    ...change,
  };
}

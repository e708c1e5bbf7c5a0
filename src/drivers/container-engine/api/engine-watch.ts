import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Timers } from '../../../lib/timers.ts';
import type { EngineClient } from './engine-client.ts';

/** An engine that does not answer for so long has lost what it ran, as far as anybody can know. */
const defaultPatienceMs = 60_000;
const everyMs = 10_000;
const answerTimeoutMs = 10_000;

/** Asks the engine now and then whether it lives, for as long as somebody waits for what it runs. */
export class EngineWatch {
  readonly #client: EngineClient;
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #patienceMs: number;
  readonly #waiting = new Set<(why: string) => void>();
  #takeBack: (() => void) | undefined;
  #silentSinceMs: number | undefined;

  constructor(options: {
    readonly client: EngineClient;
    readonly timers: Timers;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly patienceMs?: number | undefined;
  }) {
    this.#client = options.client;
    this.#timers = options.timers;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#patienceMs = options.patienceMs ?? defaultPatienceMs;
  }

  /** Told once, with a sentence, when the engine has been silent for too long. The answer takes it back. */
  whenLost(tell: (why: string) => void): () => void {
    this.#waiting.add(tell);
    if (this.#waiting.size === 1) this.#schedule();
    return () => {
      this.#waiting.delete(tell);
      if (this.#waiting.size > 0) return;
      this.#takeBack?.();
      this.#takeBack = undefined;
      this.#silentSinceMs = undefined;
    };
  }

  #schedule(): void {
    this.#takeBack?.();
    this.#takeBack = this.#timers.after(Math.min(everyMs, this.#patienceMs / 3), () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const askedAtMs = this.#clock.monotonicMs();
    try {
      await this.#client.call('GET', '/info', { timeoutMs: Math.min(answerTimeoutMs, this.#patienceMs / 3) });
      this.#silentSinceMs = undefined;
    } catch (error) {
      this.#silentSinceMs ??= askedAtMs;
      this.#logger.warn('The container engine does not answer', { error });
    }
    if (this.#silentSinceMs !== undefined && this.#clock.monotonicMs() - this.#silentSinceMs >= this.#patienceMs) {
      const seconds = Math.round(this.#patienceMs / 1_000);
      for (const tell of this.#waiting) tell(`The container engine did not answer for ${seconds} s`);
      this.#silentSinceMs = undefined;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

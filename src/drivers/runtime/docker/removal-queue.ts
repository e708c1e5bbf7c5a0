import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../../lib/logger.ts';
import { Turns } from '../../../lib/turns.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, EngineUnreachable, isNotFound } from '../../container-engine/api/engine-error.ts';

export type EngineObject = 'containers' | 'volumes' | 'networks';

/** What is in use for a moment is free soon after; what is not by then the reaper takes. */
const retryAfterMs = [100, 300, 1_000, 3_000] as const;
/** An engine removes one thing at a time about as fast as several. */
const atOnce = 2;
const removalTimeoutMs = 30_000;

/** Removes things from the engine beside the work that people wait for, and tries again where it fails. */
export class RemovalQueue {
  readonly #client: EngineClient;
  readonly #logger: Logger;
  readonly #turns = new Turns(atOnce);
  readonly #running = new Set<Promise<void>>();
  #isFinishing = false;
  /** Names that are ours and not yet gone: the reaper leaves them alone. */
  readonly known = new Set<string>();

  constructor(client: EngineClient, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
  }

  /** One after the other, in the order given; resolves when all have been tried. Never rejects. */
  remove(objects: readonly (readonly [kind: EngineObject, name: string])[]): Promise<void> {
    const removing = this.#turns.take(async () => {
      for (const [kind, name] of objects) await this.#removeOne(kind, name);
    });
    this.#running.add(removing);
    void removing.finally(() => this.#running.delete(removing));
    return removing;
  }

  /** Resolves when nothing is left to remove. An engine that does not answer is not waited for any more. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #removeOne(kind: EngineObject, name: string): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await removeObject(this.#client, kind, name);
        break;
      } catch (error) {
        const isHopeless = this.#isFinishing && error instanceof EngineUnreachable;
        const pauseMs = isHopeless ? undefined : retryAfterMs[attempt];
        if (pauseMs === undefined) {
          this.#logger.warn('Something could not be removed from the container engine', { kind, name, error });
          break;
        }
        await sleep(pauseMs);
      }
    }
    this.known.delete(name);
  }
}

/** Resolves when it is gone, or was before, or somebody else is about it. */
export async function removeObject(client: EngineClient, kind: EngineObject, name: string): Promise<void> {
  try {
    await client.call('DELETE', `/${kind}/${name}`, {
      query: kind === 'containers' ? { force: 1, v: 1 } : {},
      timeoutMs: removalTimeoutMs,
    });
  } catch (error) {
    if (isNotFound(error)) return;
    if (error instanceof EngineError && /already in progress/.test(error.message)) return;
    throw error;
  }
}

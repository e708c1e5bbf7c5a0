import type { Logger } from '../../../lib/logger.ts';
import type { StepLimits } from '../runtime.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import type { SandboxStep } from './sandbox-step.ts';

/** What is decided before a gate opens: sandboxes of one kind can serve any step that asks for it. */
export interface SandboxKind {
  /** Read-only layers, the lowest first. */
  readonly layers: readonly string[];
  readonly skeleton: string;
  /** Mount point of the workspace. */
  readonly workspace: string;
  readonly limits: StepLimits;
  readonly network: 'job' | 'none';
}

/** As many as are staged ahead of a running step. */
const perHolder = 3;
/** What nobody wanted for so long is given up: each takes a few MiB. */
const forgetAfterMs = 10 * 60_000;

interface Waiting {
  readonly key: string;
  readonly made: Promise<SandboxStep | undefined>;
}

/** What waits in one holder. */
interface Place {
  readonly sandboxes: Waiting[];
  /** A job has the holder: nothing more is made in it. */
  isTaken: boolean;
  /** Settles when what was discarded is gone. */
  discarded: Promise<void>;
}

/**
 * Sandboxes that wait behind their gates before anybody asks for them, in a holder that no job has taken yet: what the
 * last job began with, the next one likely begins with too. They hold no secret, no script, no workspace and nothing of
 * a project but the image; a job that wants another kind does not get them.
 */
export class WaitingSandboxes {
  readonly #launch: (holder: NamespaceHolder, kind: SandboxKind, number: number) => Promise<SandboxStep>;
  readonly #logger: Logger;
  readonly #waiting = new Map<NamespaceHolder, Place>();
  #kinds: readonly SandboxKind[] = [];
  #forgetting: NodeJS.Timeout | undefined;
  #launched = 0;

  constructor(options: {
    readonly launch: (holder: NamespaceHolder, kind: SandboxKind, number: number) => Promise<SandboxStep>;
    readonly logger: Logger;
  }) {
    this.#launch = options.launch;
    this.#logger = options.logger;
  }

  /** The kinds that a job begins with, in their order. */
  foresee(kinds: readonly SandboxKind[]): void {
    this.#kinds = kinds.slice(0, perHolder);
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#forget(), forgetAfterMs).unref();
  }

  /** Makes in the holder what the next job is expected to want, and ends what it is not. */
  async furnish(holder: NamespaceHolder): Promise<void> {
    const found = this.#waiting.get(holder);
    if (found?.isTaken || (!found && this.#kinds.length === 0)) return;
    const place: Place = found ?? { sandboxes: [], isTaken: false, discarded: Promise.resolve() };
    if (!found) {
      this.#waiting.set(holder, place);
      void holder.died.then(() => this.dismiss(holder));
    }
    const missing = this.#kinds.map((kind) => ({ kind, key: keyOf(kind) }));
    const kept = place.sandboxes.splice(0).filter((waiting) => {
      const index = missing.findIndex(({ key }) => key === waiting.key);
      if (index >= 0) missing.splice(index, 1);
      else this.#discard(place, [waiting]);
      return index >= 0;
    });
    place.sandboxes.push(...kept);
    await place.discarded;
    for (const { kind, key } of missing) {
      // One after the other, and no more once a job is there: it has its own to launch.
      if (place.isTaken) return;
      this.#launched += 1;
      const made = this.#launch(holder, kind, this.#launched).catch((error: unknown) => {
        this.#logger.warn('A sandbox could not be made ready ahead', { error });
        return undefined;
      });
      place.sandboxes.push({ key, made });
      await made;
    }
  }

  /** A job has taken the holder: what waits in it is the job's, nothing more comes. */
  claim(holder: NamespaceHolder): void {
    const place = this.#waiting.get(holder);
    if (place) place.isTaken = true;
  }

  /** A sandbox of this kind, if one waits in the holder; one of another kind will not be asked for any more. */
  async take(holder: NamespaceHolder, kind: SandboxKind): Promise<SandboxStep | undefined> {
    const place = this.#waiting.get(holder);
    if (!place) return undefined;
    const key = keyOf(kind);
    const index = place.sandboxes.findIndex((waiting) => waiting.key === key);
    if (index < 0) {
      this.#discard(place, place.sandboxes.splice(0));
      return undefined;
    }
    const [waiting] = place.sandboxes.splice(index, 1);
    const made = await waiting!.made;
    if (!made?.hasDied) return made;
    await made.discard();
    return undefined;
  }

  /** Ends what still waits in the holder. May be called twice. */
  async dismiss(holder: NamespaceHolder): Promise<void> {
    const place = this.#waiting.get(holder);
    if (!place) return;
    place.isTaken = true;
    this.#discard(place, place.sandboxes.splice(0));
    await place.discarded;
    this.#waiting.delete(holder);
  }

  /** Settles when nothing waits any more. */
  async close(): Promise<void> {
    clearTimeout(this.#forgetting);
    this.#kinds = [];
    await Promise.all([...this.#waiting.keys()].map((holder) => this.dismiss(holder)));
  }

  /** `discarded` of the place settles when they are gone, with all that was discarded before. */
  #discard(place: Place, sandboxes: readonly Waiting[]): void {
    const discards = sandboxes.map(async ({ made }) => {
      try {
        await (await made)?.discard();
      } catch (error) {
        this.#logger.warn('A sandbox that nobody wanted could not be torn down', { error });
      }
    });
    place.discarded = Promise.all([place.discarded, ...discards]).then(() => undefined);
  }

  #forget(): void {
    this.#kinds = [];
    for (const place of this.#waiting.values()) if (!place.isTaken) this.#discard(place, place.sandboxes.splice(0));
  }
}

function keyOf({ layers, skeleton, workspace, limits, network }: SandboxKind): string {
  const { memoryBytes, pids, cpuMillis, diskBytes, shmBytes } = limits;
  return JSON.stringify([layers, skeleton, workspace, memoryBytes, pids, cpuMillis, diskBytes, shmBytes, network]);
}

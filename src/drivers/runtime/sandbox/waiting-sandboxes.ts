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
  readonly #onDismissed: (holder: NamespaceHolder) => void;
  readonly #logger: Logger;
  readonly #waiting = new Map<NamespaceHolder, Place>();
  #kinds: readonly SandboxKind[] = [];
  #forgetting: NodeJS.Timeout | undefined;
  #launched = 0;

  constructor(options: {
    readonly launch: (holder: NamespaceHolder, kind: SandboxKind, number: number) => Promise<SandboxStep>;
    /** Gives back what was made for all sandboxes of a holder together. */
    readonly onDismissed: (holder: NamespaceHolder) => void;
    readonly logger: Logger;
  }) {
    this.#launch = options.launch;
    this.#onDismissed = options.onDismissed;
    this.#logger = options.logger;
  }

  /** The kinds that a job begins with, in their order. */
  foresee(kinds: readonly SandboxKind[]): void {
    this.#kinds = kinds.slice(0, perHolder);
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#forget(), forgetAfterMs).unref();
  }

  /** Makes in the holder what the next job is expected to want. */
  async furnish(holder: NamespaceHolder): Promise<void> {
    const wanted = this.#kinds;
    const keys = wanted.map(keyOf);
    const found = this.#waiting.get(holder);
    if (found?.isTaken || keys.join() === (found?.sandboxes ?? []).map(({ key }) => key).join()) return;
    if (found) await this.#discard(found);
    const place: Place = found ?? { sandboxes: [], isTaken: false, discarded: Promise.resolve() };
    if (!found) {
      this.#waiting.set(holder, place);
      void holder.died.then(() => this.dismiss(holder));
    }
    for (const [index, kind] of wanted.entries()) {
      // One after the other, and no more once a job is there: it has its own to launch.
      if (place.isTaken) return;
      this.#launched += 1;
      const made = this.#launch(holder, kind, this.#launched).catch((error: unknown) => {
        this.#logger.warn('A sandbox could not be made ready ahead', { error });
        return undefined;
      });
      place.sandboxes.push({ key: keys[index]!, made });
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
      void this.#discard(place);
      return undefined;
    }
    const [waiting] = place.sandboxes.splice(index, 1);
    const made = await waiting!.made;
    if (!made?.hasDied) return made;
    await made.discard();
    return undefined;
  }

  /** Ends what still waits in the holder and gives back what it took. May be called twice. */
  async dismiss(holder: NamespaceHolder): Promise<void> {
    const place = this.#waiting.get(holder);
    if (!place) return;
    place.isTaken = true;
    await this.#discard(place);
    if (this.#waiting.delete(holder)) this.#onDismissed(holder);
  }

  /** Settles when nothing waits any more. */
  async close(): Promise<void> {
    clearTimeout(this.#forgetting);
    this.#kinds = [];
    await Promise.all([...this.#waiting.keys()].map((holder) => this.dismiss(holder)));
  }

  /** All that waits there; settles when it is gone, with all that was discarded before. */
  #discard(place: Place): Promise<void> {
    const discards = place.sandboxes.splice(0).map(async ({ made }) => {
      try {
        await (await made)?.discard();
      } catch (error) {
        this.#logger.warn('A sandbox that nobody wanted could not be torn down', { error });
      }
    });
    place.discarded = Promise.all([place.discarded, ...discards]).then(() => undefined);
    return place.discarded;
  }

  #forget(): void {
    this.#kinds = [];
    for (const place of this.#waiting.values()) if (!place.isTaken) void this.#discard(place);
  }
}

function keyOf({ layers, skeleton, workspace, limits, network }: SandboxKind): string {
  const { memoryBytes, pids, cpuMillis, diskBytes } = limits;
  return JSON.stringify([layers, skeleton, workspace, memoryBytes, pids, cpuMillis, diskBytes, network]);
}

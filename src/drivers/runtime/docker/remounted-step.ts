import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { CachePlace } from '../caches/job-caches.ts';
import type { ReleaseSpec, RunningStep, StagedStep } from '../runtime.ts';
import type { DockerStep } from './docker-step.ts';
import type { CacheMount, EngineMounts, MountUser } from './engine-mounts.ts';

/** Makes a container of the step with these mounts, behind its gate. */
export type StageWith = (mounts: readonly CacheMount[]) => Promise<DockerStep>;

/**
 * A step of a job that has caches. It is staged with what is mounted then; where its release finds something else
 * mounted, its container, which has run nothing, makes way for another one.
 */
export class RemountedStep implements StagedStep {
  readonly #name: string;
  readonly #mounts: EngineMounts;
  readonly #own: readonly CachePlace[];
  readonly #foreseen: readonly CachePlace[];
  readonly #stageWith: StageWith;
  #staged: DockerStep | undefined;
  #state: 'staged' | 'released' | 'discarded' = 'staged';
  #user: (MountUser & { state: MountUser['state'] }) | undefined;

  constructor(options: {
    readonly name: string;
    readonly mounts: EngineMounts;
    readonly own: readonly CachePlace[];
    /** What it will have if nothing changes until its release. */
    readonly foreseen: readonly CachePlace[];
    readonly stageWith: StageWith;
  }) {
    this.#name = options.name;
    this.#mounts = options.mounts;
    this.#own = options.own;
    this.#foreseen = options.foreseen;
    this.#stageWith = options.stageWith;
  }

  get ports(): StagedStep['ports'] {
    return this.#staged?.ports;
  }

  /** Of the image that the engine made its container of. */
  get imageId(): string {
    return this.#staged?.imageId ?? '';
  }

  async stage(): Promise<void> {
    await this.#stage(this.#mounts.mountsOf(this.#foreseen));
  }

  release(release: ReleaseSpec): RunningStep {
    if (this.#state !== 'staged')
      throw new TypeError(`Cannot release step "${this.#name}": it was already ${this.#state}`);
    this.#state = 'released';
    let cancelled: string | undefined;
    let running: RunningStep | undefined;
    const run = async (): Promise<Outcome> => {
      running = await this.#mounts.whole(async () => {
        await this.#remount();
        return cancelled === undefined ? this.#begin(release) : undefined;
      });
      if (!running) {
        await this.#giveUp();
        return { kind: 'cancelled', reason: cancelled ?? '' };
      }
      const outcome = await running.outcome;
      if (this.#user) this.#user.state = 'ended';
      return outcome;
    };
    return {
      outcome: run().catch(failureOf),
      cancel(reason) {
        cancelled ??= reason;
        running?.cancel(reason);
      },
    };
  }

  async discard(): Promise<void> {
    if (this.#state === 'staged') this.#state = 'discarded';
    if (this.#state === 'discarded') await this.#giveUp();
  }

  async #giveUp(): Promise<void> {
    if (this.#user) this.#mounts.leave(this.#user);
    await this.#staged?.discard();
  }

  #begin(release: ReleaseSpec): RunningStep {
    this.#user!.state = 'running';
    return this.#staged!.release(release);
  }

  async #remount(): Promise<void> {
    const wanted = this.#mounts.mountsOf(this.#own);
    const has = this.#user?.mounts ?? [];
    if (isSame(wanted, has)) return;
    const before = this.#staged;
    await this.#giveUp();
    // Two mounts over the same folders would not know of each other.
    if (has.length > 0) await before?.removed;
    await this.#stage(wanted);
  }

  async #stage(mounts: readonly CacheMount[]): Promise<void> {
    this.#staged = await this.#stageWith(mounts);
    this.#user = { name: this.#name, container: this.#staged.container, mounts, state: 'waiting' };
    this.#mounts.enter(this.#user);
  }
}

function isSame(left: readonly CacheMount[], right: readonly CacheMount[]): boolean {
  const text = (mounts: readonly CacheMount[]): string =>
    mounts
      .map(({ target, volume }) => `${target} ${volume}`)
      .toSorted()
      .join('\n');
  return text(left) === text(right);
}

/** As when it could not be staged in the first place. */
function failureOf(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof GantryError && error.kind !== 'unavailable') return { kind: 'cannot-start', message };
  return { kind: 'infrastructure', message };
}

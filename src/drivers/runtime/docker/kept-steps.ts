import { join } from 'node:path';
import type { EngineImage } from '../../container-engine/api/engine-images.ts';
import { CachedStep, type CacheWork } from '../caches/cached-step.ts';
import { JobCaches } from '../caches/job-caches.ts';
import { KeptStep, type ResultPlace, TakenStep } from '../caches/result-step.ts';
import type { JobSpec, ProgramRun, StagedStep, StageSpec } from '../runtime.ts';
import type { DockerHost } from './docker-host.ts';
import type { DockerStep } from './docker-step.ts';
import type { EngineKeeping } from './engine-keeping.ts';
import { type CacheMount, EngineMounts, type MountUser } from './engine-mounts.ts';
import { RemountedStep } from './remounted-step.ts';
import type { Surroundings } from './surroundings.ts';

export interface KeptStepsOptions {
  readonly spec: JobSpec;
  readonly host: DockerHost;
  readonly keeping: EngineKeeping;
  readonly surroundings: Surroundings;
  readonly provide: (step: StageSpec) => Promise<EngineImage>;
  /** Makes a container of the step; `round` counts them. */
  readonly stage: (
    step: StageSpec,
    made: { readonly image: EngineImage; readonly mounts: readonly CacheMount[]; readonly round: number },
  ) => Promise<DockerStep>;
}

/** The steps of a job whose caches and results are kept on this host. */
export class KeptSteps {
  readonly #options: KeptStepsOptions;
  readonly #folder: string;
  readonly #mounts: EngineMounts;
  readonly #caches: JobCaches | undefined;
  #results = 0;

  constructor(options: KeptStepsOptions) {
    const { host, keeping, spec, surroundings } = options;
    const { home, sharing } = keeping;
    this.#options = options;
    this.#folder = join(home.folder(), 'engine', fileName(spec.id));
    this.#mounts = new EngineMounts(host, spec, () => sharing.folderOf(surroundings.volume));
    this.#caches =
      spec.caches &&
      new JobCaches({
        access: spec.caches,
        store: home.store,
        mounts: this.#mounts,
        folder: join(this.#folder, 'caches'),
        workspace: spec.workspace,
        isRootless: false,
        du: home.du,
      });
    // Tried while the first steps are made ready.
    if (spec.caches) void sharing.findHindrance();
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    const { keeping, provide, stage } = this.#options;
    if (step.result?.kind === 'take') return new TakenStep(step.result, await this.#place(), Promise.resolve());
    const image = await provide(step);
    if (!this.#caches) {
      const staged = await stage(step, { image, mounts: [], round: 1 });
      return this.#keep(step, staged, () => staged.imageId);
    }
    const hindrance = step.cache && (await keeping.sharing.findHindrance());
    const cache = step.cache && hindrance === undefined ? await this.#stageCache(step, image) : undefined;
    let rounds = 0;
    const own = cache?.ownPlaces ?? [];
    // An engine makes the folders that it mounts on, and a checkout of somebody else's may want an empty workspace.
    const foreseen = [...own, ...(this.#options.spec.repository && cache ? cache.sharedPlaces : [])];
    // What goes wrong here goes wrong again when it is restored, and is told then.
    await cache?.foresee(foreseen).catch(() => undefined);
    const remounted = new RemountedStep({
      name: step.name,
      mounts: this.#mounts,
      own,
      foreseen,
      stageWith(mounts) {
        rounds += 1;
        return stage(step, { image, mounts, round: rounds });
      },
    });
    await remounted.stage();
    const cached = step.cache ? new CachedStep(remounted, cache ?? without(step.cache.key, hindrance)) : remounted;
    return this.#keep(step, cached, () => remounted.imageId);
  }

  async #keep({ result }: StageSpec, staged: StagedStep, imageId: () => string): Promise<StagedStep> {
    if (result?.kind !== 'keep') return staged;
    return new KeptStep(staged, result, await this.#place(), imageId);
  }

  /** Runs a program of Gantry's own with the caches that the steps have in their workspace at this moment. */
  async seeing<Result>(
    { name }: Pick<ProgramRun, 'name'>,
    run: (mounts: readonly CacheMount[]) => Promise<Result>,
  ): Promise<Result> {
    const mounts = this.#mounts.mountsOf([]);
    const user: MountUser = { name, mounts, state: 'running' };
    this.#mounts.enter(user);
    try {
      return await run(mounts);
    } finally {
      this.#mounts.leave(user);
    }
  }

  /** The job is over, and what it ran is gone or being removed. */
  async remove(): Promise<void> {
    await this.#mounts.remove();
    this.#options.keeping.home.removal.remove(this.#folder);
    this.#caches?.release();
  }

  async #stageCache(step: StageSpec, image: EngineImage): Promise<ReturnType<JobCaches['stage']> | undefined> {
    const { keeping, spec } = this.#options;
    const { cache: plan } = step;
    if (!plan || !this.#caches) return undefined;
    const own = plan.paths.filter((path) => !path.startsWith(`${spec.workspace}/`));
    const faults = own.length > 0 ? await keeping.occupants.find(image, own) : undefined;
    return this.#caches.stage(plan, {
      step: step.name,
      imageDigest: image.id,
      findFault: (path) => faults?.get(path),
    });
  }

  async #place(): Promise<ResultPlace> {
    const { keeping, surroundings } = this.#options;
    this.#results += 1;
    return {
      store: keeping.home.store,
      workspace: await keeping.sharing.folderOf(surroundings.volume),
      folder: join(this.#folder, 'results', String(this.#results)),
      isRootless: false,
      findCover: (path) => this.#mounts.findShown(path),
    };
  }
}

/** Says why there is no cache, and lets the step run as without. */
function without(key: string, why = 'the run has no caches'): CacheWork {
  return {
    restore: async (tell) => tell({ kind: 'unused', key, why }),
    save: async () => {},
  };
}

/** Ids come from us, but they become paths. */
function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
}

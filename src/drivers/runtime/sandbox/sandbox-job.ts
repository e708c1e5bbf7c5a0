import { createWriteStream, mkdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatheredCheckout } from '../../../core/checkout.ts';
import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import type { PortPlan } from '../../../core/plan.ts';
import { Turns } from '../../../lib/turns.ts';
import { awaitPorts } from '../await-ports.ts';
import { CachedStep } from '../caches/cached-step.ts';
import { JobCaches, type StepCache } from '../caches/job-caches.ts';
import { overlayMount } from '../caches/overlay.ts';
import { KeptStep, type ResultPlace, TakenStep } from '../caches/result-step.ts';
import { runOwnProgram } from '../own-program.ts';
import type {
  JobSpec,
  PortAnswers,
  PortWait,
  ProgramRun,
  RepositorySpec,
  RuntimeJob,
  StagedStep,
  StageSpec,
} from '../runtime.ts';
import type { Checkout } from './checkout-cache.ts';
import { CloneStep } from './clone-step.ts';
import { HolderMounts } from './holder-mounts.ts';
import { JobVolumes } from './job-volumes.ts';
import type { Bind } from './launcher.ts';
import { listeningPorts } from './listening-ports.ts';
import { findOccupant } from './mount-points.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import type { SandboxHost } from './sandbox-host.ts';
import { gateOf, launchGate, sandboxUse } from './sandbox-launch.ts';
import type { SandboxStep } from './sandbox-step.ts';
import type { SandboxKind, WaitingSandboxes } from './waiting-sandboxes.ts';
import { writeWorkTreeSettings } from './work-tree-settings.ts';

/** Where a program of Gantry's own finds its input. */
const inputMountPoint = '/gantry-input';

/** As many steps are staged at once when a job begins. */
const kindsForeseen = 3;

/**
 * To launch is work for processors, and half of it is waiting for the kernel: with more at once than there are processors
 * the first step would wait for those that come after it, with fewer they would idle.
 */
const launchesAtOnce = availableParallelism();

/** One attempt of one workflow: a workspace, a network and steps that come and go in sandboxes of their own. */
export class SandboxJob implements RuntimeJob {
  readonly spec: JobSpec;
  readonly #host: SandboxHost;
  readonly #folder: string;
  readonly #holder: NamespaceHolder;
  readonly #waiting: WaitingSandboxes;
  /** Kinds of the sandboxes that were asked for first. */
  readonly #kinds: SandboxKind[] = [];
  readonly #staged = new Set<string>();
  readonly #steps = new Set<SandboxStep>();
  readonly #launches = new Turns(launchesAtOnce);
  /** The checkout, once it is mounted as the workspace; absent when the job has no repository. */
  readonly #checkout: Promise<Checkout> | undefined;
  /** What lies in the checkout, of one that is gathered: told by its step `clone`. */
  readonly #gathered = Promise.withResolvers<GatheredCheckout>();
  /** Settles when what its steps work on is mounted, with or without a checkout: then they may start. */
  readonly #mounted: Promise<unknown>;
  readonly #volumes: JobVolumes;
  readonly #caches: JobCaches | undefined;
  /** Which step said first that it listens on a port. */
  readonly #listeners = new Map<string, string>();
  /** Aborted when the job ends: nothing that is waited for on its behalf goes on. */
  readonly #ending = new AbortController();
  #staging = 0;
  #results = 0;
  #onStagingDone: (() => void) | undefined;
  #destroyed: Promise<void> | undefined;

  constructor(options: {
    readonly spec: JobSpec;
    readonly host: SandboxHost;
    readonly folder: string;
    readonly holder: NamespaceHolder;
    readonly waiting: WaitingSandboxes;
  }) {
    this.spec = options.spec;
    this.#host = options.host;
    this.#folder = options.folder;
    this.#holder = options.holder;
    this.#waiting = options.waiting;
    this.#waiting.claim(this.#holder);
    for (const path of [this.#workspaceUpper, join(this.#folder, 'workspace-work')]) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
    }
    this.#volumes = new JobVolumes(this.spec.volumes ?? [], { folder: this.#folder, holder: this.#holder });
    this.#caches = this.#openCaches();
    const empty = (): Promise<void> => this.#holder.setWorkspace({ folder: this.#workspaceUpper });
    const { repository } = this.spec;
    const gathered =
      repository && !repository.isGathered
        ? Promise.resolve<GatheredCheckout>({ source: repository, submodules: [] })
        : this.#gathered.promise;
    gathered.catch(() => undefined);
    this.#checkout = repository ? gathered.then((known) => this.#mountCheckout(repository, known)) : undefined;
    // Without its checkout the job has an empty workspace: the step `clone` tells why.
    const workspace = this.#checkout ? this.#checkout.then(() => undefined).catch(empty) : empty();
    // What could not be told leaves the place of the objects empty.
    const objects = gathered.then(
      ({ source }) => this.#holder.setObjects(join(source.folder, 'objects')),
      () => undefined,
    );
    this.#mounted = Promise.all([workspace, repository && objects]);
    this.#mounted.catch(() => undefined);
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    if (this.#destroyed) throw new TypeError(`Cannot stage step "${step.name}": job ${this.spec.id} was destroyed`);
    if (this.#staged.has(step.id)) throw new TypeError(`Cannot stage step ${step.id}: it was staged before`);
    this.#staged.add(step.id);
    if (step.kind === 'clone') return this.#stageClone();
    if (step.result?.kind === 'take') return new TakenStep(step.result, this.#resultPlace(), this.#mounted);
    return this.#stageCounted(step, []);
  }

  /** `binds`: what it sees beside its volumes. */
  async #stageCounted(step: StageSpec, binds: readonly Bind[]): Promise<StagedStep> {
    this.#host.refuseUnenforceable(step);
    this.#staging += 1;
    try {
      return await this.#stageSandbox(step, binds);
    } finally {
      this.#staging -= 1;
      if (this.#staging === 0) this.#onStagingDone?.();
    }
  }

  /** All steps share one network: what listens there is seen by all, whichever step it is. */
  waitForPorts(wait: PortWait): Promise<PortAnswers> {
    const signal = AbortSignal.any([wait.signal, this.#ending.signal]);
    return awaitPorts(
      { ...wait, signal },
      {
        answering: (ports) => listeningPorts(this.#holder.pid, ports),
        nowMs: () => performance.now(),
        // The end of the wait is the loop's own affair: a pause that is cut short only looks once more.
        pause: (ms) => delay(ms, undefined, { signal }).catch(() => undefined),
      },
    );
  }

  /** Its input is a file beside the workspace, bound into its sandbox and removed with it. */
  async runProgram(run: ProgramRun): Promise<Outcome> {
    if (this.#destroyed) throw new TypeError(`Cannot run a program: job ${this.spec.id} was destroyed`);
    const folder = join(this.#folder, 'inputs', fileName(run.id));
    const { input } = run;
    try {
      if (input) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await pipeline(input, createWriteStream(join(folder, 'input'), { mode: 0o600 }), { signal: run.signal });
      }
      const binds = input ? [{ source: folder, target: inputMountPoint, isWritable: false }] : [];
      return await runOwnProgram(run, {
        workspace: this.spec.workspace,
        stage: (step) => this.#stageCounted(step, binds),
        release: (staged, release) => staged.release(release),
        ...(input
          ? { prologue: `open(STDIN, '<', '${inputMountPoint}/input') or die "its input cannot be read: $!";` }
          : {}),
      });
    } finally {
      if (input) await rm(folder, { recursive: true, force: true });
    }
  }

  /** Absent while nobody has destroyed it. */
  get end(): Promise<void> | undefined {
    return this.#destroyed;
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  #stageClone(): StagedStep {
    const { repository } = this.spec;
    if (!repository || !this.#checkout) {
      throw new TypeError(`Cannot stage a checkout: job ${this.spec.id} has no repository`);
    }
    const begin = (gathering: Promise<GatheredCheckout>): void => this.#gathered.resolve(gathering);
    return new CloneStep({ repository, mounted: this.#checkout, begin });
  }

  async #stageSandbox(step: StageSpec, binds: readonly Bind[]): Promise<StagedStep> {
    const signal = step.signal ? AbortSignal.any([step.signal, this.#ending.signal]) : this.#ending.signal;
    const askedAtMs = performance.now();
    const image = await untilAborted(
      signal,
      this.#host.images.provide(step.image, {
        pull: step.pull,
        ...(step.credentials ? { credentials: step.credentials } : {}),
        ...(step.progress ? { progress: step.progress } : {}),
        signal,
      }),
    );
    step.onImage?.(performance.now() - askedAtMs);
    const kind: SandboxKind = {
      layers: image.layers,
      skeleton: await this.#host.skeleton(this.spec.workspace),
      workspace: this.spec.workspace,
      limits: step.limits,
      network: step.network === 'none' ? 'none' : 'job',
    };
    const rootLayers = [...image.layers, kind.skeleton];
    const cache =
      step.cache &&
      this.#caches?.stage(step.cache, {
        step: step.name,
        imageDigest: image.digest,
        findFault: (path) => findOccupant(rootLayers, path),
      });
    const volumes = [...(await untilAborted(signal, this.#volumes.bindsOf(step))), ...this.#bindsOf(cache), ...binds];
    // What waits behind its gate was made before anybody knew of this job's volumes.
    const isOrdinary = volumes.length === 0;
    if (isOrdinary) this.#foresee(kind);
    const staged =
      (isOrdinary ? await this.#waiting.take(this.#holder, kind) : undefined) ??
      (await this.#launches.take(() => this.#launch(step, kind, volumes, signal)));
    staged.ports = image.config.exposedPorts ?? [];
    this.#tellSharedPorts(step, staged.ports);
    this.#steps.add(staged);
    staged.assign(
      sandboxUse(staged, {
        step,
        image: image.config,
        workspace: this.spec.workspace,
        environment: this.#host.environment(this.spec.workspace),
        hostNames: this.spec.hostNames,
        diskFolders: [this.#workspaceUpper, ...this.#volumes.diskFolders, ...(cache ? [cache.folder] : [])],
        onGone: () => this.#steps.delete(staged),
      }),
    );
    try {
      await untilAborted(signal, this.#mounted);
    } catch (error) {
      await staged.discard();
      throw error;
    }
    const cached = cache ? new CachedStep(staged, cache) : staged;
    return step.result?.kind === 'keep'
      ? new KeptStep(cached, step.result, this.#resultPlace(), () => image.digest)
      : cached;
  }

  async #launch(
    step: StageSpec,
    kind: SandboxKind,
    volumes: readonly Bind[],
    signal: AbortSignal,
  ): Promise<SandboxStep> {
    if (signal.aborted) throw endedMeanwhile();
    return launchGate(this.#host, {
      ...gateOf(this.#holder, kind),
      volumes,
      name: step.name,
      cgroupName: `${fileName(this.spec.id)}/${fileName(step.id)}`,
      folder: join(this.#folder, 'steps', fileName(step.id)),
    });
  }

  /** Two that listen on one port cannot both have it: said before the second fails with "address already in use". */
  #tellSharedPorts({ name, hostName, ports, progress }: StageSpec, imagePorts: readonly PortPlan[]): void {
    if (hostName === undefined) return;
    for (const { port, protocol } of ports ?? imagePorts) {
      const key = `${port}/${protocol}`;
      const other = this.#listeners.get(key);
      if (other === undefined) this.#listeners.set(key, name);
      else if (other !== name)
        progress?.(`warning: "${other}" names port ${key} too, and the steps of a workflow share one network here`);
    }
  }

  /** What this job begins with, the next one is made ready for. */
  #foresee(kind: SandboxKind): void {
    if (this.#kinds.length === kindsForeseen) return;
    this.#kinds.push(kind);
    this.#waiting.foresee(this.#kinds);
  }

  #resultPlace(): ResultPlace {
    this.#results += 1;
    return {
      store: this.#host.cacheStore,
      workspace: `/proc/${this.#holder.pid}/root${this.#holder.placeOf('workspace')}`,
      folder: join(this.#folder, 'results', String(this.#results)),
      isRootless: this.#host.isRootless,
    };
  }

  /** Mounts of a sandbox that is launched after this: empty until the cache is restored. */
  #bindsOf(cache: StepCache | undefined): readonly Bind[] {
    return (cache?.ownPlaces ?? []).map(({ path, number }) => ({
      source: this.#holder.makeCachePlace(number),
      target: path,
      isWritable: true,
    }));
  }

  #openCaches(): JobCaches | undefined {
    const { caches: access, workspace } = this.spec;
    const { cacheStore: store, isRootless, du, cp } = this.#host;
    const folder = join(this.#folder, 'caches');
    const mounts = new HolderMounts({ holder: this.#holder, isRootless, cp });
    return access && new JobCaches({ access, store, mounts, folder, workspace, isRootless, du });
  }

  get #workspaceUpper(): string {
    return join(this.#folder, 'workspace');
  }

  /** All objects are tried, also when one removal fails: the first failure is told at the end. */
  async #destroy(): Promise<void> {
    this.#ending.abort(endedMeanwhile());
    // What the runner has to tell of the end is on its way before this keeps it busy.
    await new Promise((resolve) => setImmediate(resolve));
    const failures: unknown[] = [];
    const attempt = async (removal: () => Promise<void> | void): Promise<void> => {
      try {
        await removal();
      } catch (error) {
        failures.push(error);
      }
    };
    await Promise.all([...this.#steps].map((step) => attempt(() => step.destroy())));
    await attempt(() => this.#waiting.dismiss(this.#holder));
    // The end of the holder ends whatever is still being staged.
    await attempt(() => this.#holder.close());
    if (this.#staging > 0) await new Promise<void>((resolve) => (this.#onStagingDone = resolve));
    await attempt(() => this.#host.cgroups?.removeJob(fileName(this.spec.id)));
    await attempt(() => this.#host.removal.remove(this.#folder));
    this.#caches?.release();
    // A checkout that is still being made is not waited for; its lease goes back when it comes.
    void this.#checkout?.then((checkout) => checkout.release()).catch(() => undefined);
    this.#host.forget(this.spec.id);
    if (failures.length > 0) {
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot remove everything of job ${this.spec.id}`, {
        cause: failures[0],
      });
    }
  }

  /** The sealed checkout below, submodules over it, this job's upper with its HEAD and origin on top: a mount. */
  async #mountCheckout(repository: RepositorySpec, gathered: GatheredCheckout): Promise<Checkout> {
    const { submodules } = gathered;
    const leased = [await this.#host.provideCheckout({ ...repository, ...gathered.source })];
    const [checkout] = leased as [Checkout];
    const release = (): void => {
      for (const each of leased) each.release();
    };
    try {
      if (submodules.length > 0) leased.push(await this.#host.provideSubmodules(submodules, repository.path ?? ''));
      await writeWorkTreeSettings(this.#workspaceUpper, repository, gathered);
      await this.#holder.setWorkspace({
        overlay: overlayMount(
          {
            lowers: leased.flatMap(({ layers }) => layers),
            upper: this.#workspaceUpper,
            work: join(this.#folder, 'workspace-work'),
          },
          { isRootless: this.#host.isRootless, isKept: false },
        ),
      });
    } catch (error) {
      release();
      throw error;
    }
    return { ...checkout, release };
  }
}

function endedMeanwhile(): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', 'Cannot stage a step: it was cancelled, or its job ended, meanwhile');
}

/** Waits no longer than the signal lets it: what is being made may go on for others. */
function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.reject(endedMeanwhile());
  }
  const aborted = Promise.withResolvers<never>();
  const listener = (): void => aborted.reject(endedMeanwhile());
  signal.addEventListener('abort', listener, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', listener));
}

/** Ids come from us, but they become paths. */
export function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
}

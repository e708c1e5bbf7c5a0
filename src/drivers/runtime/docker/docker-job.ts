import { setTimeout as delay } from 'node:timers/promises';
import { findPrivilegedFault } from '../../../core/admit-privileged.ts';
import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { EngineError, EngineUnreachable, isNotFound } from '../../container-engine/api/engine-error.ts';
import type { EngineImage } from '../../container-engine/api/engine-images.ts';
import { awaitPorts } from '../await-ports.ts';
import { runOwnProgram } from '../own-program.ts';
import type { JobSpec, PortAnswers, PortWait, ProgramRun, RuntimeJob, StagedStep, StageSpec } from '../runtime.ts';
import { agentPrefix } from './agent.ts';
import { CloneStep } from './clone-step.ts';
import { attach } from './container-stream.ts';
import type { DockerHost } from './docker-host.ts';
import { DockerStep } from './docker-step.ts';
import { allowMountingAgain, type CacheMount } from './engine-mounts.ts';
import { archive } from './gate-volume.ts';
import { JobNames } from './job-names.ts';
import { JobVolumes } from './job-volumes.ts';
import { KeptSteps } from './kept-steps.ts';
import { privilegedRequest } from './privileged-request.ts';
import { holdOf, stepContainer } from './step-container.ts';
import { addressIn, type Surroundings } from './surroundings.ts';
import { volumeMount } from './volume-mount.ts';

/** Image in which checkouts are made. */
const cloneImage = 'base/git';
const startTimeoutMs = 120_000;

/** How the container of a step is made, where that is not by its plan alone. */
interface Made {
  readonly image?: EngineImage;
  readonly mounts?: readonly CacheMount[];
  readonly round?: number;
}

/** One attempt of one workflow: a workspace, a network, and steps that come and go in containers of their own. */
export class DockerJob implements RuntimeJob {
  readonly spec: JobSpec;
  readonly #host: DockerHost;
  readonly #surroundings: Surroundings;
  readonly #onGone: () => void;
  readonly #names: JobNames;
  readonly #volumes: JobVolumes;
  readonly #kept: KeptSteps | undefined;
  /** Host name of each step that has one, by the id of the step. */
  readonly #hostNames = new Map<string, string>();
  readonly #staged = new Set<string>();
  readonly #steps = new Set<DockerStep>();
  readonly #staging = new Set<Promise<unknown>>();
  /** Aborted when the job ends: nothing that is waited for on its behalf goes on. */
  readonly #ending = new AbortController();
  #destroyed: Promise<void> | undefined;

  constructor(options: {
    readonly spec: JobSpec;
    readonly host: DockerHost;
    readonly surroundings: Surroundings;
    readonly onGone: () => void;
  }) {
    this.spec = options.spec;
    this.#host = options.host;
    this.#surroundings = options.surroundings;
    this.#onGone = options.onGone;
    this.#names = new JobNames(this.spec.hostNames ?? [], this.#surroundings);
    this.#volumes = new JobVolumes(this.spec, this.#host, this.#host.gateImage);
    const { keeping } = this.#host;
    this.#kept =
      keeping &&
      new KeptSteps({
        spec: this.spec,
        host: this.#host,
        keeping,
        surroundings: this.#surroundings,
        provide: (step) => this.#provide(step),
        stage: (step, made) => this.#whileStaging(this.#stageContainer(step, made)),
      });
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    if (this.#destroyed) throw new TypeError(`Cannot stage step "${step.name}": job ${this.spec.id} was destroyed`);
    if (this.#staged.has(step.id)) throw new TypeError(`Cannot stage step ${step.id}: it was staged before`);
    this.#staged.add(step.id);
    return this.#whileStaging(this.#stage(step));
  }

  /** The end of the job waits for it. */
  async #whileStaging<Staged>(staging: Promise<Staged>): Promise<Staged> {
    this.#staging.add(staging);
    try {
      return await staging;
    } finally {
      this.#staging.delete(staging);
    }
  }

  /** Steps share one network namespace, but for those that have an address of their own. */
  waitForPorts(wait: PortWait): Promise<PortAnswers> {
    const signal = AbortSignal.any([wait.signal, this.#ending.signal]);
    return awaitPorts(
      { ...wait, signal },
      {
        answering: (ports) => this.#names.answering(this.#hostNames.get(wait.stepId), ports),
        nowMs: () => performance.now(),
        // The end of the wait is the loop's own affair: a pause that is cut short only looks once more.
        pause: (ms) => delay(ms, undefined, { signal }).catch(() => undefined),
      },
    );
  }

  /** Its input goes through the engine, which may be anywhere. */
  async runProgram(run: ProgramRun): Promise<Outcome> {
    if (this.#destroyed) throw new TypeError(`Cannot run a program: job ${this.spec.id} was destroyed`);
    const runIt = (mounts: readonly CacheMount[]): Promise<Outcome> =>
      runOwnProgram(run, {
        workspace: this.spec.workspace,
        stage: (step) => this.#whileStaging(this.#stageContainer(step, { mounts })),
        release: (staged, release) => staged.release(release, run.input),
      });
    // It sees what the steps see.
    return this.#kept ? this.#kept.seeing(run, runIt) : runIt([]);
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #stage(step: StageSpec): Promise<StagedStep> {
    if (step.kind !== 'clone') return this.#kept ? this.#kept.stage(step) : this.#stageContainer(step);
    const { repository } = this.spec;
    if (!repository) throw new TypeError(`Cannot stage a checkout: job ${this.spec.id} has no repository`);
    const container = await this.#stageContainer({
      ...step,
      image: cloneImage,
      pull: 'default',
      user: '0:0',
      workingDirectory: undefined,
      volumes: [],
      network: 'none',
    });
    return new CloneStep(container, repository);
  }

  async #stageContainer(step: StageSpec, made: Made = {}): Promise<DockerStep> {
    try {
      const image = made.image ?? (await this.#provide(step));
      return await this.#host.starts.take(() => this.#start(step, image, made));
    } catch (error) {
      if (error instanceof GantryError) throw error;
      throw stagingError(step, error);
    }
  }

  /** Its image, unless it asks for what it may not have. */
  async #provide(step: StageSpec): Promise<EngineImage> {
    if (step.privileged) this.#admitPrivileged(step);
    this.#refuseHostRights(step);
    const askedAtMs = performance.now();
    try {
      const image = await untilAborted(this.#signalOf(step), this.#host.images.provide(step.image, step));
      step.onImage?.(performance.now() - askedAtMs);
      return image;
    } catch (error) {
      if (error instanceof GantryError) throw error;
      throw stagingError(step, error);
    }
  }

  #signalOf({ signal }: StageSpec): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
  }

  /** The variables are looked at when they come, at the release. */
  #admitPrivileged(step: StageSpec): void {
    const fault = findPrivilegedFault(privilegedRequest(step), this.#host.privilegedImages);
    if (fault !== undefined) throw new GantryError('REQUEST_INVALID', fault);
  }

  /** The plan has looked at all of this; whoever shows a step the engine's socket gives it the host. */
  #refuseHostRights(step: StageSpec): void {
    const asks = step.privileged || step.network === 'host' || step.devices?.length || step.hostVolumes?.length;
    const refuse = (because: string): never => {
      throw new GantryError('REQUEST_INVALID', `Cannot run step "${step.name}": ${because}`);
    };
    if (asks && this.spec.isStrict) refuse('it asks for rights on its host, and its work is not trusted');
    for (const { source } of step.hostVolumes ?? []) {
      const fault = this.#host.findHostFolderFault(source);
      if (fault !== undefined) refuse(`the folder "${source}" of the host is not mounted: ${fault}`);
    }
  }

  /** The gate waits in a container of the step's image when this resolves. */
  async #start(step: StageSpec, wanted: EngineImage, { mounts = [], round = 1 }: Made): Promise<DockerStep> {
    const { client, removal } = this.#host;
    const signal = this.#signalOf(step);
    if (signal.aborted) throw endedMeanwhile();
    const name = `${agentPrefix(this.#host.agent)}-${fileName(step.id)}`;
    // One whose mounts changed before its release has another container.
    const container = round === 1 ? name : `${name}-${round}`;
    let image = wanted;
    removal.known.add(container);
    const remove = (): Promise<void> => removal.remove([['containers', container]]);
    try {
      const isApart = this.#needsOwnAddress(step, image);
      this.#tellOfStrictUser(step);
      const { agent, gateVolume } = this.#host;
      const body = stepContainer({
        agent,
        job: this.spec,
        step,
        image,
        surroundings: this.#surroundings,
        gateVolume: await gateVolume(),
        mounts: [
          ...(await this.#volumes.mountsOf(step)),
          ...mounts.map(({ volume, target }) => volumeMount(volume, target, false)),
        ],
        ownHosts: isApart ? this.#names.hostsFor(step.hostName ?? '') : undefined,
      });
      const create = (): Promise<unknown> =>
        client.call('POST', '/containers/create', { query: { name: container }, body: { ...body, Image: image.id } });
      await create().catch(async (error: unknown) => {
        if (!isNotFound(error)) throw error;
        // Somebody removed the image since: it is fetched again, once.
        image = await this.#host.images.provide(step.image, step);
        await create();
      });
      allowMountingAgain(mounts);
      await this.#putFiles(container);
      const socket = await attach(client, container);
      const staged: DockerStep = new DockerStep({
        client,
        watch: this.#host.watch,
        container,
        socket,
        step,
        image,
        privilegedImages: this.#host.privilegedImages,
        defaults: this.#host.defaults(this.spec.workspace),
        ...(step.network === 'none' ? {} : { names: this.#names }),
        sharesNames: step.network === 'job' && !isApart,
        // Caches are saved when no process has them any more.
        lingers: mounts.length === 0,
        remove: async () => {
          this.#steps.delete(staged);
          await remove();
        },
      });
      this.#steps.add(staged);
      try {
        allowMountingAgain(mounts);
        await client.call('POST', `/containers/${container}/start`, { timeoutMs: startTimeoutMs });
        if (isApart && step.hostName !== undefined)
          this.#names.giveAddress(step.hostName, await addressIn(client, container, this.#surroundings.network));
        if (step.network !== 'none') await this.#names.settle();
        if (signal.aborted) throw endedMeanwhile();
        return staged;
      } catch (error) {
        await staged.discard();
        throw error;
      }
    } catch (error) {
      void remove();
      throw error;
    }
  }

  /** Before anything of the step ran: an engine that writes into a container which runs can be led astray by it. */
  async #putFiles(container: string): Promise<void> {
    const { client, filesOfImages } = this.#host;
    if (filesOfImages.size === 0) return;
    const files = Object.fromEntries([...filesOfImages].map(([path, bytes]) => [path.slice(1), bytes]));
    await client.call('PUT', `/containers/${container}/archive`, { query: { path: '/' }, body: await archive(files) });
  }

  /** Two that listen on one port cannot share a network namespace: the later one gets an address of its own. */
  #needsOwnAddress(step: StageSpec, image: EngineImage): boolean {
    const { hostName } = step;
    if (hostName === undefined || step.network === 'none') return false;
    this.#hostNames.set(step.id, hostName);
    const other = this.#names.claimPorts(hostName, [...(step.ports ?? []), ...image.ports]);
    if (other === undefined) return false;
    step.progress?.(
      `"${other}" names a port of "${hostName}" too: "${hostName}" is reached by its name, not on localhost`,
    );
    return true;
  }

  /** Databases begin as root and go on as another user, which takes a right that strict work does not have. */
  #tellOfStrictUser(step: StageSpec): void {
    if (holdOf(this.spec, step) !== 'strict' || step.startsIn !== 'image' || step.user !== undefined) return;
    step.progress?.(
      'untrusted work is held tighter: an image that changes its user at its start cannot do that here; "user" of the step says as whom it is to run',
    );
  }

  /** What runs is ended before this resolves; what the engine holds of it is given back beside other work. */
  async #destroy(): Promise<void> {
    this.#ending.abort(endedMeanwhile());
    await Promise.allSettled(this.#staging);
    await Promise.allSettled([...this.#steps].map((step) => step.destroy()));
    void this.#giveBack().catch((error: unknown) => {
      this.#host.logger.warn('The surroundings of a job could not be given back', { job: this.spec.id, error });
    });
    this.#onGone();
  }

  async #giveBack(): Promise<void> {
    await this.#volumes.remove();
    await this.#kept?.remove();
    await this.#surroundings.remove();
  }
}

function endedMeanwhile(): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', 'Cannot stage a step: it was cancelled, or its job ended, meanwhile');
}

/** What the engine refuses of a container is the step's own fault where it names what the step asked for. */
function stagingError(step: StageSpec, error: unknown): GantryError {
  const message = error instanceof Error ? error.message : String(error);
  const isOwnFault =
    error instanceof EngineError &&
    !(error instanceof EngineUnreachable) &&
    (error.status === 400 ||
      /unable to find (user|group)|no matching entries|no users found|invalid (user|working|mount)/i.test(message));
  return new GantryError(
    isOwnFault ? 'IMAGE_INVALID' : 'RUNTIME_UNAVAILABLE',
    `Cannot start a container for step "${step.name}": ${message}`,
    { cause: error },
  );
}

/** Waits no longer than the signal lets it: what is being fetched may go on for others. */
function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  if (signal.aborted) return Promise.reject(endedMeanwhile());
  const aborted = Promise.withResolvers<never>();
  const listener = (): void => aborted.reject(endedMeanwhile());
  signal.addEventListener('abort', listener, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', listener));
}

/** Ids come from us, but they become names. */
function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 100);
}

import { realpathSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import { findHostFolderFault } from '../../../core/host-folder.ts';
import type { ComposedImages } from '../../../core/image.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Timers } from '../../../lib/timers.ts';
import { Turns } from '../../../lib/turns.ts';
import { type EngineAddress, parseEngineAddress } from '../../container-engine/api/engine-address.ts';
import { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineImages } from '../../container-engine/api/engine-images.ts';
import { EngineWatch } from '../../container-engine/api/engine-watch.ts';
import type { CacheHome } from '../caches/cache-home.ts';
import { createStepResults } from '../caches/step-results.ts';
import type { ImageWish, JobSpec, Runtime, RuntimeJob, RuntimeProbe, StepResults } from '../runtime.ts';
import type { Agent } from './agent.ts';
import { DockerJob } from './docker-job.ts';
import type { EngineKeeping } from './engine-keeping.ts';
import { EngineSharing } from './engine-sharing.ts';
import { gateFolder } from './gate-program.ts';
import { makeGateVolume } from './gate-volume.ts';
import { ImageOccupants } from './image-occupants.ts';
import { probeEngine } from './probe.ts';
import { reap } from './reaper.ts';
import { RemovalQueue } from './removal-queue.ts';
import { Subnets } from './subnets.ts';
import { SurroundingsMaker } from './surroundings.ts';
import { SurroundingsPool } from './surroundings-pool.ts';

export interface DockerRuntimeOptions {
  /** `unix:///var/run/docker.sock`, `tcp://host:2375`, `https://host:2376`. */
  readonly engine: string;
  readonly agent: Agent;
  readonly composed: ComposedImages;
  /** Host of image names without one; absent = Docker's. */
  readonly defaultRegistry?: string | undefined;
  /** File that remembers which images were pulled with which logins. */
  readonly readersPath?: string | undefined;
  /** Addresses of job networks. */
  readonly subnetRange?: string | undefined;
  /** Images that may run privileged: `registry/repository@sha256:…` or `registry/repository:tag`. None by default. */
  readonly privilegedImages?: readonly string[] | undefined;
  /** Files that every step has, by absolute path. */
  readonly stepFiles?: ReadonlyMap<string, Buffer> | undefined;
  /** What caches and results of steps are kept with; absent = there are none. */
  readonly caches?: CacheHome | undefined;
  /** How long a silent engine is waited for while steps run. */
  readonly enginePatienceMs?: number | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Image of the pause container and of the gate. */
const gateImage = 'base/gate';
/** Next to the range of the sandbox, which may run on the same host. */
const defaultSubnetRange = '10.214.0.0/16';
/** An engine starts two containers at once about as fast as one, and more of them no faster. */
const startsAtOnce = 2;

/**
 * Runs steps in containers of a Docker Engine, or of Podman through the same interface. Each job has a network and a
 * volume of its own, held by a pause container whose network its steps join; each step waits behind a gate, and its
 * script and secrets reach it over its attached input, so that they lie in no configuration, label or disk.
 */
export function createDockerRuntime(options: DockerRuntimeOptions): Runtime {
  return new DockerRuntime(options);
}

class DockerRuntime implements Runtime {
  readonly name = 'docker';
  readonly #options: DockerRuntimeOptions;
  readonly #client: EngineClient;
  readonly #images: EngineImages;
  readonly #removal: RemovalQueue;
  readonly #watch: EngineWatch;
  readonly #pool: SurroundingsPool;
  readonly #starts = new Turns(startsAtOnce);
  readonly #jobs = new Map<string, Promise<DockerJob>>();
  readonly #keeping: EngineKeeping | undefined;
  #gate: Promise<string> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: DockerRuntimeOptions) {
    this.#options = options;
    const { agent, clock, composed, defaultRegistry, logger, timers } = options;
    const address = parseEngineAddress(options.engine);
    this.#client = new EngineClient(address);
    const { readersPath } = options;
    this.#images = new EngineImages({ client: this.#client, composed, defaultRegistry, readersPath, clock });
    this.#removal = new RemovalQueue(this.#client, logger);
    this.#watch = new EngineWatch({
      client: this.#client,
      timers,
      clock,
      logger,
      patienceMs: options.enginePatienceMs,
    });
    const maker = new SurroundingsMaker({
      client: this.#client,
      agent,
      subnets: new Subnets(options.subnetRange ?? defaultSubnetRange, agent.pid * 16),
      removal: this.#removal,
      pauseImage: () => this.#gateImage(),
      hostSubnets: () => hostSubnets(address),
    });
    this.#pool = new SurroundingsPool(() => maker.make(), logger);
    const { caches: home } = options;
    const [client, removal] = [this.#client, this.#removal];
    this.#keeping = home && {
      home,
      sharing: new EngineSharing({ address, client, agent, home, removal, image: () => this.#gateImage() }),
      occupants: new ImageOccupants(client, agent, removal),
    };
  }

  /** Whether the engine can mount them is told to each step. */
  get keepsCaches(): boolean {
    return this.#keeping !== undefined;
  }

  get results(): StepResults | undefined {
    const keeping = this.#keeping;
    return (
      keeping &&
      createStepResults({
        // Docker and Podman hold steps the same way.
        surroundings: 'container',
        findHindrance: () => keeping.sharing.findHindrance(),
        digestOf: async ({ image, ...wish }) => (await this.#images.provide(image, wish)).id,
        store: keeping.home.store,
      })
    );
  }

  async fetchImage({ image, pull, credentials }: ImageWish): Promise<void> {
    await this.#images.provide(image, { pull, ...(credentials ? { credentials } : {}) });
  }

  async probe(): Promise<RuntimeProbe> {
    const probe = await probeEngine(this.#client, this.#options.engine);
    const hindrance = this.#keeping?.sharing.findPlainHindrance();
    if (!probe.isUsable || hindrance === undefined) return probe;
    return { ...probe, findings: [...probe.findings, `Caches and reuse of steps are off: ${hindrance}`] };
  }

  prepare(job: JobSpec): Promise<RuntimeJob> {
    let made = this.#jobs.get(job.id);
    if (!made) {
      made = this.#prepare(job);
      this.#jobs.set(job.id, made);
      made.catch(() => this.#jobs.delete(job.id));
    }
    return made;
  }

  async reap(): Promise<readonly string[]> {
    const { agent, caches } = this.#options;
    // The folders go after what had them mounted.
    const removed = await reap({ client: this.#client, agent, removal: this.#removal });
    return [...removed, ...(caches?.reap() ?? [])];
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #prepare(job: JobSpec): Promise<DockerJob> {
    if (this.#closed) throw unavailable(job, 'the runtime was closed');
    const fault = findWorkspaceFault(job.workspace);
    if (fault) throw new GantryError('REQUEST_INVALID', `Cannot use "${job.workspace}" as the workspace: ${fault}`);
    const surroundings = await this.#pool.take().catch((error: unknown) => {
      if (error instanceof GantryError) throw error;
      throw unavailable(job, error instanceof Error ? error.message : String(error), error);
    });
    return new DockerJob({
      spec: job,
      surroundings,
      host: {
        client: this.#client,
        agent: this.#options.agent,
        images: this.#images,
        watch: this.#watch,
        removal: this.#removal,
        starts: this.#starts,
        privilegedImages: this.#options.privilegedImages ?? [],
        findHostFolderFault: (path) => findRealFolderFault(path, parseEngineAddress(this.#options.engine)),
        filesOfImages: this.#filesOutsideGate(),
        gateImage: () => this.#gateImage(),
        gateVolume: () => this.#gateVolume(),
        defaults: (workspace) => ({
          // The workspace may belong to another user than the step: git would call that dubious and refuse.
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: 'safe.directory',
          GIT_CONFIG_VALUE_0: workspace,
        }),
        keeping: this.#keeping,
        logger: this.#options.logger,
      },
      onGone: () => {
        this.#jobs.delete(job.id);
        this.#pool.fill();
      },
    });
  }

  async #gateImage(): Promise<string> {
    return (await this.#images.provide(gateImage, { pull: 'default' })).id;
  }

  /** Made once; an engine that was away when it was to be made is asked again. */
  #gateVolume(): Promise<string> {
    if (this.#gate) return this.#gate;
    const making = (async () =>
      makeGateVolume({
        client: this.#client,
        agent: this.#options.agent,
        image: await this.#gateImage(),
        files: this.#gateFiles(),
        removal: this.#removal,
      }))();
    this.#gate = making;
    making.catch(() => {
      this.#gate = undefined;
    });
    return making;
  }

  /** Those that lie beside the gate, by path below it. */
  #gateFiles(): Readonly<Record<string, Buffer>> {
    const below = `${gateFolder}/`;
    const files = [...(this.#options.stepFiles ?? [])].filter(([path]) => path.startsWith(below));
    return Object.fromEntries(files.map(([path, bytes]) => [path.slice(below.length), bytes]));
  }

  /** Those that lie among the files of the image. */
  #filesOutsideGate(): ReadonlyMap<string, Buffer> {
    return new Map([...(this.#options.stepFiles ?? [])].filter(([path]) => !path.startsWith(`${gateFolder}/`)));
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#jobs.values().map(async (made) => (await made).destroy()));
    await this.#pool.close();
    const gate = await this.#gate?.catch(() => undefined);
    await this.#removal.finish();
    // Last, since the containers had it mounted.
    if (gate !== undefined) await this.#removal.remove([['volumes', gate]]);
    const { caches } = this.#options;
    if (caches) rmSync(join(caches.folder(), 'engine'), { recursive: true, force: true });
    await caches?.close();
    this.#client.close();
  }
}

function unavailable(job: JobSpec, because: string, cause?: unknown): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', `Cannot run job ${job.id} in a container engine: ${because}`, {
    cause,
  });
}

/** Of an engine on this host, links are followed first: whoever may write to one folder could make one into another. */
function findRealFolderFault(path: string, address: EngineAddress): string | undefined {
  const fault = findHostFolderFault(path);
  if (fault !== undefined || address.kind === 'network') return fault;
  try {
    return findHostFolderFault(realpathSync(path));
  } catch {
    return 'it is not there';
  }
}

/** An engine on this host shares its routes; of one elsewhere nothing is known. */
function hostSubnets(address: EngineAddress): readonly string[] {
  if (address.kind === 'network') return [];
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).flatMap(({ cidr }) => cidr ?? []));
}

/** Folders that a mount over them would make a container unusable. */
function findWorkspaceFault(workspace: string): string | undefined {
  if (!workspace.startsWith('/') || workspace.length > 1_000) return 'it is no absolute path';
  const parts = workspace.split('/').filter((part) => part !== '');
  if (parts.length === 0) return 'it is the root';
  if (parts.some((part) => part === '.' || part === '..')) return 'it has "." or ".." in it';
  if (/[\0\n,:]/.test(workspace)) return 'it has a character that no engine takes';
  if (['proc', 'sys', 'dev', '.gantry'].includes(parts[0]!)) return `"/${parts[0]}" belongs to the system`;
  return undefined;
}

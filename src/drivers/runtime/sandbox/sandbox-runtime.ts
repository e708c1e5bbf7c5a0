import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GantryError } from '../../../core/errors.ts';
import { generationName } from '../caches/generation.ts';
import { createStepResults } from '../caches/step-results.ts';
import type { ImageWish, JobSpec, Runtime, RuntimeJob, RuntimeProbe, StepResults } from '../runtime.ts';
import {
  type AssembledHost,
  assembleHost,
  generationsFolder,
  jobsFolder,
  type SandboxRuntimeOptions,
} from './assemble-host.ts';
import { Reaper } from './reaper.ts';
import { fileName, SandboxJob } from './sandbox-job.ts';
import { findWorkspaceFault } from './skeleton.ts';

export type { SandboxRuntimeOptions } from './assemble-host.ts';

/**
 * Runs steps in sandboxes on this host: images unpacked beforehand, an overlay per step, namespaces per job, limits by
 * control groups, a filter on system calls, and one gate for both launchers. Never runs a step without isolation: where
 * the host cannot give it, `probe` says what is missing and `prepare` refuses.
 */
export async function createSandboxRuntime(options: SandboxRuntimeOptions): Promise<Runtime> {
  const assembled = await assembleHost(options);
  if (assembled.ready) assembled.pool?.fill();
  return new SandboxRuntime(options, assembled);
}

/** A resolver that is slow to answer does not hold up the start of a runner; a later probe tells what it said. */
const lookupPatienceMs = 500;

class SandboxRuntime implements Runtime {
  readonly name = 'sandbox';
  readonly keepsCaches = true;
  readonly #options: SandboxRuntimeOptions;
  readonly #assembled: AssembledHost;
  readonly #jobs = new Map<string, Promise<SandboxJob>>();
  /** Those of them that are there, until nothing is left of them. */
  readonly #made = new Set<SandboxJob>();
  #lookupFault: Promise<string | undefined> | undefined;
  #reaper: Reaper | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SandboxRuntimeOptions, assembled: AssembledHost) {
    this.#options = options;
    this.#assembled = assembled;
  }

  get results(): StepResults | undefined {
    const { ready } = this.#assembled;
    const { images } = this.#options;
    return (
      ready &&
      createStepResults({
        // What the sandbox adds is the same for all: another isolation does not make another result.
        surroundings: 'sandbox',
        digestOf: ({ image, pull, credentials, signal }) =>
          images.digestOf(image, { pull, ...(credentials ? { credentials } : {}), ...(signal ? { signal } : {}) }),
        store: ready.caches,
      })
    );
  }

  async fetchImage({ image, pull, credentials, signal }: ImageWish): Promise<void> {
    await this.#options.images.provide(image, {
      pull,
      ...(credentials ? { credentials } : {}),
      ...(signal ? { signal } : {}),
    });
  }

  async probe(): Promise<RuntimeProbe> {
    const { ready, cgroups, network } = this.#assembled;
    this.#lookupFault ??= this.#findLookupFault();
    const lookupFault = await Promise.race([this.#lookupFault, delay(lookupPatienceMs, undefined, { ref: false })]);
    const findings = [...(lookupFault === undefined ? [] : [lookupFault]), ...this.#assembled.findings];
    const isUsable = ready !== undefined;
    const limits = cgroups?.capabilities;
    return {
      isUsable,
      findings,
      capabilities: {
        memoryLimit: isUsable && (limits?.memory ?? false),
        pidsLimit: isUsable && (limits?.pids ?? false),
        oomReport: isUsable && (limits?.memory ?? false),
        diskLimit: isUsable,
        network: isUsable && network !== undefined,
        services: isUsable,
        volumes: isUsable,
        processes: isUsable,
      },
    };
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
    const { cgroups, removal, networkPrograms } = this.#assembled;
    if (!removal) return [];
    this.#reaper ??= new Reaper({
      own: this.#options.generation,
      generationsFolder: generationsFolder(this.#options),
      runFolder: this.#options.runFolder,
      cgroups,
      removal,
      network: networkPrograms,
      clock: this.#options.clock,
    });
    this.#assembled.ready?.caches.collect();
    return this.#reaper.reap();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #prepare(job: JobSpec): Promise<SandboxJob> {
    const { ready, pool, findings } = this.#assembled;
    if (!ready || !pool || this.#closed) {
      const why = this.#closed ? 'the runtime was closed' : findings.join('; ');
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot run job ${job.id} in a sandbox: ${why}`);
    }
    if (job.isStrict)
      throw new GantryError(
        'REQUEST_INVALID',
        `Cannot run job ${job.id} in a sandbox: it is the work of somebody who may not write to the project`,
      );
    const fault = findWorkspaceFault(job.workspace);
    if (fault) throw new GantryError('REQUEST_INVALID', `Cannot use "${job.workspace}" as the workspace: ${fault}`);
    await this.#waitForRoom();
    const folder = join(jobsFolder(this.#generationFolder), fileName(job.id));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const holder = await pool.take('job');
    const made: SandboxJob = new SandboxJob({
      spec: job,
      host: {
        ...ready.host,
        forget: (id) => {
          this.#jobs.delete(id);
          this.#made.delete(made);
          pool.fill();
        },
      },
      folder,
      holder,
      waiting: ready.waiting,
    });
    this.#made.add(made);
    return made;
  }

  /** On a disk that is nearly full a job begins when what ended jobs had written is gone: it may need the room. */
  async #waitForRoom(): Promise<void> {
    const { removal } = this.#assembled;
    if (!removal?.isShortOfRoom) return;
    const ends = [...this.#made].map(({ end }) => end).filter((end) => end !== undefined);
    await Promise.allSettled(ends);
    await removal.makeRoom();
  }

  /** From a holder's namespace, which is then closed: a job gets one that nothing has used. */
  async #findLookupFault(): Promise<string | undefined> {
    const { ready, pool, network } = this.#assembled;
    if (!ready || !pool || !network || this.#closed) return undefined;
    const holder = await pool.take();
    try {
      return await network.findLookupFault(holder.pid, ready.perl);
    } finally {
      await holder.close();
    }
  }

  async #close(): Promise<void> {
    const { ready, pool, cgroups, removal, network } = this.#assembled;
    await Promise.allSettled(this.#jobs.values().map(async (made) => (await made).destroy()));
    await ready?.checkouts.close();
    await ready?.caches.settled();
    await ready?.waiting.close();
    await pool?.close();
    await network?.close();
    const generation = generationName(this.#options.generation);
    cgroups?.removeGeneration(generation);
    removal?.remove(this.#generationFolder);
    rmSync(join(this.#options.runFolder, generation), { recursive: true, force: true });
    await removal?.idle();
  }

  get #generationFolder(): string {
    return join(generationsFolder(this.#options), generationName(this.#options.generation));
  }
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { Images } from '../../../core/image.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { JobSpec, Runtime, RuntimeJob, RuntimeProbe, StageSpec } from '../runtime.ts';
import { BackgroundRemoval } from './background-removal.ts';
import { createCgroupsV1 } from './cgroup-v1.ts';
import { createCgroupsV2 } from './cgroup-v2.ts';
import type { Cgroups } from './cgroups.ts';
import { type Generation, generationName } from './generation.ts';
import { HolderPool } from './holder-pool.ts';
import { findHostProgram, packageOf, readPerl } from './host-programs.ts';
import type { LauncherName } from './launcher.ts';
import { bubblewrapCommand } from './launcher-bubblewrap.ts';
import { runcLaunch } from './launcher-runc.ts';
import { NamespaceHolder } from './namespace-holder.ts';
import type { SandboxHost } from './sandbox-host.ts';
import { fileName, SandboxJob } from './sandbox-job.ts';
import { assembleSeccompFilter } from './seccomp-assembler.ts';
import { caBundleMountPoint, findWorkspaceFault, Skeletons } from './skeleton.ts';
import { findArchitecture } from './system-calls.ts';

export interface SandboxRuntimeOptions {
  readonly launcher: LauncherName | 'auto';
  /** Data folder of the runner: uppers, checkouts. On a file system that overlays may write to. */
  readonly folder: string;
  /** Short path for pipes and private mounts. */
  readonly runFolder: string;
  readonly images: Images;
  readonly generation: Generation;
  readonly network: { readonly isEnabled: boolean };
  /** Certificate bundle given to every step; default: the host's. */
  readonly caBundle?: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Ready holders: two jobs may begin at once without waiting. */
const poolSize = 2;

/**
 * Runs steps in sandboxes on this host: images unpacked beforehand, an overlay per step, namespaces per job, limits by
 * control groups, a filter on system calls, and one gate for both launchers. Never runs a step without isolation: where
 * the host cannot give it, `probe` says what is missing and `prepare` refuses.
 */
export async function createSandboxRuntime(options: SandboxRuntimeOptions): Promise<Runtime> {
  const assembled = await assembleHost(options);
  return new SandboxRuntime(options, assembled);
}

interface Assembled {
  readonly host: Omit<SandboxHost, 'forget'> | undefined;
  readonly pool: HolderPool | undefined;
  readonly launcher: LauncherName | undefined;
  readonly findings: readonly string[];
}

class SandboxRuntime implements Runtime {
  readonly name = 'sandbox';
  readonly #options: SandboxRuntimeOptions;
  readonly #assembled: Assembled;
  readonly #jobs = new Map<string, Promise<SandboxJob>>();

  constructor(options: SandboxRuntimeOptions, assembled: Assembled) {
    this.#options = options;
    this.#assembled = assembled;
    assembled.pool?.fill();
  }

  async probe(): Promise<RuntimeProbe> {
    const { host, findings, launcher } = this.#assembled;
    const limits = host?.cgroups?.capabilities;
    return {
      isUsable: launcher !== undefined,
      findings,
      capabilities: {
        memoryLimit: limits?.memory ?? false,
        pidsLimit: limits?.pids ?? false,
        oomReport: limits?.memory ?? false,
        diskLimit: host !== undefined,
        network: false,
        processes: launcher !== undefined,
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
    return [];
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#jobs.values().map(async (made) => (await made).destroy()));
    await this.#assembled.pool?.close();
    await this.#assembled.host?.removal.idle();
  }

  async #prepare(job: JobSpec): Promise<SandboxJob> {
    const { host, pool, findings } = this.#assembled;
    if (!host || !pool) {
      throw new GantryError('RUNTIME_UNAVAILABLE', `Cannot run job ${job.id}: ${findings[0] ?? 'no sandbox'}`);
    }
    const fault = findWorkspaceFault(job.workspace);
    if (fault) {
      throw new GantryError('REQUEST_INVALID', `Cannot use ${job.workspace} as the workspace: ${fault}`);
    }
    const folder = join(generationFolder(this.#options), 'jobs', fileName(job.id));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const holder = await pool.take();
    return new SandboxJob({
      spec: job,
      host: { ...host, forget: (id) => void this.#jobs.delete(id) },
      folder,
      holder,
    });
  }
}

function generationFolder(options: SandboxRuntimeOptions): string {
  return join(options.folder, 'generations', generationName(options.generation));
}

async function assembleHost(options: SandboxRuntimeOptions): Promise<Assembled> {
  const architecture = findArchitecture();
  const findings: string[] = [];
  const perl = findHostProgram('perl');
  const bwrap = findHostProgram('bwrap');
  const runc = findHostProgram('runc');
  const du = findHostProgram('du');
  const rm = findHostProgram('rm');
  if (!architecture || !perl || !du || !rm) {
    return { host: undefined, pool: undefined, launcher: undefined, findings: ['The host lacks perl'] };
  }
  const perlProgram = await readPerl(perl);
  const launcher: LauncherName = options.launcher === 'runc' ? 'runc' : 'bubblewrap';
  const isRootless = process.getuid?.() !== 0;
  const generation = generationName(options.generation);
  const runFolder = join(options.runFolder, generation);
  mkdirSync(runFolder, { recursive: true, mode: 0o700 });
  mkdirSync(generationFolder(options), { recursive: true, mode: 0o700 });
  const seccompPath = join(runFolder, 'seccomp.bpf');
  writeFileSync(seccompPath, assembleSeccompFilter(architecture));
  const cgroupRoot = '/sys/fs/cgroup';
  const cgroups: Cgroups | undefined = isRootless
    ? undefined
    : existsSync(join(cgroupRoot, 'cgroup.controllers'))
      ? createCgroupsV2({ root: cgroupRoot, generation })
      : createCgroupsV1({ root: cgroupRoot, generation });
  const skeletons = new Skeletons(join(options.folder, 'skeletons'), perlProgram);
  const caBundle = options.caBundle;
  let sequence = 0;
  const pool = new HolderPool({
    size: poolSize,
    logger: options.logger,
    make: () => {
      sequence += 1;
      return NamespaceHolder.start({ name: `h${sequence}`, runFolder, perl, isRootless });
    },
  });
  const host: Omit<SandboxHost, 'forget'> = {
    images: options.images,
    architecture,
    isRootless,
    programs: { du, rm },
    cgroups,
    removal: new BackgroundRemoval({ folder: options.folder, program: rm, logger: options.logger }),
    caBundle,
    launcher: (view) => {
      if (launcher === 'bubblewrap') {
        return {
          command: bubblewrapCommand(bwrap ?? 'bwrap', view),
          seccompPath,
          hasOwnPids: false,
          visibleCgroups: [],
        };
      }
      return {
        ...runcLaunch(runc ?? 'runc', { ...view, cgroupsPath: `/${generation}/${view.name}` }),
        hasOwnPids: true,
        visibleCgroups: cgroups?.visibleToLauncher ?? [],
      };
    },
    skeleton: (workspace) =>
      skeletons.provide({
        workspace,
        resolvConf: readFileSync('/etc/resolv.conf', 'utf8'),
        hasCaBundle: caBundle !== undefined,
      }),
    environment: () => ({}),
    refuseUnenforceable: (_step: StageSpec) => {},
  };
  void packageOf;
  void caBundleMountPoint;
  return { host, pool, launcher, findings };
}

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { Images } from '../../../core/image.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import { BackgroundRemoval } from '../caches/background-removal.ts';
import type { CacheHome } from '../caches/cache-home.ts';
import { cachesFolder } from '../caches/cache-records.ts';
import { type CacheLimits, CacheStore, defaultCacheLimits } from '../caches/cache-store.ts';
import { type Generation, generationName, isOnlyGeneration } from '../caches/generation.ts';
import { findHostProgram, type HostProgram, packageOf, readPerl } from '../caches/host-programs.ts';
import { runProgram } from '../caches/run-program.ts';
import type { StageSpec } from '../runtime.ts';
import { createCgroupsV1 } from './cgroup-v1.ts';
import { createCgroupsV2 } from './cgroup-v2.ts';
import type { Cgroups } from './cgroups.ts';
import { CheckoutCache } from './checkout-cache.ts';
import { createCheckoutMaker } from './checkout-maker.ts';
import { HolderPool } from './holder-pool.ts';
import { readHostSystem } from './host-system.ts';
import { JobNetwork } from './job-network.ts';
import type { LaunchHost } from './launch-host.ts';
import type { LauncherName } from './launcher.ts';
import { bubblewrapLaunch } from './launcher-bubblewrap.ts';
import { runcLaunch } from './launcher-runc.ts';
import { NamespaceHolder } from './namespace-holder.ts';
import type { SandboxHost } from './sandbox-host.ts';
import { gateOf, launchGate } from './sandbox-launch.ts';
import { assembleSeccompFilter } from './seccomp-assembler.ts';
import { findSandboxHoles } from './self-test.ts';
import { caBundleMountPoint, Skeletons } from './skeleton.ts';
import { spreadFolders } from './spread-folders.ts';
import { findArchitecture } from './system-calls.ts';
import { WaitingSandboxes } from './waiting-sandboxes.ts';

export interface SandboxRuntimeOptions {
  readonly launcher: LauncherName | 'auto';
  /** Data folder of the runner: uppers, checkouts. On a file system that overlays may write to. */
  readonly folder: string;
  /** Short path for pipes and private mounts. */
  readonly runFolder: string;
  readonly images: Images;
  readonly generation: Generation;
  readonly network: { readonly isEnabled: boolean };
  /** Certificate bundle given to every step; default: the host's; empty = none. */
  readonly caBundle?: string | undefined;
  /** Files that every step has, by absolute path. */
  readonly stepFiles?: ReadonlyMap<string, Buffer> | undefined;
  readonly caches?: CacheLimits | undefined;
  /** Shared with other runtimes of the runner; absent = one of its own, under `caches`. */
  readonly cacheHome?: CacheHome | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The host as the runtime uses it, or why it cannot. */
export interface AssembledHost {
  /** Absent when no step can be isolated here: `findings` says why. */
  readonly ready:
    | {
        readonly host: Omit<SandboxHost, 'forget'>;
        readonly launcher: LauncherName;
        readonly checkouts: CheckoutCache;
        readonly caches: CacheStore;
        readonly waiting: WaitingSandboxes;
        /** Absolute path. */
        readonly perl: string;
      }
    | undefined;
  readonly pool: HolderPool | undefined;
  /** Worst first. */
  readonly findings: readonly string[];
  readonly cgroups: Cgroups | undefined;
  readonly removal: BackgroundRemoval | undefined;
  readonly network: JobNetwork | undefined;
  readonly networkPrograms: { readonly ip: string; readonly nft: string } | undefined;
}

/** Ready holders: two jobs may begin at once without waiting. */
const poolSize = 2;
/** Launcher and gate sit in the step's control group. */
const smallestMemoryBytes = 16 * 1024 * 1024;
const cgroupRoot = '/sys/fs/cgroup';
const hostCaBundle = '/etc/ssl/certs/ca-certificates.crt';

/** Variables by which the usual tools find a CA bundle. */
const caBundleVariables = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
] as const;

export function generationsFolder(options: SandboxRuntimeOptions): string {
  return join(options.folder, 'generations');
}

/** Where a generation keeps its jobs, a folder for each. */
export function jobsFolder(generationFolder: string): string {
  return join(generationFolder, 'jobs');
}

/** Where it keeps the sandboxes that wait for a job, a folder for each holder. */
function waitingFolder(generationFolder: string): string {
  return join(generationFolder, 'waiting');
}

/** Finds programs, makes folders, filter, control groups and network, and lets the self-test choose the launcher. */
export async function assembleHost(options: SandboxRuntimeOptions): Promise<AssembledHost> {
  const missing: AssembledHost = {
    ready: undefined,
    pool: undefined,
    findings: [],
    cgroups: undefined,
    removal: undefined,
    network: undefined,
    networkPrograms: undefined,
  };
  const architecture = findArchitecture();
  if (!architecture) {
    return { ...missing, findings: [`Steps cannot be isolated: there is no system call table for ${process.arch}`] };
  }
  const programs = findPrograms(['perl', 'du', 'rm', 'chmod', 'sync', 'cp']);
  if (!('found' in programs)) return { ...missing, findings: programs.findings };
  const { perl, du, rm, chmod, sync, cp } = programs.found;

  const isRootless = process.getuid?.() !== 0;
  const generation = generationName(options.generation);
  const runFolder = join(options.runFolder, generation);
  const generationFolder = join(generationsFolder(options), generation);
  for (const folder of [runFolder, generationFolder]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ofJobs = [jobsFolder(generationFolder), waitingFolder(generationFolder)];
  for (const folder of ofJobs) mkdirSync(folder, { recursive: true, mode: 0o755 });
  await spreadFolders(perl, ofJobs);
  const filter = assembleSeccompFilter(architecture);
  const seccompPath = join(runFolder, 'seccomp.bpf');
  writeFileSync(seccompPath, filter);
  const cgroups = isRootless ? undefined : createCgroups(generation);
  const removal =
    options.cacheHome?.removal ??
    new BackgroundRemoval({
      folder: options.folder,
      rm,
      chmod: isRootless ? chmod : undefined,
      logger: options.logger,
    });
  const skeletons = new Skeletons(join(options.folder, 'skeletons'), await readPerl(perl));
  const system = readHostSystem();
  const caBundle = findCaBundle(options.caBundle);
  const files = options.stepFiles && { digest: digestOf(options.stepFiles), files: options.stepFiles };
  const net = await createNetwork(options, generation, isRootless);
  const resolvConf = net.network?.resolvConf ?? '';
  const pool = createPool({ ...options, runFolder, perl, isRootless, network: net.network });

  const launchHost = (launcher: LauncherName, program: string): LaunchHost => ({
    architecture,
    isRootless,
    du,
    cgroups,
    removal,
    caBundle,
    launcher: (view) =>
      launcher === 'bubblewrap'
        ? { ...bubblewrapLaunch(program, view), seccompPath, hasOwnPids: false, visibleCgroups: [] }
        : {
            ...runcLaunch(program, {
              ...view,
              // Version 1: only the devices hierarchy, where the name is ours to choose. Version 2: below our limits.
              cgroupsPath: `/${generation}/${view.cgroupName}/container`,
            }),
            hasOwnPids: true,
            visibleCgroups: cgroups?.visibleToLauncher ?? [],
          },
  });
  const systemSkeleton = (): Promise<string> =>
    skeletons.provide({ workspace: '/work', resolvConf, hasCaBundle: caBundle !== undefined, system });

  const findings: string[] = [];
  let chosen: { launcher: LauncherName; host: LaunchHost } | undefined;
  for (const launcher of options.launcher === 'auto' ? (['bubblewrap', 'runc'] as const) : [options.launcher]) {
    const name: HostProgram = launcher === 'bubblewrap' ? 'bwrap' : 'runc';
    const program = findHostProgram(name);
    if (!program) {
      findings.push(`${launcher} is not installed: apt-get install ${packageOf(name)}`);
      continue;
    }
    if (launcher === 'runc' && isRootless) {
      findings.push('runc is used by root only: bubblewrap is the launcher for other users');
      continue;
    }
    const host = launchHost(launcher, program);
    const holes = await findSandboxHoles({
      host,
      launcher,
      launcherProgram: program,
      pool,
      system,
      skeleton: systemSkeleton,
      folder: join(generationFolder, `self-test-${launcher}`),
      cacheFolder: options.folder,
      bootId: options.generation.bootId,
      gateway: net.network?.gateway,
      filter,
    }).catch((error: unknown) => [error instanceof Error ? error.message : String(error)]);
    if (holes.length === 0) {
      chosen = { launcher, host };
      if (launcher === 'runc') findings.push(...(await runcFindings(program)));
      break;
    }
    findings.push(...holes.map((hole) => `${launcher} is not used: ${hole}`));
  }

  const shared = { pool, cgroups, removal, network: net.network, networkPrograms: net.programs };
  if (!chosen) return { ...shared, ready: undefined, findings };
  const checkouts = new CheckoutCache({
    folder: join(options.folder, 'checkouts'),
    maker: createCheckoutMaker({ host: chosen.host, pool, system, skeleton: systemSkeleton }),
    removal,
    syncProgram: sync,
    isAlone: () => isOnlyGeneration(generationsFolder(options), options.generation),
    logger: options.logger,
  });
  const caches =
    options.cacheHome?.store ??
    new CacheStore({
      folder: cachesFolder(options.folder),
      removal,
      syncProgram: sync,
      isAlone: () => isOnlyGeneration(generationsFolder(options), options.generation),
      limits: options.caches ?? defaultCacheLimits,
      logger: options.logger,
    });
  const host: Omit<SandboxHost, 'forget'> = {
    ...chosen.host,
    cacheStore: caches,
    cp,
    images: options.images,
    provideCheckout: (repository) => checkouts.provide(repository),
    provideSubmodules: (submodules, top) => checkouts.provideSubmodules(submodules, top),
    skeleton: (workspace) => skeletons.provide({ workspace, resolvConf, hasCaBundle: caBundle !== undefined, files }),
    environment: (workspace) => ({
      ...(caBundle ? Object.fromEntries(caBundleVariables.map((name) => [name, caBundleMountPoint])) : {}),
      // The workspace may belong to another user than the step: git would call that dubious and refuse.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: workspace,
    }),
    refuseUnenforceable: (step) => refuseUnenforceable(step, cgroups),
  };
  const waiting = createWaiting(chosen.host, waitingFolder(generationFolder), options.logger);
  pool.furnishWith((holder) => waiting.furnish(holder));
  return {
    ...shared,
    ready: { host, launcher: chosen.launcher, checkouts, caches, waiting, perl },
    findings: [...findings, ...net.findings, ...limitFindings(cgroups), ...userFindings(isRootless)],
  };
}

function findPrograms<Name extends HostProgram>(
  names: readonly Name[],
): { found: Record<Name, string> } | { findings: readonly string[] } {
  const paths = names.map((name) => [name, findHostProgram(name)] as const);
  const absent = paths.filter(([, path]) => path === undefined);
  if (absent.length === 0) return { found: Object.fromEntries(paths) as Record<Name, string> };
  return {
    findings: absent.map(([name]) => `Steps cannot be isolated without ${name}: apt-get install ${packageOf(name)}`),
  };
}

function createCgroups(generation: string): Cgroups {
  return existsSync(join(cgroupRoot, 'cgroup.controllers'))
    ? createCgroupsV2({ root: cgroupRoot, generation })
    : createCgroupsV1({ root: cgroupRoot, generation });
}

function digestOf(files: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of files) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}

function findCaBundle(wanted: string | undefined): string | undefined {
  const path = wanted ?? hostCaBundle;
  return path !== '' && existsSync(path) ? path : undefined;
}

async function createNetwork(
  options: SandboxRuntimeOptions,
  generation: string,
  isRootless: boolean,
): Promise<{
  readonly network?: JobNetwork;
  readonly programs: AssembledHost['networkPrograms'];
  readonly findings: readonly string[];
}> {
  const none = (why: string): { programs: AssembledHost['networkPrograms']; findings: readonly string[] } => ({
    programs,
    findings: [`Steps have no network but their own loopback: ${why}`],
  });
  const found = findPrograms(['ip', 'nft', 'nsenter']);
  const programs = 'found' in found ? { ip: found.found.ip, nft: found.found.nft } : undefined;
  if (!options.network.isEnabled) return none('it is switched off');
  if (isRootless) return none('making one needs root');
  if (!('found' in found)) return none(found.findings.join('; '));
  try {
    const network = await JobNetwork.create({ ...found.found, generation, logger: options.logger });
    return { network, programs, findings: network.findings };
  } catch (error) {
    if (!(error instanceof GantryError)) throw error;
    return none(error.message);
  }
}

function createPool(options: {
  readonly runFolder: string;
  readonly perl: string;
  readonly isRootless: boolean;
  readonly network: JobNetwork | undefined;
  readonly logger: Logger;
}): HolderPool {
  const { runFolder, perl, isRootless, network, logger } = options;
  let sequence = 0;
  return new HolderPool({
    size: poolSize,
    logger,
    async make() {
      sequence += 1;
      const holder = await NamespaceHolder.start({ name: `h${sequence}`, runFolder, perl, isRootless });
      if (!network) return holder;
      try {
        const link = await network.attach(holder.pid);
        void holder.died.then(() => link.release());
        return holder;
      } catch (error) {
        await holder.close();
        throw error;
      }
    },
  });
}

function createWaiting(host: LaunchHost, folder: string, logger: Logger): WaitingSandboxes {
  return new WaitingSandboxes({
    logger,
    launch: (holder, kind, number) =>
      launchGate(host, {
        ...gateOf(holder, kind),
        name: 'that comes next',
        cgroupName: `waiting-${holder.name}/${number}`,
        folder: join(folder, holder.name, String(number)),
        onRemoved() {
          // With the last one of a holder goes what held them.
          host.cgroups?.removeJob(`waiting-${holder.name}`);
          removeIfEmpty(join(folder, holder.name));
        },
      }),
  });
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

function refuseUnenforceable(step: StageSpec, cgroups: Cgroups | undefined): void {
  const { memoryBytes, pids, cpuMillis } = step.limits;
  if (step.privileged)
    throw new GantryError('REQUEST_INVALID', `Cannot run step "${step.name}" privileged: no sandbox gives such rights`);
  if (step.network === 'host' || (step.devices?.length ?? 0) + (step.hostVolumes?.length ?? 0) > 0)
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot run step "${step.name}": it asks for devices, folders or the network of its host, and no sandbox gives them`,
    );
  if (memoryBytes !== undefined && memoryBytes < smallestMemoryBytes) {
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot start step "${step.name}": its memory limit is ${memoryBytes} bytes, a sandbox needs ${smallestMemoryBytes}`,
    );
  }
  const asked = [
    ['memory', memoryBytes, cgroups?.capabilities.memory],
    ['process', pids, cgroups?.capabilities.pids],
    ['CPU', cpuMillis, cgroups?.capabilities.cpu],
  ] as const;
  const refused = asked.find(([, limit, isEnforced]) => limit !== undefined && !isEnforced);
  if (refused) {
    throw new GantryError(
      'RUNTIME_UNAVAILABLE',
      `Cannot start step "${step.name}": it has a ${refused[0]} limit, and this host cannot enforce one`,
    );
  }
}

function limitFindings(cgroups: Cgroups | undefined): readonly string[] {
  const limits = { memory: 'memory', pids: 'the number of processes', cpu: 'CPU time' } as const;
  return (['memory', 'pids', 'cpu'] as const)
    .filter((name) => !cgroups?.capabilities[name])
    .map((name) => `A step's ${limits[name].replace('the ', '')} cannot be limited: no control group for it`);
}

function userFindings(isRootless: boolean): readonly string[] {
  return isRootless
    ? ['Steps have one user only: images with several users and package installation may fail']
    : ["Steps have no user namespace: root in a step is the host's root without its rights"];
}

/** CVE-2025-31133, -52565 and -52881 are mended from 1.2.8 and 1.3.3 on; distributions mend older numbers too. */
async function runcFindings(program: string): Promise<readonly string[]> {
  const { stdout } = await runProgram([program, '--version']);
  const version = /runc version (\d+)\.(\d+)\.(\d+)/.exec(stdout);
  if (!version) return ['The version of runc cannot be told'];
  const [major, minor, patch] = version.slice(1).map(Number) as [number, number, number];
  const isMended = major > 1 || minor > 3 || (minor === 3 && patch >= 3) || (minor === 2 && patch >= 8);
  return isMended
    ? []
    : [
        `runc ${major}.${minor}.${patch} is older than the mended 1.2.8: check that the distribution mended CVE-2025-31133`,
      ];
}

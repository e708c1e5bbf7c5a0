import type { StepLimits } from '../runtime.ts';

/**
 * Capabilities of a step that runs as root of its container: what installing packages and changing owners needs. Less
 * than an engine's default: MKNOD, NET_RAW, AUDIT_WRITE and SETPCAP are left out.
 */
const stepCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'SETFCAP',
] as const;

/** How tight a step is held: `strict` is for the work of people who may not write to the project. */
export type Hold = 'usual' | 'strict' | 'privileged';

/** Processes and processor cores of a strict step, whatever others may have (reliability-security.md 11.6). */
const strictPids = 512;
const strictCpuMillis = 2_000;
/**
 * Open files of a strict step. The gate sees to it: limits that a container is created with take the place of all that the
 * engine's own settings say, and Podman may then be refused others.
 */
export const strictFiles = 4_096;

/** A share of this much time is what an engine hands out at once. */
const cpuPeriodUs = 100_000;

/** What a strict step may write to beside its workspace: nothing of the image changes. */
const strictTmpfs = Object.fromEntries(
  ['/tmp', '/var/tmp', '/run'].map((folder) => [folder, 'rw,exec,nosuid,nodev,mode=1777,size=1g']),
);

/** What every container of a step is held by. The engine's own filter on system calls stays as it is. */
export function stepRestrictions(limits: StepLimits, hold: Hold): Readonly<Record<string, unknown>> {
  const { memoryBytes, shmBytes } = limits;
  const atMost = (limit: number | undefined, strict: number): number | undefined =>
    hold === 'strict' ? Math.min(limit ?? strict, strict) : limit;
  const pids = atMost(limits.pids, strictPids);
  const cpuMillis = atMost(limits.cpuMillis, strictCpuMillis);
  return {
    ...rightsOf(hold),
    // With swap a limit of memory is none.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(shmBytes === undefined ? {} : { ShmSize: shmBytes }),
    // The gate is one of them.
    ...(pids === undefined ? {} : { PidsLimit: pids + 1 }),
    // As a quota: a number of processors is refused by an engine that has fewer.
    ...(cpuMillis === undefined ? {} : { CpuPeriod: cpuPeriodUs, CpuQuota: (cpuMillis * cpuPeriodUs) / 1_000 }),
    // What a step says goes to its reader only: nothing unmasked lies on the engine's disk.
    LogConfig: { Type: 'none', Config: {} },
    RestartPolicy: { Name: 'no' },
  };
}

function rightsOf(hold: Hold): Readonly<Record<string, unknown>> {
  if (hold === 'privileged') return { Privileged: true };
  const held = { Privileged: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] };
  if (hold === 'usual') return { ...held, CapAdd: stepCapabilities };
  return { ...held, CapAdd: [], ReadonlyRootfs: true, Tmpfs: strictTmpfs, CpuShares: 512 };
}

/** Homes of users, which tools write to: each strict step has its own copy of what its image has there. */
export const strictHomes: readonly object[] = ['/root', '/home'].map((Target) => ({ Type: 'volume', Target }));

/** A pause container runs one small shell of ours. */
export const pauseRestrictions: Readonly<Record<string, unknown>> = {
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  Memory: 16 * 2 ** 20,
  MemorySwap: 16 * 2 ** 20,
  PidsLimit: 32,
  LogConfig: { Type: 'none', Config: {} },
  RestartPolicy: { Name: 'no' },
};

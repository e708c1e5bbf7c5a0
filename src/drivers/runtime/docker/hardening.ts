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

/** Processes of a strict step (reliability-security.md 11.6). */
const strictPids = 512;

/** What a strict step may write to beside its workspace: nothing of the image changes. */
const strictTmpfs = Object.fromEntries(
  ['/tmp', '/var/tmp', '/run'].map((folder) => [folder, 'rw,exec,nosuid,nodev,mode=1777,size=1g']),
);

/** What every container of a step is held by. The engine's own filter on system calls stays as it is. */
export function stepRestrictions(limits: StepLimits, hold: Hold): Readonly<Record<string, unknown>> {
  const { memoryBytes, cpuMillis } = limits;
  const pids = hold === 'strict' ? Math.min(limits.pids ?? strictPids, strictPids) : limits.pids;
  return {
    ...rightsOf(hold),
    // With swap a limit of memory is none.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    // The gate is one of them.
    ...(pids === undefined ? {} : { PidsLimit: pids + 1 }),
    ...(cpuMillis === undefined ? {} : { NanoCpus: cpuMillis * 1_000_000 }),
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

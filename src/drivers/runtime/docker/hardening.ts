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

/** What every container of a step is held by. The engine's own filter on system calls stays as it is. */
export function stepRestrictions(limits: StepLimits, isPrivileged: boolean): Readonly<Record<string, unknown>> {
  const { memoryBytes, pids, cpuMillis } = limits;
  return {
    ...(isPrivileged
      ? { Privileged: true }
      : { Privileged: false, CapDrop: ['ALL'], CapAdd: stepCapabilities, SecurityOpt: ['no-new-privileges'] }),
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

import type { Architecture } from './system-calls.ts';

export type LauncherName = 'bubblewrap' | 'runc';

/** What a sandbox shows of the world, the same for both launchers. Paths are those that the holder's processes see. */
export interface SandboxView {
  /** Where the root file system is mounted; the launcher makes it `/`. */
  readonly root: string;
  /** A fresh, masked sysfs of the job's network namespace. */
  readonly sys: string;
  readonly binds: readonly Bind[];
  readonly network: 'job' | 'none';
  readonly hostname: string;
  readonly shmBytes: number;
  readonly workingDirectory: string;
  readonly command: readonly string[];
  readonly architecture: Architecture;
  /** The sandbox already sits in a user namespace of ours. */
  readonly isRootless: boolean;
}

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly isWritable: boolean;
}

/** Parts of /proc that a step may read and not write (OCI runtime defaults). */
export const readOnlyProcPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const;

/** Parts of /proc that a step may not read either. */
export const maskedProcPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
] as const;

/**
 * Capabilities of a step that runs as root of its sandbox, with their numbers (linux/capability.h): what installing
 * packages and changing owners needs. Less than Docker's default: MKNOD (no device may be opened anyway), NET_RAW (ping
 * works without), AUDIT_WRITE and SETPCAP are left out.
 */
export const stepCapabilities = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_NET_BIND_SERVICE: 10,
  CAP_SYS_CHROOT: 18,
  CAP_SETFCAP: 31,
} as const;

/** Those of the gate: it drops the rest of the bounding set, and then this one too. */
export const gateCapabilities = [...Object.keys(stepCapabilities), 'CAP_SETPCAP'] as const;

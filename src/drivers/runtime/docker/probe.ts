import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { type RuntimeProbe, unusable } from '../runtime.ts';

interface VersionAnswer {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly Components?: readonly { readonly Name?: string; readonly Version?: string }[] | null;
}

interface InfoAnswer {
  readonly OSType?: string;
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly SecurityOptions?: readonly string[] | null;
}

/** The tested floor: Docker 20.10. */
const oldestApi = { major: 1, minor: 41 };

/** Asks an engine what it is and what it can hold steps to. */
export async function probeEngine(client: EngineClient, address: string): Promise<RuntimeProbe> {
  try {
    const [version, info] = await Promise.all([
      client.call<VersionAnswer>('GET', '/version', { timeoutMs: 10_000 }),
      client.call<InfoAnswer>('GET', '/info', { timeoutMs: 10_000 }),
    ]);
    return judge(version, info, address);
  } catch (error) {
    return unusable(`No container engine at ${address}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function judge(version: VersionAnswer, info: InfoAnswer, address: string): RuntimeProbe {
  const api = version.ApiVersion ?? '0.0';
  const [major = 0, minor = 0] = api.split('.').map(Number);
  if (info.OSType !== undefined && info.OSType !== 'linux')
    return unusable(`The container engine at ${address} runs ${info.OSType} containers; steps need Linux`);
  const isPodman = version.Components?.some(({ Name }) => Name === 'Podman Engine') ?? false;
  if (major < oldestApi.major || (major === oldestApi.major && minor < oldestApi.minor))
    return unusable(`The container engine at ${address} speaks API ${api}; 1.41 (Docker 20.10) is needed`);
  const hasMemory = info.MemoryLimit ?? true;
  const hasPids = info.PidsLimit ?? true;
  const hasFilter = info.SecurityOptions?.some((option) => option.includes('seccomp')) ?? false;
  return {
    isUsable: true,
    findings: [
      ...(hasFilter ? [] : ['The engine filters no system calls (seccomp): steps can reach more of the kernel']),
      ...(hasMemory ? [] : ['The engine enforces no memory limits: a step may use all of the host']),
      ...(hasPids ? [] : ['The engine enforces no limits of processes: a step may start any number']),
      `${isPodman ? 'Podman' : 'Docker'} ${version.Version ?? ''} (API ${api}) enforces no disk limits: GANTRY_STEP_DISK is without effect`,
    ],
    capabilities: {
      memoryLimit: hasMemory,
      pidsLimit: hasPids,
      oomReport: hasMemory,
      diskLimit: false,
      network: true,
      services: true,
      volumes: true,
      strict: true,
      processes: true,
    },
  };
}

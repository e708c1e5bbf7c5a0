import type { RegistryCredentials } from '../core/image.ts';
import type { StepPlan } from '../core/plan.ts';
import { tighter } from '../core/step-limits.ts';
import type { StageSpec, StepLimits, StepResultUse } from '../drivers/runtime/runtime.ts';

/** What a step is staged with besides its plan. */
export interface StageSurroundings {
  /** Unique per attempt. */
  readonly id: string;
  /** Logins of registries. */
  readonly credentials: readonly RegistryCredentials[] | undefined;
  readonly keepsCaches: boolean;
  /** What becomes of a step that may be reused. */
  readonly result: StepResultUse | undefined;
  /** What every step of this runner may take at most. */
  readonly limits: StepLimits;
}

/** What the runtime is to stage for a step, but for what it tells meanwhile. */
export function stageSpecOf(
  plan: StepPlan,
  { id, credentials, keepsCaches, result, limits }: StageSurroundings,
): Omit<StageSpec, 'progress' | 'onImage' | 'signal'> {
  return {
    id,
    name: plan.name,
    kind: plan.kind === 'build' ? 'image' : plan.kind,
    image: plan.image,
    pull: plan.pull,
    ...(credentials ? { credentials } : {}),
    entrypoint: plan.entrypoint,
    command: plan.command,
    user: plan.user,
    workingDirectory: plan.workingDirectory,
    startsIn: plan.startsIn ?? 'workspace',
    hostName: plan.hostName,
    ports: plan.ports,
    volumes: plan.volumes,
    ...(keepsCaches && plan.cache ? { cache: plan.cache } : {}),
    ...(plan.host?.isPrivileged ? { privileged: { isProjectTrusted: true } } : {}),
    ...(plan.host?.devices ? { devices: plan.host.devices } : {}),
    ...(plan.host?.volumes ? { hostVolumes: plan.host.volumes } : {}),
    ...(result ? { result } : {}),
    limits: withinLimits(plan, limits),
    network: networkOf(plan),
  };
}

/** What the file says, within what every step may take. */
function withinLimits({ limits }: StepPlan, most: StepLimits): StepLimits {
  if (!limits) return most;
  return {
    ...most,
    memoryBytes: tighter(most.memoryBytes, limits.memoryBytes),
    cpuMillis: tighter(most.cpuMillis, limits.cpuMillis),
    shmBytes: limits.shmBytes,
  };
}

/** A step that may be reused has no network unless it says that it uses it: what it has not got it cannot depend on. */
function networkOf({ host, reuse }: StepPlan): StageSpec['network'] {
  if (host?.usesHostNetwork) return 'host';
  return reuse && !reuse.usesNetwork ? 'none' : 'job';
}

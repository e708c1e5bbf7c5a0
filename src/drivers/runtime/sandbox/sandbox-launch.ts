import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageConfig } from '../../../core/image.ts';
import { overlayMount } from '../caches/overlay.ts';
import type { ReleaseSpec, StageSpec, StepLimits } from '../runtime.ts';
import { encodeRelease, gateCommand } from './gate.ts';
import type { LaunchHost } from './launch-host.ts';
import type { Bind } from './launcher.ts';
import { makeMountPoints } from './mount-points.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import { SandboxStep, type SandboxUse } from './sandbox-step.ts';
import { caBundleMountPoint, objectsMountPoint, stepHostname } from './skeleton.ts';
import type { SandboxKind } from './waiting-sandboxes.ts';

/** Docker's default for /dev/shm; it counts as memory of the step. */
const usualShmBytes = 64 * 1024 * 1024;

/** A sandbox behind its gate, whatever step it will be. */
export interface GateSpec {
  /** Of the step, for messages. */
  readonly name: string;
  readonly holder: NamespaceHolder;
  /** Labels control group and folders: two path parts, `<job>/<step>`. */
  readonly cgroupName: string;
  /** Private to this sandbox; removed with it. */
  readonly folder: string;
  readonly limits: StepLimits;
  readonly network: 'job' | 'none';
  /** Read-only layers, the lowest first; the skeleton comes on top of them. */
  readonly layers: readonly string[];
  readonly skeleton: string;
  readonly binds: readonly Bind[];
  /** Volumes of the job, by path in the step: their mount points are made beforehand. */
  readonly volumes?: readonly Bind[] | undefined;
  /** Called once, when its group and folder are gone. */
  readonly onRemoved?: (() => void) | undefined;
}

/** What a step brings along to the sandbox that it gets. */
export interface UseSpec {
  readonly step: Omit<StageSpec, 'id' | 'image' | 'pull'>;
  readonly image: Pick<ImageConfig, 'environment' | 'entrypoint' | 'command' | 'user' | 'workingDirectory'>;
  readonly workspace: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Names that stand for 127.0.0.1; absent = none. */
  readonly hostNames?: readonly string[] | undefined;
  /** More folders whose size counts for the disk limit. */
  readonly diskFolders: readonly string[];
  readonly onGone?: (() => void) | undefined;
}

/**
 * Makes a sandbox and waits until its gate does: control group with limits, overlay, namespaces, filter, in this order
 * and before the first instruction of what it is for.
 */
export async function launchGate(host: LaunchHost, spec: GateSpec): Promise<SandboxStep> {
  const { holder, folder, limits } = spec;
  const [upper, work] = [upperOf(folder), join(folder, 'work')];
  const cgroup = host.cgroups?.make(spec.cgroupName, limits);
  const cleanUp = async (): Promise<void> => {
    if (cgroup) await removeWhenIdle(cgroup);
    host.removal.remove(folder);
    spec.onRemoved?.();
  };
  let staged: SandboxStep;
  try {
    for (const path of [upper, work]) mkdirSync(path, { recursive: true, mode: 0o755 });
    const volumes = spec.volumes ?? [];
    const layers = [...spec.layers, spec.skeleton];
    const places = makeMountPoints(
      upper,
      layers,
      volumes.map(({ target }) => target),
    );
    const launch = host.launcher({
      root: join(holder.mountPoint, 'root'),
      sys: join(holder.mountPoint, 'sys'),
      binds: [
        ...spec.binds,
        ...volumes.map((volume, index) => ({ ...volume, target: places[index]! })),
        ...(host.caBundle ? [{ source: host.caBundle, target: caBundleMountPoint, isWritable: false }] : []),
      ],
      network: spec.network,
      hostname: stepHostname,
      shmBytes: limits.shmBytes ?? usualShmBytes,
      workingDirectory: '/',
      command: gateCommand(host.architecture),
      architecture: host.architecture,
      isRootless: host.isRootless,
      launcherFolder: join(holder.mountPoint, 'launcher'),
      cgroupName: spec.cgroupName,
    });
    const launched = await holder.launch({
      ...launch,
      overlay: overlayMount({ lowers: layers, upper, work }, { isRootless: host.isRootless, isKept: false }),
      cgroupFiles: cgroup?.joinFiles ?? [],
    });
    staged = new SandboxStep({ launched, cgroup, limits, folder, du: host.du, cleanUp });
  } catch (error) {
    await cleanUp();
    throw error;
  }
  await staged.ready(spec.name);
  return staged;
}

/** A sandbox for one step and no other. */
export async function launchSandbox(
  host: LaunchHost,
  spec: Omit<GateSpec, 'name' | 'limits' | 'network'> & UseSpec,
): Promise<SandboxStep> {
  const { name, limits } = spec.step;
  const network = spec.step.network === 'none' ? 'none' : 'job';
  const staged = await launchGate(host, { ...spec, name, limits, network });
  staged.assign(sandboxUse(staged, spec));
  return staged;
}

/** The gate of a job's sandbox. Workspace and objects are mounted in their places sooner or later. */
export function gateOf(
  holder: NamespaceHolder,
  kind: SandboxKind,
): Pick<GateSpec, 'holder' | 'layers' | 'skeleton' | 'limits' | 'network' | 'binds'> {
  const { layers, skeleton, limits, network } = kind;
  const binds = [
    { source: holder.placeOf('workspace'), target: kind.workspace, isWritable: true },
    { source: holder.placeOf('objects'), target: objectsMountPoint, isWritable: false },
  ];
  return { holder, layers, skeleton, limits, network, binds };
}

/** What makes a sandbox this step's. */
export function sandboxUse(sandbox: SandboxStep, spec: UseSpec): SandboxUse {
  const { step, image, workspace } = spec;
  return {
    name: step.name,
    diskFolders: [upperOf(sandbox.folder), ...spec.diskFolders],
    encodeRelease: (release: ReleaseSpec) =>
      encodeRelease({ step, release, image, workspace, hostNames: spec.hostNames ?? [], defaults: spec.environment }),
    onGone: spec.onGone,
  };
}

function upperOf(folder: string): string {
  return join(folder, 'upper');
}

/** A control group is busy for a moment after its last process has ended. */
async function removeWhenIdle(cgroup: { remove(): boolean; kill(): void }): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if (cgroup.remove()) return;
    if (attempt === 5) cgroup.kill();
    await new Promise((resolve) => setTimeout(resolve, Math.min(50, 1 + attempt)));
  }
}

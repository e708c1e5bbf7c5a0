import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageConfig } from '../../../core/image.ts';
import type { StageSpec } from '../runtime.ts';
import { encodeRelease, gateCommand } from './gate.ts';
import type { LaunchHost } from './launch-host.ts';
import type { Bind } from './launcher.ts';
import type { NamespaceHolder } from './namespace-holder.ts';
import { overlayMount } from './overlay.ts';
import { SandboxStep } from './sandbox-step.ts';
import { caBundleMountPoint, stepHostname } from './skeleton.ts';

/** Docker's default for /dev/shm; it counts as memory of the step. */
const shmBytes = 64 * 1024 * 1024;

export interface SandboxSpec {
  readonly holder: NamespaceHolder;
  /** Labels control group and folders: two path parts, `<job>/<step>`. */
  readonly cgroupName: string;
  /** Private to this sandbox; removed with it. */
  readonly folder: string;
  readonly step: Omit<StageSpec, 'id' | 'image' | 'pull'>;
  /** Read-only layers, the lowest first; the skeleton comes on top of them. */
  readonly layers: readonly string[];
  readonly skeleton: string;
  readonly image: Pick<ImageConfig, 'environment' | 'entrypoint' | 'command' | 'user'>;
  readonly binds: readonly Bind[];
  readonly workspace: string;
  readonly environment: Readonly<Record<string, string>>;
  /** More folders whose size counts for the disk limit. */
  readonly diskFolders: readonly string[];
  readonly onGone?: () => void;
}

/**
 * Makes a sandbox and waits until its gate does: control group with limits, overlay, namespaces, filter, in this order
 * and before the first instruction of what it is for.
 */
export async function launchSandbox(host: LaunchHost, spec: SandboxSpec): Promise<SandboxStep> {
  const { step, holder, folder } = spec;
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  const cgroup = host.cgroups?.make(spec.cgroupName, step.limits);
  const cleanUp = async (): Promise<void> => {
    if (cgroup) await removeWhenIdle(cgroup);
    host.removal.remove(folder);
    spec.onGone?.();
  };
  let staged: SandboxStep;
  try {
    for (const path of [upper, work]) mkdirSync(path, { recursive: true, mode: 0o755 });
    const launch = host.launcher({
      root: join(holder.mountPoint, 'root'),
      sys: join(holder.mountPoint, 'sys'),
      binds: [
        ...spec.binds,
        ...(host.caBundle ? [{ source: host.caBundle, target: caBundleMountPoint, isWritable: false }] : []),
      ],
      network: step.network,
      hostname: stepHostname,
      shmBytes,
      workingDirectory: '/',
      command: gateCommand(host.architecture),
      architecture: host.architecture,
      isRootless: host.isRootless,
      launcherFolder: join(holder.mountPoint, 'launcher'),
      cgroupName: spec.cgroupName,
    });
    const launched = await holder.launch({
      ...launch,
      overlay: overlayMount(
        { lowers: [...spec.layers, spec.skeleton], upper, work },
        { isRootless: host.isRootless, isKept: false },
      ),
      cgroupFiles: cgroup?.joinFiles ?? [],
    });
    staged = new SandboxStep({
      name: step.name,
      launched,
      cgroup,
      limits: step.limits,
      diskFolders: [upper, ...spec.diskFolders],
      du: host.du,
      encodeRelease: (release) =>
        encodeRelease({
          step,
          release,
          image: spec.image,
          workspace: spec.workspace,
          defaults: spec.environment,
        }),
      cleanUp,
    });
  } catch (error) {
    await cleanUp();
    throw error;
  }
  await staged.ready();
  return staged;
}

/** A control group is busy for a moment after its last process has ended. */
async function removeWhenIdle(cgroup: { remove(): boolean; kill(): void }): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if (cgroup.remove()) return;
    if (attempt === 5) cgroup.kill();
    await new Promise((resolve) => setTimeout(resolve, Math.min(50, 1 + attempt)));
  }
}

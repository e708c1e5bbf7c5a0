import type { Images } from '../../../core/image.ts';
import type { StageSpec } from '../runtime.ts';
import type { BackgroundRemoval } from './background-removal.ts';
import type { Cgroups } from './cgroups.ts';
import type { SandboxView } from './launcher.ts';
import type { LaunchSpec } from './namespace-holder.ts';
import type { Architecture } from './system-calls.ts';

/** What all jobs of one runtime share: the host as we found it, and what was made ready on it. */
export interface SandboxHost {
  readonly images: Images;
  readonly architecture: Architecture;
  readonly isRootless: boolean;
  readonly programs: { readonly du: string; readonly rm: string };
  /** Absent where the host has no control groups for us. */
  readonly cgroups: Cgroups | undefined;
  readonly removal: BackgroundRemoval;
  readonly caBundle: string | undefined;
  /** Turns a view into the launcher's command; `launcherFolder` is private memory of the job. */
  readonly launcher: (
    view: SandboxView & { readonly launcherFolder: string; readonly name: string },
  ) => Omit<LaunchSpec, 'overlay' | 'cgroupFiles'>;
  /** Folder of the layer that lies on top of every image for a workspace. */
  skeleton(workspace: string): Promise<string>;
  /** Variables that every step has unless it sets them itself. */
  environment(workspace: string): Readonly<Record<string, string>>;
  /** Throws when the step asks for a limit that this host cannot enforce. */
  refuseUnenforceable(step: StageSpec): void;
  /** A job is gone: asking for it again makes a new one. */
  forget(jobId: string): void;
}

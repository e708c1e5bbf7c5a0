import type { BackgroundRemoval } from '../caches/background-removal.ts';
import type { Cgroups } from './cgroups.ts';
import type { SandboxView } from './launcher.ts';
import type { LaunchSpec } from './namespace-holder.ts';
import type { Architecture } from './system-calls.ts';

/** What it takes to launch a sandbox on this host, whatever it is for: steps, checkouts, the self-test. */
export interface LaunchHost {
  readonly architecture: Architecture;
  readonly isRootless: boolean;
  /** Absolute path of `du`. */
  readonly du: string;
  /** Absent where the host has no control groups for us. */
  readonly cgroups: Cgroups | undefined;
  readonly removal: BackgroundRemoval;
  /** Certificate bundle of the host, bound into every sandbox. */
  readonly caBundle: string | undefined;
  /** Turns a view into the launcher's command; `launcherFolder` is private memory of the job. */
  readonly launcher: (
    view: SandboxView & { readonly launcherFolder: string; readonly cgroupName: string },
  ) => Omit<LaunchSpec, 'overlay' | 'cgroupFiles'>;
}

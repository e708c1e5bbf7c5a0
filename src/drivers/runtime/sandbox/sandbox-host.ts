import type { SubmoduleSource } from '../../../core/checkout.ts';
import type { Images } from '../../../core/image.ts';
import type { CacheStore } from '../caches/cache-store.ts';
import type { RepositorySpec, StageSpec } from '../runtime.ts';
import type { Checkout } from './checkout-cache.ts';
import type { LaunchHost } from './launch-host.ts';

/** What all jobs of one runtime share: the host as we found it, and what was made ready on it. */
export interface SandboxHost extends LaunchHost {
  readonly images: Images;
  /** The sealed checkout of a commit, leased. Throws CheckoutFailure when git refuses. */
  provideCheckout(repository: RepositorySpec): Promise<Checkout>;
  /** The sealed trees of submodules, leased likewise. `top`: folder of the top repository below the workspace. */
  provideSubmodules(submodules: readonly SubmoduleSource[], top: string): Promise<Checkout>;
  readonly cacheStore: CacheStore;
  /** Absolute path of cp. */
  readonly cp: string;
  /** Folder of the layer that lies on top of every image for a workspace. */
  skeleton(workspace: string): Promise<string>;
  /** Variables that every step has unless it sets them itself. */
  environment(workspace: string): Readonly<Record<string, string>>;
  /** Throws when the step asks for a limit that this host cannot enforce. */
  refuseUnenforceable(step: StageSpec): void;
  /** A job is gone: asking for it again makes a new one. */
  forget(jobId: string): void;
}

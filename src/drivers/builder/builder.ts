import type { Readable } from 'node:stream';
import type { RegistryCredentials } from '../../core/image.ts';
import type { PullPolicy } from '../../core/plan.ts';
import type { PushedImage } from '../../core/pushed-image.ts';

/**
 * Makes images of Dockerfiles and pushes them. One driver serves many builds at once. What a build leaves behind is the
 * builder's cache and nothing else: the image is in the registry, or gone.
 */
export interface Builder {
  readonly name: string;
  /** What is there to build with; feeds `gantry doctor` and the contract suite. */
  probe(): Promise<BuilderProbe>;
  /**
   * Builds, and pushes under each of the names. Rejects with a GantryError of an `unavailable` kind where nobody can say
   * whether the Dockerfile is any good: builder gone, registry silent; and with the signal's reason when that aborts.
   */
  build(spec: BuildSpec): Promise<BuildResult>;
  /**
   * Takes away what builds of processes of this installation left that were killed, and ends them where they still run;
   * those of living processes are left alone. Answers what it removed, in words; rejects where the builder is away.
   */
  reap(): Promise<readonly string[]>;
  /** Ends what runs. */
  close(): Promise<void>;
}

export interface BuilderProbe {
  readonly isUsable: boolean;
  /** One sentence per finding, worst first. */
  readonly findings: readonly string[];
  /** Of the images that it makes, e.g. `linux/amd64`; empty when it is not usable. */
  readonly platforms: readonly string[];
}

export interface BuildSpec {
  /** Text of the Dockerfile; `dockerfilePath` is how messages call it. */
  readonly dockerfile: string;
  readonly dockerfilePath: string;
  /** What its instructions may copy, as a tar. Read to its end, or destroyed. */
  readonly context: Readable;
  readonly target?: string | undefined;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Platform that is asked for; absent = the builder's own. Any other is refused (`failed`). */
  readonly platform?: string | undefined;
  /** Names of images whose layers may stand for those of this build. */
  readonly cacheFrom: readonly string[];
  /** Nothing that an earlier build made is used. */
  readonly ignoresCache: boolean;
  /** How the images of FROM are fetched. */
  readonly pull: PullPolicy;
  /** What a written image name means, and the logins for that alone; absent or `undefined` = itself. */
  readonly rewrite?: ((reference: string) => RewrittenBase | undefined) | undefined;
  /** For images of FROM, and for pushes. */
  readonly credentials: readonly RegistryCredentials[];
  /** For `RUN --mount=type=secret,id=…`: in no layer, no history and no cache. */
  readonly secrets: Readonly<Record<string, string>>;
  /**
   * Files that some base images look for at fixed paths, such as the servers of apt. Whoever runs on such an image (by
   * the name that it is pulled by) sees them, in no layer.
   */
  readonly baseFiles?: BaseFiles | undefined;
  /** Builds share cache mounts (`RUN --mount=type=cache`) with those of the same scope and with no others. */
  readonly cacheScope: string;
  /** Full names, with registry and tag. Empty = the image is built and thrown away. */
  readonly push: readonly string[];
  /** Whole lines for the step's log; while the promise is pending nothing more is read. */
  readonly onLine: (line: string) => void | Promise<void>;
  readonly signal: AbortSignal;
}

export interface BaseFiles {
  isFor(image: string): boolean;
  /** Content by absolute path. */
  readonly files: Readonly<Record<string, string>>;
}

export interface RewrittenBase {
  readonly reference: string;
  readonly credentials: readonly RegistryCredentials[];
}

export type BuildResult =
  | {
      readonly kind: 'built';
      /** Digest of its configuration. */
      readonly imageId: string;
      /** Digest of the manifest that each name was pushed under, in their order. */
      readonly pushed: readonly PushedImage[];
    }
  /** The Dockerfile's, the context's or the login's own fault, in the words of who refused. */
  | {
      readonly kind: 'failed';
      readonly message: string;
      /** What was pushed before it failed; absent = nothing. */
      readonly pushed?: readonly PushedImage[];
    };

import type { PortPlan, PullPolicy } from './plan.ts';

/** An image unpacked in the local store: what an overlay mount and the start of a process need. */
export interface UnpackedImage {
  /** The name as written in the file. */
  readonly reference: string;
  /** Digest of the manifest it was resolved to. */
  readonly digest: string;
  /** Absolute folders, the lowest layer first. Immutable: never bind them writable, never link out of them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

/** What of the OCI image configuration matters to a step (image-spec 1.1, "config"). */
export interface ImageConfig {
  readonly environment: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly volumes: readonly string[];
  /** Ports that its program listens on, says the image; absent = none. */
  readonly exposedPorts?: readonly PortPlan[];
}

export interface RegistryCredentials {
  /** Host, optionally with a path; the longest match wins. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/** What logs must not show of logins: passwords, and pairs in the form that a request to the registry carries. */
export function passwordsOf(logins: readonly RegistryCredentials[]): readonly string[] {
  return logins.flatMap(({ username, password }) => [password, `${username}:${password}`]);
}

/**
 * Gives images by name: composes the base images, pulls the others.
 * One job per image at a time; who asks meanwhile waits for it and sees its progress.
 */
export interface Images {
  /**
   * Throws IMAGE_NOT_FOUND, IMAGE_INVALID, IMAGE_PULL_FAILED with a message for the step's log.
   * `progress` gets whole lines for that log.
   */
  provide(
    reference: string,
    options: {
      readonly pull: PullPolicy;
      readonly credentials?: readonly RegistryCredentials[];
      readonly progress?: (line: string) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<UnpackedImage>;
  /** Digest of what `provide` would give; fetches no layer. Throws as it does. */
  digestOf(
    reference: string,
    options: {
      readonly pull: PullPolicy;
      readonly credentials?: readonly RegistryCredentials[];
      readonly signal?: AbortSignal;
    },
  ): Promise<string>;
}

/**
 * The bytes of images that are composed here, for engines that keep images themselves: what no registry serves has to be
 * brought into them.
 */
export interface ComposedImages {
  /** Whether the name is one of ours. */
  serves(reference: string): boolean;
  /** Composes the image where it is not there yet. Throws as `Images.provide` does. */
  open(reference: string, options: { readonly progress?: (line: string) => void }): Promise<ComposedImage>;
}

export interface ComposedImage {
  /** Digest of the manifest: the same digest is the same image. */
  readonly digest: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly layers: readonly ComposedLayer[];
}

export interface ComposedLayer {
  /** SHA-256 of the uncompressed tar. */
  readonly diffId: string;
  /** The uncompressed tar, from its beginning; may be opened again. */
  open(): Promise<NodeJS.ReadableStream>;
}

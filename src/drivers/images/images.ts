import type { ImageConfig, RegistryCredentials } from '../../core/image.ts';

/**
 * Where images come from: composed here from Debian packages, or pulled from a registry.
 * The store (`store/image-store.ts`) asks the first source that serves a name, unpacks what it gets and verifies it.
 */
export interface ImageSource {
  readonly name: string;
  serves(reference: string): boolean;
  /** Whether asking again may give another image; what is composed here stays until the recipe changes. */
  readonly isRemote: boolean;
  /** Those of the logins that asking for the reference would use: the others do not tell two requests apart. */
  loginsFor(reference: string, logins: readonly RegistryCredentials[]): readonly RegistryCredentials[];
  /** Asks what the reference means now. Throws IMAGE_NOT_FOUND, IMAGE_INVALID or IMAGE_PULL_FAILED. */
  resolve(reference: string, request: ImageRequest): Promise<ResolvedImage>;
  /** The layer's uncompressed tar. The store verifies the diff id before it keeps anything. */
  openLayer(image: ResolvedImage, layer: LayerDescriptor, request: ImageRequest): Promise<NodeJS.ReadableStream>;
}

export interface ImageRequest {
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ResolvedImage {
  readonly reference: string;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly layers: readonly LayerDescriptor[];
}

export interface LayerDescriptor {
  /** Digest as stored (compressed). */
  readonly digest: string;
  /** SHA-256 of the uncompressed tar. */
  readonly diffId: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

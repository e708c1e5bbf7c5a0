import type { ImageConfig, RegistryCredentials } from '../../core/image.ts';

/** Where images come from: composed here from Debian packages, or pulled from a registry. */
export interface ImageSource {
  readonly name: string;
  /** Whether this source is the one for the reference, as rewritten by the admin's rules. */
  serves(reference: string): boolean;
  /** Asks what the reference means now. Throws IMAGE_NOT_FOUND or IMAGE_PULL_FAILED. */
  resolve(reference: string, request: ImageRequest): Promise<ResolvedImage>;
  /** Writes the uncompressed layer tar to the sink; the store verifies the diff id before it keeps anything. */
  fetchLayer(image: ResolvedImage, layer: LayerDescriptor, request: ImageRequest): Promise<ReadableStream<Uint8Array>>;
}

export interface ImageRequest {
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  readonly progress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ResolvedImage {
  readonly reference: string;
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
  readonly sizeBytes: number;
}

import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { GantryError } from '../../../core/errors.ts';
import type { RegistryCredentials } from '../../../core/image.ts';
import { formatSize } from '../../../lib/size.ts';
import type { ImageRequest, ImageSource, LayerDescriptor, ResolvedImage } from '../images.ts';
import { choosePlatform, isIndex, readConfig, readManifest } from './image-documents.ts';
import { parseReference, type Reference } from './reference.ts';
import { findCredentials, RegistryClient } from './registry-client.ts';

export interface RegistrySourceOptions {
  /** Host of names without one; absent = such names are refused with the reason. */
  readonly defaultHost?: string | undefined;
  /** Hosts spoken to without TLS, beside loopback. */
  readonly plainHttpHosts: readonly string[];
  readonly architecture: 'amd64' | 'arm64';
  readonly retryAfterMs?: readonly number[];
}

const configLimitBytes = 8 * 2 ** 20;

/** Images of any OCI registry, pulled by our own client. */
export class RegistrySource implements ImageSource {
  readonly name = 'registry';
  readonly isRemote = true;
  readonly #options: RegistrySourceOptions;
  readonly #client: RegistryClient;

  constructor(options: RegistrySourceOptions) {
    this.#options = options;
    const { plainHttpHosts, retryAfterMs = [500, 1_500, 5_000] } = options;
    this.#client = new RegistryClient({ plainHttpHosts, retryAfterMs });
  }

  serves(reference: string): boolean {
    return !reference.startsWith('base/');
  }

  loginsFor(text: string, logins: readonly RegistryCredentials[]): readonly RegistryCredentials[] {
    const login = findCredentials(parseReference(text, this.#options.defaultHost), logins);
    return login ? [login] : [];
  }

  async resolve(text: string, request: ImageRequest): Promise<ResolvedImage> {
    const reference = parseReference(text, this.#options.defaultHost);
    const { credentials = [], signal } = request;
    request.progress?.(`pulling ${text}`);
    const first = await this.#client.manifest(reference, credentials, signal);
    const manifest = isIndex(first.bytes, first.mediaType, text)
      ? await this.#client.manifest(
          { ...reference, digest: choosePlatform(first.bytes, this.#options.architecture, text) },
          credentials,
          signal,
        )
      : first;
    const document = readManifest(manifest.bytes, text);
    const configBytes = await this.#client.smallBlob(
      reference,
      document.config.digest,
      configLimitBytes,
      credentials,
      signal,
    );
    const { config, diffIds, architecture } = readConfig(configBytes, text);
    if (architecture !== this.#options.architecture)
      throw new GantryError(
        'IMAGE_NOT_FOUND',
        `Cannot pull ${text}: it is for ${architecture}, not ${this.#options.architecture}`,
      );
    if (diffIds.length !== document.layers.length)
      throw new GantryError(
        'IMAGE_INVALID',
        `Cannot use ${text}: ${document.layers.length} layers have ${diffIds.length} diff ids`,
      );
    const layers = document.layers.map((layer, i) => ({ ...layer, diffId: diffIds[i]! }));
    const total = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    request.progress?.(`pulling ${text}: ${layers.length} layers, ${formatSize(total)}, ${manifest.digest}`);
    return { reference: text, digest: manifest.digest, config, layers };
  }

  async openLayer(image: ResolvedImage, layer: LayerDescriptor, request: ImageRequest): Promise<NodeJS.ReadableStream> {
    const reference: Reference = parseReference(image.reference, this.#options.defaultHost);
    const packed = Readable.from(this.#client.blob(reference, layer, request.credentials ?? [], request.signal), {
      objectMode: false,
      highWaterMark: 2 ** 20,
    });
    const plain = decompressor(layer.mediaType);
    if (!plain) return packed;
    packed.on('error', (error) => plain.destroy(error));
    return packed.pipe(plain);
  }
}

function decompressor(
  mediaType: string,
): ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress> | undefined {
  if (/[+.]zstd$/.test(mediaType)) return createZstdDecompress();
  if (/[+.]gzip$/.test(mediaType)) return createGunzip();
  if (mediaType.endsWith('.tar')) return undefined;
  throw new GantryError(
    'IMAGE_INVALID',
    `Cannot unpack a layer of type "${mediaType}": it is not tar, tar+gzip or tar+zstd`,
  );
}

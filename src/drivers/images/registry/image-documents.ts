import { GantryError } from '../../../core/errors.ts';
import type { ImageConfig } from '../../../core/image.ts';
import { parsePort } from '../../../lib/parse-port.ts';

/** A descriptor as manifests write it (image-spec 1.1, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface ManifestDocument {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const layerLimit = 500;

/** Reads an image manifest; refuses what is damaged, and what claims to be two things at once. */
export function readManifest(bytes: Buffer, name: string): ManifestDocument {
  const document = readObject(bytes, name);
  if ('manifests' in document) throw damaged(name, 'its manifest is an index as well');
  const layers = document['layers'];
  if (!Array.isArray(layers)) throw damaged(name, 'its manifest lists no layers');
  if (layers.length > layerLimit) throw damaged(name, `it has ${layers.length} layers, more than ${layerLimit}`);
  return {
    config: readDescriptor(document['config'], name),
    layers: layers.map((layer) => readDescriptor(layer, name)),
  };
}

/** The digest of the manifest for this platform in an index. */
export function choosePlatform(bytes: Buffer, architecture: string, name: string): string {
  const document = readObject(bytes, name);
  if ('layers' in document) throw damaged(name, 'its index is a manifest as well');
  const manifests = document['manifests'];
  if (!Array.isArray(manifests) || manifests.length > 1_000) throw damaged(name, 'its index lists no manifests');
  for (const entry of manifests) {
    const platform = isObject(entry) ? entry['platform'] : undefined;
    if (isObject(platform) && platform['os'] === 'linux' && platform['architecture'] === architecture)
      return readDescriptor(entry, name).digest;
  }
  throw new GantryError('IMAGE_NOT_FOUND', `Cannot pull ${name}: it has no image for linux/${architecture}`);
}

export function isIndex(bytes: Buffer, mediaType: string, name: string): boolean {
  return /index|manifest\.list/.test(mediaType) || 'manifests' in readObject(bytes, name);
}

/** The parts of an image configuration that a step needs, with the diff ids (image-spec 1.1, config.md). */
export function readConfig(
  bytes: Buffer,
  name: string,
): { readonly config: ImageConfig; readonly diffIds: readonly string[]; readonly architecture: string } {
  const document = readObject(bytes, name);
  const config = isObject(document['config']) ? document['config'] : {};
  const rootfs = document['rootfs'];
  const diffIds = isObject(rootfs) ? strings(rootfs['diff_ids']) : [];
  if (!diffIds.every((diffId) => /^sha256:[a-f0-9]{64}$/.test(diffId)))
    throw damaged(name, 'its diff ids are not digests');
  return {
    diffIds,
    architecture: typeof document['architecture'] === 'string' ? document['architecture'] : '',
    config: {
      environment: strings(config['Env']),
      entrypoint: strings(config['Entrypoint']),
      command: strings(config['Cmd']),
      user: typeof config['User'] === 'string' ? config['User'] : '',
      workingDirectory: typeof config['WorkingDir'] === 'string' ? config['WorkingDir'] : '',
      volumes: isObject(config['Volumes']) ? Object.keys(config['Volumes']) : [],
      ...exposedPorts(config['ExposedPorts']),
    },
  };
}

/** More than any image that was seen names; the rest is not waited for. */
const portLimit = 64;

/** `{"5432/tcp": {}}`: what is no port of TCP or UDP is left out. */
function exposedPorts(value: unknown): Pick<ImageConfig, 'exposedPorts'> {
  const ports = isObject(value)
    ? Object.keys(value)
        .slice(0, portLimit)
        .flatMap((text) => parsePort(text) ?? [])
    : [];
  return ports.length === 0 ? {} : { exposedPorts: ports };
}

function readDescriptor(value: unknown, name: string): Descriptor {
  if (!isObject(value)) throw damaged(name, 'a descriptor of its manifest is missing');
  const { mediaType, digest, size } = value as { mediaType?: unknown; digest?: unknown; size?: unknown };
  if (typeof digest !== 'string' || !/^sha256:[a-f0-9]{64}$/.test(digest))
    throw damaged(name, 'a digest is not SHA-256');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw damaged(name, 'a size is not a number of bytes');
  return { mediaType: typeof mediaType === 'string' ? mediaType : '', digest, sizeBytes: size };
}

function readObject(bytes: Buffer, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (isObject(value)) return value;
  } catch (cause) {
    throw new GantryError('IMAGE_INVALID', `Cannot use ${name}: a document of it is not JSON`, { cause });
  }
  throw damaged(name, 'a document of it is not a JSON object');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function damaged(name: string, because: string): GantryError {
  return new GantryError('IMAGE_INVALID', `Cannot use ${name}: ${because}`);
}

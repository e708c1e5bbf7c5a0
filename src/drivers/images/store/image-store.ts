import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { Images, UnpackedImage } from '../../../core/image.ts';
import type { ImageRequest, ImageSource, LayerDescriptor, ResolvedImage } from '../images.ts';
import { effectivePolicy } from './pull-policy.ts';
import { type UnpackLimits, unpackLayer } from './unpack-layer.ts';
import { makeWhiteouts } from './whiteouts.ts';

export interface ImageStoreOptions {
  /** `layers/<diff id>/` and `images/<hash of the name>.json` below it. Everything in it can be fetched again. */
  readonly folder: string;
  /** The first that serves a name is asked. */
  readonly sources: readonly ImageSource[];
  readonly limits?: UnpackLimits;
}

/** What a name meant when it was last resolved. Without such a record a layer's folder is rubbish. */
type ImageRecord = Omit<UnpackedImage, 'layers'> & { readonly diffIds: readonly string[] };

/**
 * Unpacked images by content: each layer once, whatever image it belongs to, and one unpacking of it at a time.
 * Who asks for what another is fetching waits for that and hears its progress.
 */
export class ImageStore implements Images {
  readonly #options: ImageStoreOptions;
  readonly #providing = new Map<
    string,
    { readonly image: Promise<UnpackedImage>; readonly listeners: Set<(line: string) => void> }
  >();
  readonly #unpacking = new Map<string, Promise<void>>();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
  }

  async provide(reference: string, given: Parameters<Images['provide']>[1]): Promise<UnpackedImage> {
    const source = this.#options.sources.find((candidate) => candidate.serves(reference));
    if (!source)
      throw new GantryError('IMAGE_NOT_FOUND', `Cannot find the image "${reference}": nothing serves this name`);
    // A login of another registry makes no difference: public images are shared all the same.
    const options = { ...given, credentials: source.loginsFor(reference, given.credentials ?? []) };
    // What is composed here is always asked for: it costs a look, and a new recipe counts at once.
    const policy = source.isRemote ? effectivePolicy(reference, options.pull) : 'always';
    if (policy !== 'always') {
      const present = await this.#present(reference, options.credentials);
      if (present) return present;
      if (policy === 'never')
        throw new GantryError(
          'IMAGE_NOT_FOUND',
          `Cannot use the image "${reference}": it is not here, and pull is "never"`,
        );
    }
    return this.#fetchOnce(source, reference, options);
  }

  async digestOf(reference: string, given: Parameters<Images['digestOf']>[1]): Promise<string> {
    const source = this.#options.sources.find((candidate) => candidate.serves(reference));
    if (!source)
      throw new GantryError('IMAGE_NOT_FOUND', `Cannot find the image "${reference}": nothing serves this name`);
    const credentials = source.loginsFor(reference, given.credentials ?? []);
    const policy = source.isRemote ? effectivePolicy(reference, given.pull) : 'always';
    const present = policy === 'always' ? undefined : await this.#present(reference, credentials);
    if (present) return present.digest;
    return (await source.resolve(reference, { credentials, ...(given.signal ? { signal: given.signal } : {}) })).digest;
  }

  /** Removes half-unpacked layers of a program that died. Nothing may be unpacking meanwhile. */
  async sweep(): Promise<void> {
    const layers = join(this.#options.folder, 'layers');
    for (const name of await readdir(layers).catch(() => []))
      if (name.includes('.incoming-')) await rm(join(layers, name), { recursive: true, force: true });
  }

  #fetchOnce(
    source: ImageSource,
    reference: string,
    options: Parameters<Images['provide']>[1],
  ): Promise<UnpackedImage> {
    // Credentials enter the key: what one may read is not handed to another who may not.
    const key = keyOf(reference, options.credentials);
    const running = this.#providing.get(key);
    if (running) {
      if (options.progress) running.listeners.add(options.progress);
      return running.image;
    }
    const listeners = new Set(options.progress ? [options.progress] : []);
    const progress = (line: string): void => listeners.forEach((listener) => listener(line));
    const image = this.#fetch(source, reference, { credentials: options.credentials, progress });
    this.#providing.set(key, { image, listeners });
    const forget = (): void => void this.#providing.delete(key);
    image.then(forget, forget);
    return image;
  }

  async #fetch(source: ImageSource, reference: string, request: ImageRequest): Promise<UnpackedImage> {
    const resolved = await source.resolve(reference, request);
    // All of them end before the first fault is told: nothing goes on writing behind the caller's back.
    const unpacked = await Promise.allSettled(
      resolved.layers.map((layer) => this.#unpackOnce(source, resolved, layer, request)),
    );
    for (const result of unpacked) if (result.status === 'rejected') throw unpackingError(reference, result.reason);
    const record: ImageRecord = {
      reference,
      digest: resolved.digest,
      config: resolved.config,
      diffIds: resolved.layers.map(({ diffId }) => diffId),
    };
    if (source.isRemote) await this.#writeRecord(record, request.credentials);
    return this.#unpacked(record);
  }

  #unpackOnce(source: ImageSource, image: ResolvedImage, layer: LayerDescriptor, request: ImageRequest): Promise<void> {
    const running = this.#unpacking.get(layer.diffId);
    if (running) return running;
    const unpacking = this.#unpack(source, image, layer, request);
    this.#unpacking.set(layer.diffId, unpacking);
    const forget = (): void => void this.#unpacking.delete(layer.diffId);
    unpacking.then(forget, forget);
    return unpacking;
  }

  async #unpack(
    source: ImageSource,
    image: ResolvedImage,
    layer: LayerDescriptor,
    request: ImageRequest,
  ): Promise<void> {
    const folder = this.#layerFolder(layer.diffId);
    // Asked before each step, nearly always answered yes: at once, and not by way of another thread.
    if (existsSync(folder)) return;
    const incoming = `${folder}.incoming-${process.pid}-${randomUUID()}`;
    await mkdir(dirname(incoming), { recursive: true });
    await mkdir(incoming, { mode: 0o755 });
    try {
      const tar = await source.openLayer(image, layer, request);
      const { diffId, whiteouts } = await unpackLayer(tar, incoming, this.#options.limits);
      if (diffId !== layer.diffId)
        throw new GantryError(
          'IMAGE_INVALID',
          `Cannot unpack a layer of "${image.reference}": its content is ${diffId}, the configuration says ${layer.diffId}`,
        );
      await makeWhiteouts(incoming, whiteouts);
      await rename(incoming, folder).catch(async (error: NodeJS.ErrnoException) => {
        // Another process that shares the store was faster: its folder has the same content.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  async #present(reference: string, credentials: Credentials): Promise<UnpackedImage | undefined> {
    const text = await readFile(this.#recordFile(reference, credentials), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const image = this.#unpacked(JSON.parse(text) as ImageRecord);
    const folders = await Promise.all(image.layers.map((folder) => stat(folder).catch(() => undefined)));
    return folders.every((folder) => folder?.isDirectory()) ? image : undefined;
  }

  async #writeRecord(record: ImageRecord, credentials: Credentials): Promise<void> {
    const file = this.#recordFile(record.reference, credentials);
    await mkdir(join(this.#options.folder, 'images'), { recursive: true });
    const incoming = `${file}.${process.pid}-${randomUUID()}`;
    await writeFile(incoming, JSON.stringify(record));
    await rename(incoming, file);
  }

  #unpacked({ diffIds, ...record }: ImageRecord): UnpackedImage {
    return { ...record, layers: diffIds.map((diffId) => this.#layerFolder(diffId)) };
  }

  /** Short names: an overlay's options must fit one page (4 KiB) with many layers. */
  #layerFolder(diffId: string): string {
    return join(this.#options.folder, 'layers', diffId.replace('sha256:', '').slice(0, 32));
  }

  /** One for each set of credentials: that somebody could read an image does not say that another may. */
  #recordFile(reference: string, credentials: Credentials): string {
    const name = createHash('sha256').update(keyOf(reference, credentials)).digest('hex').slice(0, 32);
    return join(this.#options.folder, 'images', `${name}.json`);
  }
}

type Credentials = ImageRequest['credentials'];

function keyOf(reference: string, credentials: Credentials): string {
  return credentials && credentials.length > 0 ? `${reference}\n${JSON.stringify(credentials)}` : reference;
}

/** What the disk refuses may pass; what the layer's own bytes make impossible will not. */
function unpackingError(reference: string, error: unknown): GantryError {
  if (error instanceof GantryError) return error;
  const isDisk = error instanceof Error && 'syscall' in error;
  return new GantryError(
    isDisk ? 'IMAGE_PULL_FAILED' : 'IMAGE_INVALID',
    `Cannot unpack a layer of "${reference}": ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
